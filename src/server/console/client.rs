//! The client of the control socket: one request, and what the server says to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::server::console::remote::Remote;
use crate::server::control::protocol::{Answer, Ask, Fault, Request, Said, VERSION};

/// A connection to a running server.
#[derive(Debug)]
pub struct Client {
    answers: BufReader<UnixStream>,
    requests: UnixStream,
    path: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no server.
    #[error(
        "no voxtrunk runs here: nobody answers at {}\n  start one with `voxtrunk serve`, or name its settings with --config or its socket with --socket",
        .0.display()
    )]
    Nobody(PathBuf),
    /// Another user runs it.
    #[error(
        "you may not talk to the voxtrunk at {}: only the user that it runs as may, and root",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// The connection broke.
    #[error("the server at {} does not answer: {why}", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What the kernel says.
        why: io::Error,
    },
    /// A server on another machine cannot be asked.
    #[error("the server at {url} cannot be asked: {why}")]
    Far {
        /// Its address.
        url: String,
        /// Why.
        why: String,
    },
    /// The server says no.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The server speaks otherwise than we do.
    #[error("the server's answer cannot be read ({0}): are both of one version?")]
    Unreadable(serde_json::Error),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When no server is there, or it is not ours.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let broken = |why| ClientError::Broken { path: path.to_owned(), why };
        let stream = UnixStream::connect(path).map_err(|why| match why.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::Nobody(path.to_owned())
            }
            io::ErrorKind::PermissionDenied => ClientError::Forbidden(path.to_owned()),
            _ => broken(why),
        })?;
        Self::over(stream, path)
    }

    /// Connects to a server on another machine.
    ///
    /// # Errors
    /// When it is not there, or does not let us in.
    pub fn reach(remote: &Remote) -> Result<Self, ClientError> {
        let url = remote.url.clone();
        let stream = remote.open().map_err(|why| ClientError::Far { url: url.clone(), why })?;
        Self::over(stream, Path::new(&url))
    }

    fn over(stream: UnixStream, path: &Path) -> Result<Self, ClientError> {
        let broken = |why| ClientError::Broken { path: path.to_owned(), why };
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
        let requests = stream.try_clone().map_err(broken)?;
        Ok(Self { answers: BufReader::new(stream), requests, path: path.to_owned() })
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// When there is no answer, or the server says no.
    pub fn ask(&mut self, ask: Ask) -> Result<Value, ClientError> {
        if let Ask::Reload(_) = ask {
            // It takes as long as it takes to make every provider ready.
            self.answers.get_ref().set_read_timeout(None).map_err(|why| self.broken(why))?;
        }
        self.send(ask)?;
        loop {
            match self.receive()? {
                Said::Result(value) => return Ok(value),
                Said::Error(fault) => return Err(fault.into()),
                Said::Item(_) | Said::End { .. } => {}
            }
        }
    }

    /// Asks for a stream and takes everything that comes, as long as it is wanted; tells how much
    /// was missed.
    ///
    /// # Errors
    /// When the connection breaks, or the server says no.
    pub fn stream(
        &mut self,
        ask: Ask,
        take: &mut dyn FnMut(Value) -> io::Result<()>,
    ) -> Result<u64, ClientError> {
        self.send(ask)?;
        // Nothing may happen for long.
        self.answers.get_ref().set_read_timeout(None).map_err(|why| self.broken(why))?;
        loop {
            match self.receive()? {
                Said::Item(value) => {
                    if take(value).is_err() {
                        // Whoever read our output is gone: `voxtrunk events | head`.
                        return Ok(0);
                    }
                }
                Said::End { missed } => return Ok(missed),
                Said::Error(fault) => return Err(fault.into()),
                Said::Result(_) => {}
            }
        }
    }

    fn send(&mut self, ask: Ask) -> Result<(), ClientError> {
        let request = Request { v: VERSION, id: 1, ask };
        let mut line = serde_json::to_vec(&request).map_err(ClientError::Unreadable)?;
        line.push(b'\n');
        match self.requests.write_all(&line) {
            // Turned away at the door: why stands in what can still be read.
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|why| self.broken(why)),
        }
    }

    fn receive(&mut self) -> Result<Said, ClientError> {
        let mut line = String::new();
        let read = (&mut self.answers).take(LONGEST_ANSWER).read_line(&mut line);
        match read {
            Ok(0) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {
                let answer: Answer =
                    serde_json::from_str(&line).map_err(ClientError::Unreadable)?;
                Ok(answer.said)
            }
            Err(why) => Err(self.broken(why)),
        }
    }

    fn broken(&self, why: io::Error) -> ClientError {
        ClientError::Broken { path: self.path.clone(), why }
    }
}

/// Reads what a server said into its shape.
///
/// # Errors
/// When it has another one.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, ClientError> {
    serde_json::from_value(value).map_err(ClientError::Unreadable)
}

/// How long a server may take: longer than the test of a trunk.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer, in octets.
const LONGEST_ANSWER: u64 = 64 * 1_024 * 1_024;
