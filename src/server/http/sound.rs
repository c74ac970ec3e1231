//! A file of sound that is sent, or a part of it, as RFC 9110 14 has it.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::SeekFrom;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use utoipa::ToSchema;

use crate::server::http::problem::{Code, Problem};

/// What no JSON can tell.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for the octets of a body in the description")]
pub struct Octets(Vec<u8>);

/// A file of sound that is open.
#[derive(Debug)]
pub struct Sound {
    file: File,
    length: u64,
    name: String,
    kind: &'static str,
    tag: Option<String>,
}

/// Which octets are wanted: from the first to the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Octets(u64, u64),
    Nowhere,
}

impl Sound {
    /// Opens a file that is no link; `tag` says which state of it this is.
    pub fn open(path: &Path, tag: Option<String>) -> Option<Self> {
        let (file, length) = opened(path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let kind = if name.ends_with(".wav") { "audio/wav" } else { "audio/ogg" };
        Some(Self { file, length, name, kind, tag })
    }

    /// The answer to whoever asks for it, or for a part of it.
    ///
    /// # Errors
    /// When the part that is wanted is not there.
    pub fn served(self, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_same = match (text(header::IF_RANGE), &self.tag) {
            (None, _) => true,
            (Some(wanted), Some(tag)) => wanted == tag,
            (Some(_), None) => false,
        };
        let wanted = text(header::RANGE).filter(|_| is_same);
        let length = self.length;
        let (status, first, count) = match wanted.map_or(Part::All, |text| part(text, length)) {
            Part::All => (StatusCode::OK, 0, length),
            Part::Octets(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            Part::Nowhere => {
                let why = format!("it has {length} octets");
                return Err(Problem::new(Code::RangeNotSatisfiable, why));
            }
        };
        let mut response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, self.kind)
            .header(header::CONTENT_LENGTH, count)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_DISPOSITION, self.disposition());
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {first}-{}/{length}", first + count - 1);
            response = response.header(header::CONTENT_RANGE, range);
        }
        if let Some(tag) = &self.tag {
            response = response.header(header::ETAG, tag);
        }
        response
            .body(self.octets(first, count))
            .map_err(|_| Problem::new(Code::Internal, "the sound cannot be sent"))
    }

    /// Its name is an identity that we made: nothing in it ends the header.
    fn disposition(&self) -> HeaderValue {
        let text = format!("attachment; filename=\"{}\"", self.name);
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
    }

    /// So many octets from a place on.
    fn octets(self, first: u64, count: u64) -> Body {
        let file = tokio::fs::File::from_std(self.file);
        let parts =
            stream::unfold((file, count, Some(first)), |(mut file, left, seek)| async move {
                if left == 0 {
                    return None;
                }
                if let Some(first) = seek {
                    file.seek(SeekFrom::Start(first)).await.ok()?;
                }
                let mut part = vec![0; usize::try_from(left.min(AT_ONCE)).unwrap_or_default()];
                // A file that is cut off meanwhile ends the answer before its length.
                let count = file.read(&mut part).await.ok().filter(|count| *count > 0)?;
                part.truncate(count);
                let rest = left - count as u64;
                Some((Ok::<_, Infallible>(Bytes::from(part)), (file, rest, None)))
            });
        Body::from_stream(parts)
    }
}

/// A file that is no link, and how many octets it has.
pub fn opened(path: &Path) -> Option<(File, u64)> {
    let mut options = OpenOptions::new();
    let follow_no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.read(true).custom_flags(follow_no_link).open(path).ok()?;
    let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((file, found.len()))
}

/// Reads one range (RFC 9110 14.1.2). What is none, or are several, stands for all of it.
fn part(text: &str, length: u64) -> Part {
    let Some(range) = text.strip_prefix("bytes=") else { return Part::All };
    let Some((first, last)) = range.trim().split_once('-') else { return Part::All };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::All,
        (Some(first), _) if first >= length => match last.is_empty() || number(last).is_some() {
            true => Part::Nowhere,
            false => Part::All,
        },
        (Some(first), Some(last)) => Part::Octets(first, last.min(length - 1)),
        (Some(first), None) if last.is_empty() => Part::Octets(first, length - 1),
        (None, Some(count)) if first.is_empty() => match count.min(length) {
            0 => Part::Nowhere,
            count => Part::Octets(length - count, length - 1),
        },
        (Some(_) | None, None) | (None, Some(_)) => Part::All,
    }
}

/// How much is read at once.
const AT_ONCE: u64 = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        assert_eq!(part("bytes=0-9", 100), Part::Octets(0, 9));
        assert_eq!(part("bytes=90-", 100), Part::Octets(90, 99));
        assert_eq!(part("bytes=90-1000", 100), Part::Octets(90, 99));
        assert_eq!(part("bytes=-10", 100), Part::Octets(90, 99));
        assert_eq!(part("bytes=-1000", 100), Part::Octets(0, 99));
        assert_eq!(part("bytes=0-99999999999999999999999", 100), Part::Octets(0, 99));
        for nowhere in ["bytes=100-", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(nowhere, 100), Part::Nowhere, "{nowhere}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Nowhere);
        for all in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-1", "bytes=0-1,3-4", "x=0-1"]
        {
            assert_eq!(part(all, 100), Part::All, "{all}");
        }
    }
}
