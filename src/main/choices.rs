//! Words of the command line that are one of a few.

use clap::ValueEnum;

use voxtrunk::config::{report, schema};

/// What is done with a recording.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Taping {
    Pause,
    Resume,
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
