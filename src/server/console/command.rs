//! What all commands of operators share: which server, in which form, and how they end.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::socket::{self, Unfound};
use crate::server::console::client::{self, Client, ClientError};
use crate::server::console::paint::Paint;
use crate::server::console::remote::Remote;
use crate::server::control::protocol::{Ask, FaultCode};

/// Which server is asked, and in which form it is told.
#[derive(Debug, Clone)]
pub struct Target {
    /// The settings of the server.
    pub config: PathBuf,
    /// Its control socket, when the settings are not to be looked at.
    pub socket: Option<PathBuf>,
    /// Where it is, when it is on another machine.
    pub remote: Option<Remote>,
    /// Whether the answer is printed as JSON.
    pub form: Form,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Why a command does not work.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is not known where the server is.
    #[error(transparent)]
    Unfound(#[from] Unfound),
    /// The server gives no answer, or says no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file cannot be written.
    #[error("{} cannot be written: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        why: io::Error,
    },
}

impl Target {
    /// Connects to the server.
    ///
    /// # Errors
    /// When it is not known where it is, or it does not answer.
    pub fn connect(&self) -> Result<Client, Trouble> {
        if let Some(remote) = &self.remote {
            return Ok(Client::reach(remote)?);
        }
        let environment = |name: &str| std::env::var(name).ok();
        let path = match &self.socket {
            Some(path) => path.clone(),
            None => socket::socket_of(&self.config, &environment)?,
        };
        Ok(Client::connect(&path)?)
    }

    /// Asks for one thing and prints it; the exit status is what `show` makes of it.
    pub fn run<T: DeserializeOwned>(
        &self,
        ask: Ask,
        show: impl FnOnce(&T, Paint) -> (String, ExitCode),
    ) -> ExitCode {
        let answered = self.connect().and_then(|mut client| {
            let value = client.ask(ask)?;
            let shape: T = client::read(value.clone())?;
            Ok((value, shape))
        });
        match answered {
            Ok((value, shape)) => {
                let (text, code) = show(&shape, Paint::for_stdout());
                let printed = match self.form {
                    Form::Json => print(&line(&value)),
                    Form::Text => print(&text),
                };
                // Whoever reads us may have enough.
                printed.map_or(ExitCode::SUCCESS, |()| code)
            }
            Err(trouble) => fail(&trouble),
        }
    }
}

/// Says what does not work; gives the exit status for it: 2 when something else was to be written.
pub fn fail(trouble: &Trouble) -> ExitCode {
    eprintln!("voxtrunk: {trouble}");
    match trouble {
        Trouble::Client(ClientError::Refused(fault)) => match fault.code {
            FaultCode::NotFound | FaultCode::Ambiguous | FaultCode::Impossible => ExitCode::from(2),
            FaultCode::Malformed
            | FaultCode::TooLong
            | FaultCode::Version
            | FaultCode::Forbidden
            | FaultCode::Busy
            | FaultCode::Invalid => ExitCode::FAILURE,
        },
        Trouble::Unfound(_) => ExitCode::from(2),
        Trouble::Client(_) | Trouble::File { .. } => ExitCode::FAILURE,
    }
}

/// Prints a text whole.
///
/// # Errors
/// When nobody reads it any more.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One line of JSON.
pub fn line(value: &Value) -> String {
    format!("{value}\n")
}
