//! From text to typed settings, with every mistake reported and not only the first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::config::diagnostic::Diagnostic;
use crate::config::explain;
use crate::config::file;
use crate::config::interpolate::Scope;
use crate::config::inventory;
use crate::config::source::{Places, Source, Sources, Span, is_secret_key};
use crate::config::tree::{self, Node, Step};

/// The reading of all files.
pub struct Reading<'a> {
    /// What references may name.
    pub scope: Scope<'a>,
    /// The files read so far.
    pub sources: Sources,
    /// Where everything stands.
    pub places: Places,
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Values that were written with a reference; what they hold is never shown.
    pub expanded: BTreeSet<(usize, usize)>,
    /// The folders of the dialplans: prompts lie inside.
    pub roots: Vec<PathBuf>,
    /// The sums of files that dialplans name, by their paths.
    pub beside: BTreeMap<PathBuf, String>,
    /// Whether a file could not be read or parsed, so that what it defines is missing.
    pub incomplete: bool,
}

impl<'a> Reading<'a> {
    /// Begins with no file.
    pub fn new(scope: Scope<'a>) -> Self {
        Self {
            scope,
            sources: Sources::default(),
            places: Places::default(),
            diagnostics: Vec::new(),
            expanded: BTreeSet::new(),
            roots: Vec::new(),
            beside: BTreeMap::new(),
            incomplete: false,
        }
    }

    /// Takes a file in.
    pub fn add(&mut self, name: String, folder: Option<PathBuf>, text: Arc<str>) -> Source {
        self.sources.add(name, folder, text).clone()
    }

    /// Reads a text that a dialplan names.
    ///
    /// # Errors
    /// When it cannot be read: why, in words.
    pub fn read_beside(&mut self, path: PathBuf, largest: u64) -> Result<String, String> {
        let text = file::read_text(&path, largest)?;
        self.beside.insert(path, inventory::sum(&text));
        Ok(text)
    }

    /// Parses a file and expands its references. `None` when it is not TOML.
    pub fn parse<'t>(&mut self, source: &'t Source) -> Option<Node<'t>> {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            self.report_syntax(source, &errors);
            self.incomplete = true;
            return None;
        }
        let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        let mut expand = |value: &mut DeValue<'t>, span: &Span| self.expand(source, value, span);
        Some(tree::moved(root, source.base, &mut expand))
    }

    /// Reads a table as a `T`. Each key that does not fit is reported and left out, so that the
    /// next mistake is seen too. The second value says whether everything did fit. `None` when
    /// nothing could be read.
    pub fn read<T: DeserializeOwned>(
        &mut self,
        path: &str,
        mut node: Node<'_>,
    ) -> (Option<T>, bool) {
        let mut removed = BTreeSet::new();
        for round in 0..MOST_MISTAKES {
            let why = match T::deserialize(ValueDeserializer::from(node.clone())) {
                Ok(read) => return (Some(read), round == 0),
                Err(why) => why,
            };
            let span = why.span().unwrap_or_else(|| node.span());
            let steps = tree::locate(&node, &span).unwrap_or_default();
            let at = join_paths(path, &tree::written(&steps));
            // A key that was left out because it is wrong is not missing.
            let missing = explain::missing_key(why.message());
            if missing.is_none_or(|key| !removed.contains(&tree::joined(&at, key))) {
                let mistake = explain::Mistake {
                    path: at.clone(),
                    message: why.message(),
                    written: self.sources.slice(&span).unwrap_or_default(),
                    hidden: self.is_hidden(&steps, &span),
                };
                self.diagnostics.push(mistake.explain(span));
            }
            removed.insert(at);
            if steps.is_empty() {
                return (None, false);
            }
            tree::remove(&mut node, &steps);
        }
        (None, false)
    }

    /// Whether the value at `span` was written with a reference.
    pub fn is_expanded(&self, span: &Span) -> bool {
        self.expanded.contains(&(span.start, span.end))
    }

    fn is_hidden(&self, steps: &[Step], span: &Span) -> bool {
        let secret = |step: &Step| match step {
            Step::Key(key) => is_secret_key(key) || key == "headers",
            Step::Index(_) => false,
        };
        self.is_expanded(span) || steps.iter().any(secret)
    }

    /// Reports every syntax error, one for each line: those that follow on the same line are
    /// mostly echoes of the first.
    fn report_syntax(&mut self, source: &Source, errors: &[toml::de::Error]) {
        let mut lines = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            if lines.insert(source.position(span.start).line) {
                let place = span.start + source.base..span.end + source.base;
                self.diagnostics.push(explain::syntax(error.message(), place));
            }
        }
    }

    fn expand(&mut self, source: &Source, value: &mut DeValue<'_>, span: &Span) {
        let DeValue::String(text) = value else { return };
        match self.scope.expand(text, source.directory.as_deref()) {
            Ok(None) => {}
            Ok(Some(expanded)) => {
                self.expanded.insert((span.start, span.end));
                *text = expanded.into();
            }
            Err(why) => {
                // A reference that leads nowhere is no plain text.
                self.expanded.insert((span.start, span.end));
                let diagnostic = Diagnostic::error("reference.unresolved", why.to_string())
                    .at(Some(span.clone()), "referred to here")
                    .help(why.help());
                self.diagnostics.push(diagnostic);
            }
        }
    }
}

/// Appends a path to a path: `agents.x` and `[0].y` or `z`.
fn join_paths(path: &str, below: &str) -> String {
    if below.is_empty() || below.starts_with('[') {
        format!("{path}{below}")
    } else {
        tree::joined(path, below)
    }
}

/// After so many mistakes in one table the rest is not looked at.
const MOST_MISTAKES: usize = 64;
