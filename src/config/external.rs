//! Checks that need rooms which this one does not know: the caller of `load` brings them.

use std::net::IpAddr;
use std::ops::Range;

use crate::agent::assistant::Assistant;
use crate::config::diagnostic::Severity;
use crate::config::settings::Server;

/// Looks at settings with knowledge of the machine, the engines and the models.
pub trait External {
    /// Whether a socket can be bound to this address here; `None` when nobody tried.
    fn owns(&self, address: IpAddr) -> Option<bool> {
        let _ = address;
        None
    }

    /// Looks at the machine: missing models, missing libraries. Paths begin at the top of the
    /// settings: `media.vad.model`.
    fn machine(&self, server: &Server) -> Vec<Fault> {
        let _ = server;
        Vec::new()
    }

    /// Looks at an agent that is sound by itself: phrases that do not compile, words that the
    /// dictionary lacks, voices that are not there. Paths begin at the agent:
    /// `intents[2].phrases[0]`.
    fn agent(&self, agent: &Assistant, name: &str, server: &Server) -> Vec<Fault> {
        let _ = (agent, name, server);
        Vec::new()
    }

    /// Looks whether the greeting of a voicemail can be played.
    fn sound(&self, file: &str) -> Option<Fault> {
        let _ = file;
        None
    }
}

/// Nothing beyond the files is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilesOnly;

impl External for FilesOnly {}

/// What an external check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of thing: `model.missing`.
    pub code: &'static str,
    /// Whether the server can start all the same.
    pub severity: Severity,
    /// The key that it is about; when it was not written, the table around it is pointed to.
    pub path: String,
    /// The octets of the text at `path` that it is about; `None` for all of it.
    pub within: Option<Range<usize>>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// A remark at the place.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Fault {
    /// Something because of which the server must not start.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            path: path.into(),
            within: None,
            message: message.into(),
            label: "here".to_owned(),
            help: None,
        }
    }

    /// Something that somebody should look at.
    pub fn warning(
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }
}
