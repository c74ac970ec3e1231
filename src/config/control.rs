//! The control socket, as it stands under `[control]`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// `[control]`: how operators talk to the running server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// The Unix socket.
    #[serde(deserialize_with = "socket")]
    pub socket: Socket,
    /// How many octets of SIP messages are kept for `voxtrunk sip trace`; 0: none.
    pub trace: usize,
}

/// Where the socket is.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema)]
#[schemars(with = "String")]
pub enum Socket {
    /// `control.sock` in the data folder.
    #[default]
    InDataFolder,
    /// There.
    At(PathBuf),
    /// There is none.
    Off,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: Socket::InDataFolder, trace: 2_000_000 }
    }
}

impl Control {
    /// The socket's path, if there is one.
    pub fn path(&self, data: &Path) -> Option<PathBuf> {
        match &self.socket {
            Socket::InDataFolder => Some(data.join("control.sock")),
            Socket::At(path) => Some(path.clone()),
            Socket::Off => None,
        }
    }
}

impl From<String> for Socket {
    fn from(text: String) -> Self {
        match text.as_str() {
            "off" => Self::Off,
            _ => Self::At(text.into()),
        }
    }
}

fn socket<'de, D: Deserializer<'de>>(source: D) -> Result<Socket, D::Error> {
    String::deserialize(source).map(Socket::from)
}
