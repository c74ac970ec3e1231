//! Mistakes as workflow commands of GitHub: they stand as remarks beside the lines of a change.

use crate::config::diagnostic::{Diagnostic, Label, Severity};
use crate::config::source::Sources;

/// The command that tells of a mistake: one line, without a newline.
pub fn command(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    let (here, there) = match diagnostic.labels.split_first() {
        Some((here, there)) => (Some(here), there),
        None => (None, [].as_slice()),
    };
    properties.extend(here.and_then(|label| place(label, sources)));
    properties.push(format!("title={}", property(diagnostic.code)));
    let mut text = diagnostic.message.clone();
    let mut say = |line: &str| {
        text.push('\n');
        text.push_str(line);
    };
    here.into_iter().filter(|label| !label.text.is_empty()).for_each(|label| say(&label.text));
    for label in there {
        if let Some(file) = sources.file(&label.span) {
            let line = file.position(file.first_line(&label.span).start).line;
            say(&format!("{}:{line}: {}", file.name, label.text));
        }
    }
    diagnostic.help.iter().for_each(|help| say(&format!("help: {help}")));
    format!("::{word} {}::{}", properties.join(","), data(&text))
}

/// Where a label points to: its first line, the last column counted in.
fn place(label: &Label, sources: &Sources) -> Option<String> {
    let file = sources.file(&label.span)?;
    let span = file.first_line(&label.span);
    let (start, end) = (file.position(span.start), file.position(span.end));
    let last = end.column.saturating_sub(1).max(start.column);
    Some(format!(
        "file={},line={line},endLine={line},col={},endColumn={last}",
        property(&file.name),
        start.column,
        line = start.line,
    ))
}

/// Writes what stands behind the `::` so that it stays on its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Writes a value so that it ends neither its property nor the properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_mistake_ends_its_command_or_begins_another() {
        let mut sources = Sources::default();
        sources.add("a,b:c/100%.toml".to_owned(), None, "x = 1\nyy = 2\n".into());
        sources.add("d.toml".to_owned(), None, "z = 3\n".into());
        let base = sources.files()[1].base;
        let wrong = Diagnostic::warning("value.range", "50%\r\n::error::no")
            .at(Some(6..12), "a: b, c")
            .at(Some(base..base + 1), "and here")
            .help("one\ntwo");
        assert_eq!(
            command(&wrong, &sources),
            "::warning file=a%2Cb%3Ac/100%25.toml,line=2,endLine=2,col=1,endColumn=6,\
             title=value.range::50%25%0D%0A::error::no%0Aa: b, c%0Ad.toml:1: and here%0A\
             help: one%0Atwo"
        );
        let nowhere = Diagnostic::error("file.too_many", "there are too many");
        assert_eq!(command(&nowhere, &sources), "::error title=file.too_many::there are too many");
    }

    #[test]
    fn a_table_of_many_lines_is_pointed_at_by_its_first() {
        let mut sources = Sources::default();
        sources.add("a.toml".to_owned(), None, "[[route]]\nto = \"busy\"\n".into());
        let wrong = Diagnostic::error("x.y", "no").at(Some(0..21), "");
        assert_eq!(
            command(&wrong, &sources),
            "::error file=a.toml,line=1,endLine=1,col=1,endColumn=9,title=x.y::no"
        );
    }
}
