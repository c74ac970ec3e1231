//! Which settings, and which running server.

use std::path::PathBuf;

use clap::Args;

use voxtrunk::server::console::command::{Form, Target};

/// Which running server, and in which form it answers.
#[derive(Debug, Args)]
pub struct Server {
    #[command(flatten)]
    config: Config,
    /// Its control socket, if the settings are not to be looked at.
    #[arg(long, value_name = "PATH", env = "VOXTRUNK_SOCKET")]
    socket: Option<PathBuf>,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Which settings.
#[derive(Debug, Args)]
pub struct Config {
    /// The settings of the machine.
    #[arg(long, value_name = "FILE", default_value = "conf/server.toml", env = "VOXTRUNK_CONFIG")]
    pub config: PathBuf,
}

impl Server {
    /// Which server, and in which form it answers.
    pub fn target(self) -> Target {
        let form = if self.json { Form::Json } else { Form::Text };
        Target { config: self.config.config, socket: self.socket, form }
    }
}
