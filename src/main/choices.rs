//! Words of the command line that are one of a few.

use clap::ValueEnum;

use voxtrunk::base::destination::Mode;
use voxtrunk::config::{report, schema};
use voxtrunk::server::importing::platform;
use voxtrunk::server::keys;

/// What is done with a recording.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Taping {
    Pause,
    Resume,
}

/// How a caller is brought to somebody.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TransferMode {
    Blind,
    Attended,
    Warm,
}

impl From<TransferMode> for Mode {
    fn from(mode: TransferMode) -> Self {
        match mode {
            TransferMode::Blind => Self::Blind,
            TransferMode::Attended => Self::Attended,
            TransferMode::Warm => Self::Warm,
        }
    }
}

/// How what is wrong is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    #[value(alias = "human")]
    Text,
    Json,
    Github,
}

/// Whose schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SchemaFile {
    Server,
    Dialplan,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Scope {
    /// Look at everything.
    Read,
    /// And end calls, oversee them, test trunks.
    Operate,
    /// And let the server read its files again.
    Admin,
}

impl Scope {
    /// The same, as it is kept.
    pub fn scope(self) -> keys::Scope {
        match self {
            Self::Read => keys::Scope::Read,
            Self::Operate => keys::Scope::Operate,
            Self::Admin => keys::Scope::Admin,
        }
    }
}

impl SchemaFile {
    /// The kind of files.
    pub fn file(self) -> schema::File {
        match self {
            Self::Server => schema::File::Server,
            Self::Dialplan => schema::File::Dialplan,
        }
    }
}

impl Format {
    /// How diagnostics are written.
    pub fn report(self) -> report::Format {
        match self {
            Self::Text => report::Format::for_stdout(),
            Self::Json => report::Format::Json,
            Self::Github => report::Format::Github,
        }
    }
}

/// Where an import comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Assistants, squads and tools.
    Vapi,
    /// Agents with their prompts, states and conversation flows.
    Retell,
}

impl Platform {
    /// The same, for the import.
    pub fn platform(self) -> platform::Platform {
        match self {
            Self::Vapi => platform::Platform::Vapi,
            Self::Retell => platform::Platform::Retell,
        }
    }
}
