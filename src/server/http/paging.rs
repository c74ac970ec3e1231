//! Long lists, a page at a time: a page ends with a cursor, and the next one begins there. There are
//! no numbers of pages: what is new does not move what is old.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::id::CallId;
use crate::server::http::problem::{Code, Problem};

/// A page.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub data: Vec<T>,
    /// The cursor of the next page; nothing on the last one. A page may hold less than the limit
    /// and still be followed by another.
    pub next_cursor: Option<String>,
}

/// Where a page begins: behind this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub CallId);

impl Cursor {
    /// As it is given away: it means nothing to anybody else.
    pub fn written(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{MARK}{}", self.0))
    }

    /// Takes one back.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let octets = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let written = octets.and_then(|octets| String::from_utf8(octets).ok());
        let call = written.and_then(|text| text.strip_prefix(MARK)?.parse().ok());
        let wrong = "`cursor` is none of ours: take `next_cursor` of a page as it is";
        call.map(Self).ok_or_else(|| Problem::new(Code::InvalidCursor, wrong))
    }
}

/// How much is wanted on a page.
///
/// # Errors
/// When it is no number, or more than there may be.
pub fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(USUAL_PAGE) };
    let limit = text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
    limit.ok_or_else(|| Problem::parameter("limit", format!("a number from 1 to {LARGEST_PAGE}")))
}

/// Tells a cursor of this kind from another.
const MARK: &str = "1:";

const USUAL_PAGE: usize = 50;

const LARGEST_PAGE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::base::random::Random;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_taken_for_one() {
        let call = CallId::new(Duration::from_secs(1_000), &mut Random::repeatable(1));
        let cursor = Cursor(call).written();
        assert_eq!(Cursor::read(&cursor), Ok(Cursor(call)));
        for wrong in ["", "x", "Li4vLi4vZXRjL3Bhc3N3ZA", &call.to_string(), &format!("{cursor}=")] {
            assert_eq!(Cursor::read(wrong).unwrap_err().status, 400, "{wrong}");
        }
        assert_eq!(limit(None), Ok(50));
        assert_eq!(limit(Some("200")), Ok(200));
        for wrong in ["0", "201", "-1", "", "99999999999999999999"] {
            assert_eq!(limit(Some(wrong)).unwrap_err().status, 422, "{wrong}");
        }
    }
}
