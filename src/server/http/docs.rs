//! `/docs`: what can be asked, for people. The page is our own, comes from this program alone, and may
//! load nothing from anywhere else.

use std::future::ready;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// The page and what belongs to it.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs", get(|| ready(page("text/html; charset=utf-8", PAGE))))
        .route("/docs/page.css", get(|| ready(page("text/css; charset=utf-8", STYLE))))
        .route("/docs/page.js", get(|| ready(page("text/javascript; charset=utf-8", SCRIPT))))
}

fn page(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text)
}

/// Nothing from elsewhere, nothing that stands in the page itself, nobody's frame (CSP level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("docs/page.html");

const STYLE: &str = include_str!("docs/page.css");

const SCRIPT: &str = include_str!("docs/page.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nobody_else_and_makes_no_markup_of_what_it_reads() {
        for text in [PAGE, STYLE, SCRIPT] {
            for word in ["http:", "https:", "//cdn", "@import", "innerHTML", "eval(", "onclick"] {
                assert!(!text.contains(word), "{word}");
            }
        }
        for word in ["<script>", "<style", " style="] {
            assert!(!PAGE.contains(word), "{word}");
        }
    }
}
