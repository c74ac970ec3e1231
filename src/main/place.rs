//! Which settings, and which running server.

use std::path::PathBuf;

use clap::Args;

use voxtrunk::base::secret::Secret;
use voxtrunk::server::console::command::{Form, Target};
use voxtrunk::server::console::remote::Remote;

/// Which running server, and in which form it answers.
#[derive(Debug, Args)]
pub struct Server {
    #[command(flatten)]
    config: Config,
    /// Its control socket, if the settings are not to be looked at.
    #[arg(long, value_name = "PATH", env = "VOXTRUNK_SOCKET")]
    socket: Option<PathBuf>,
    /// Where it is, if on another machine: `https://voice.example.com`. A key that may administer it
    /// stands in `VOXTRUNK_TOKEN`.
    #[arg(long, value_name = "URL", env = "VOXTRUNK_URL", conflicts_with = "socket")]
    url: Option<String>,
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
        // Never on the command line, where every user of the machine reads it.
        let token = || std::env::var("VOXTRUNK_TOKEN").ok().map(Secret::from);
        let remote = self.url.map(|url| Remote { url, token: token() });
        Target { config: self.config.config, socket: self.socket, remote, form }
    }
}
