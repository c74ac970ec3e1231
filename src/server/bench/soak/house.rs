//! A server with files of its own, in a process of its own, and what Linux tells about it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::server::bench::apart::{Apart, Cores};

/// A server with files of its own.
#[derive(Debug)]
pub struct House {
    /// The server.
    pub server: Apart,
    folder: PathBuf,
}

/// The files of a server, and where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What its folder is called.
    pub name: &'static str,
    /// The settings; `ADDRESS` and `MODELS` are filled in.
    pub settings: &'static str,
    /// The dialplan.
    pub dialplan: &'static str,
    /// The cores that it has.
    pub cores: Cores,
}

/// A server with a porter who understands a little.
pub const SOAK: Plan =
    Plan { name: "soak", settings: SETTINGS, dialplan: DIALPLAN, cores: Cores::All };

/// What the server holds at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Resident memory in MB.
    pub memory: f64,
    /// UDP sockets: one for signalling, two for each call with media.
    pub sockets: usize,
    /// Open files and sockets of any kind.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

impl House {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(plan: Plan) -> Result<Self, String> {
        let name = format!("voxtrunk-{}-{}", plan.name, std::process::id());
        let folder = std::env::temp_dir().join(name);
        let here = std::env::current_dir().map_err(|why| why.to_string())?;
        let write = |name: &str, text: &str| -> Result<PathBuf, String> {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(&folder);
            std::fs::create_dir_all(parent).map_err(|why| why.to_string())?;
            std::fs::write(&path, text).map_err(|why| why.to_string())?;
            Ok(path)
        };
        write("dialplans/bench.toml", plan.dialplan)?;
        let models = here.join("models");
        let address = free().map_err(|why| why.to_string())?;
        let settings = plan.settings.replace("MODELS", &format!("{models:?}"));
        let path = write("conf/server.toml", &settings.replace("ADDRESS", &address.to_string()))?;
        Ok(Self { server: Apart::start_at(&path, address, plan.cores).await?, folder })
    }

    /// A file of its own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where it takes calls.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Whom good callers call.
    ///
    /// # Errors
    /// When it is gone.
    pub fn target(&self) -> Result<String, String> {
        self.server.memory()?;
        Ok(format!("sip:porter@{}", self.server.address))
    }

    /// Looks what it holds.
    ///
    /// # Errors
    /// When it is gone.
    pub fn read(&self) -> Result<Reading, String> {
        let links = self.server.links()?;
        let table = self.server.file("net/udp")?;
        let inodes = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9));
        let own = inodes.filter(|inode| links.contains(&format!("socket:[{inode}]")));
        let status = self.server.file("status")?;
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
        Ok(Reading {
            memory: self.server.memory()?,
            sockets: own.count(),
            files: links.len(),
            threads: threads.and_then(|it| it.trim().parse().ok()).unwrap_or_default(),
        })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A port of the loopback that nobody has: it is taken and given back.
fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Good callers come from 127.0.0.1, those who know better from 127.0.0.3; others are strangers.
const SETTINGS: &str = r#"
[server]
name      = "voxtrunk-soak"
data_dir  = "../data"
dialplans = "../dialplans"
models    = MODELS

[[sip.listen]]
transport = "udp"
bind      = "ADDRESS"

[[sip.listen]]
transport = "tcp"
bind      = "ADDRESS"

[rtp]
ports   = "25000-25999"
timeout = "10s"

[trunks.good]
inbound = { allow = ["127.0.0.1"] }

[trunks.hostile]
inbound = { allow = ["127.0.0.3"] }
"#;

const DIALPLAN: &str = r#"
[[route]]
did = "nobody"
to  = "reject:603"

[[route]]
to  = "agent:porter"

[agents.porter]
first_message = "Hello?"
goodbye       = "Goodbye."
prompt        = "You are a porter."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.porter.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."
"#;
