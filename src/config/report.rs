//! Shows what is wrong: for people with the lines of the file, for programs as JSON, and beside the
//! lines of a change at GitHub.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use serde_json::json;

use crate::config::diagnostic::{Diagnostic, Label, Severity};
use crate::config::external::External;
use crate::config::github;
use crate::config::load::{Loaded, Origin, Request, load};
use crate::config::source::{Source, Sources};

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal: with colours.
    Coloured,
    /// For people elsewhere: without.
    Plain,
    /// For programs: one JSON object a line.
    Json,
    /// For GitHub: one workflow command a line.
    Github,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is to be printed, with a newline at its end.
    pub text: String,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
}

impl Format {
    /// What suits the standard output: colours on a terminal, unless `NO_COLOR` is set.
    pub fn for_stdout() -> Self {
        Self::suiting(std::io::stdout().is_terminal())
    }

    /// What suits the standard error output.
    pub fn for_stderr() -> Self {
        Self::suiting(std::io::stderr().is_terminal())
    }

    /// Whether people read it, and not a program.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Coloured | Self::Plain)
    }

    fn suiting(terminal: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        if terminal && wanted { Self::Coloured } else { Self::Plain }
    }
}

impl Outcome {
    /// What is to be said of files that were loaded and checked.
    pub fn of(loaded: &Loaded, format: Format) -> Self {
        let count =
            |severity| loaded.diagnostics.iter().filter(|it| it.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let mut text = render(&loaded.diagnostics, &loaded.sources, format);
        if format != Format::Json {
            // A line that is no command is one of the log.
            text.push_str(&summary(loaded, errors, warnings));
        }
        Self { text, errors, warnings }
    }

    /// 0 when nothing is wrong, otherwise 1. Warnings are no reason to fail.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.errors > 0)
    }
}

/// Loads and checks files, as `voxtrunk check` does. Paths are settings of the machine, dialplan
/// files, and folders with either; without any, it is `conf/server.toml`.
pub fn check(paths: &[PathBuf], format: Format, external: &dyn External) -> Outcome {
    let environment = |name: &str| std::env::var(name).ok();
    Outcome::of(&load(&request(paths), &environment, external), format)
}

/// Finds out what each path is.
pub fn request(paths: &[PathBuf]) -> Request {
    let mut request = Request::default();
    for path in paths {
        let inside = path.join("server.toml");
        if path.is_dir() && inside.is_file() {
            request.server = Some(Origin::Path(inside));
        } else if path.is_dir() || is_dialplan(path) {
            request.dialplans.push(Origin::Path(path.clone()));
        } else {
            request.server = Some(Origin::Path(path.clone()));
        }
    }
    if paths.is_empty() {
        request.server = Some(Origin::Path("conf/server.toml".into()));
    }
    request
}

/// Whether a file looks like a dialplan: it has at least one key that only dialplans have.
fn is_dialplan(path: &Path) -> bool {
    let Ok(text) = crate::config::file::read_text(path, 1_024 * 1_024) else { return false };
    let (table, _) = toml::de::DeTable::parse_recoverable(&text);
    crate::config::tables::KEYS.iter().any(|key| table.get_ref().contains_key(*key))
}

/// Writes diagnostics.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, format: Format) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        match format {
            Format::Json => text.push_str(&as_json(diagnostic, sources)),
            Format::Github => text.push_str(&github::command(diagnostic, sources)),
            Format::Coloured => {
                text.push_str(&drawn(diagnostic, sources, GraphicalTheme::unicode()))
            }
            Format::Plain => {
                text.push_str(&drawn(diagnostic, sources, GraphicalTheme::unicode_nocolor()));
            }
        }
        text.push('\n');
    }
    text
}

/// Draws a diagnostic with the lines that it is about. Places in other files than the first follow
/// with their own lines.
fn drawn(diagnostic: &Diagnostic, sources: &Sources, theme: GraphicalTheme) -> String {
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
        .without_syntax_highlighting()
        .with_context_lines(1);
    let report = Drawn::new(diagnostic, sources);
    let mut text = String::new();
    match handler.render_report(&mut text, &report) {
        // The code stands right above its sentence.
        Ok(()) => text.replacen("\n\n", "\n", 1),
        Err(std::fmt::Error) => format!("{}: {}\n", diagnostic.code, diagnostic.message),
    }
}

/// A diagnostic in the terms of miette.
#[derive(Debug)]
struct Drawn {
    what: MietteDiagnostic,
    source: Option<NamedSource<String>>,
    elsewhere: Vec<Drawn>,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let mut what = MietteDiagnostic::new(diagnostic.message.clone());
        what.code = Some(diagnostic.code.to_owned());
        what.severity = Some(match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        });
        what.help.clone_from(&diagnostic.help);
        let first = diagnostic.labels.first().and_then(|label| sources.file(&label.span));
        let Some(first) = first else { return Self { what, source: None, elsewhere: Vec::new() } };
        let (here, there): (Vec<&Label>, Vec<&Label>) =
            diagnostic.labels.iter().partition(|label| is_in(label, first, sources));
        what.labels = Some(here.into_iter().map(|label| drawn_label(label, first)).collect());
        let elsewhere =
            there.into_iter().filter_map(|label| Self::remark(label, sources)).collect();
        Self { what, source: Some(NamedSource::new(&first.name, first.shown())), elsewhere }
    }

    /// A place in another file.
    fn remark(label: &Label, sources: &Sources) -> Option<Self> {
        let file = sources.file(&label.span)?;
        let mut what = MietteDiagnostic::new(label.text.clone());
        what.severity = Some(miette::Severity::Advice);
        what.labels =
            Some(vec![LabeledSpan::new_with_span(None, *drawn_label(label, file).inner())]);
        let source = Some(NamedSource::new(&file.name, file.shown()));
        Some(Self { what, source, elsewhere: Vec::new() })
    }
}

fn is_in(label: &Label, file: &Source, sources: &Sources) -> bool {
    sources.file(&label.span).is_some_and(|other| other.base == file.base)
}

/// A label on the first line of its place.
fn drawn_label(label: &Label, file: &Source) -> LabeledSpan {
    let line = file.first_line(&label.span);
    let text = (!label.text.is_empty()).then(|| label.text.clone());
    LabeledSpan::new(text, line.start, line.len())
}

impl std::fmt::Display for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.what.fmt(f)
    }
}

impl std::error::Error for Drawn {}

impl miette::Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.what.code()
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.what.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.what.help()
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.what.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.elsewhere.iter().map(|it| it as &dyn miette::Diagnostic);
        (!self.elsewhere.is_empty()).then(|| Box::new(related) as Box<dyn Iterator<Item = _>>)
    }
}

fn as_json(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let place = |label: &Label| {
        let file = sources.file(&label.span)?;
        let span = file.within(&label.span);
        let (start, end) = (file.position(span.start), file.position(span.end));
        Some(json!({
            "file": file.name,
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
            "text": label.text,
        }))
    };
    json!({
        "code": diagnostic.code,
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "labels": diagnostic.labels.iter().filter_map(place).collect::<Vec<_>>(),
        "help": diagnostic.help,
    })
    .to_string()
}

fn summary(loaded: &Loaded, errors: usize, warnings: usize) -> String {
    if errors + warnings > 0 {
        return format!("{} and {}\n", counted(errors, "error"), counted(warnings, "warning"));
    }
    format!(
        "{} with {} and {}: nothing is wrong\n",
        counted(loaded.sources.files().len(), "file"),
        counted(loaded.plan.routes.len(), "route"),
        counted(loaded.agents.len(), "agent"),
    )
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// How wide a report is, in columns.
const WIDTH: usize = 100;
