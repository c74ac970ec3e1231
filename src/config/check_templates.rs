//! Templates: whether a text with `{{ variables }}` can be rendered.

use crate::base::template;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// What is said of a text that should be a template and does not parse.
pub fn not_a_template(subject: &Subject<'_>, path: &str, text: &str) -> Option<Diagnostic> {
    let why = template::render(text, &template::Variables::new()).err()?.to_string();
    let why = why.trim_start_matches("syntax error: ");
    let why = why.split_once(" (in ").map_or(why, |(why, _)| why);
    let message = format!("`{}` is not a template", path.rsplit('.').next().unwrap_or_default());
    Some(
        Diagnostic::error("template.syntax", message)
            .at(subject.place(path), why)
            .help("variables stand in two braces: {{ caller }}"),
    )
}
