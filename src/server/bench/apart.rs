//! A server in a process of its own, for what must not be measured together with its callers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Apart {
    child: Child,
    /// Where it takes calls.
    pub address: SocketAddr,
    /// Reads what it logs.
    _reading: JoinSet<()>,
}

/// Where a server may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// Anywhere.
    All,
    /// On the first core alone.
    First,
}

impl Apart {
    /// Starts this program as a server with `conf/bench.toml` and waits until it takes calls.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(cores: Cores) -> Result<Self, String> {
        Self::launch(Path::new("conf/bench.toml"), ADDRESS.into(), cores).await
    }

    /// Starts this program as a server with settings of one's own, which have it listen there.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_at(
        config: &Path,
        address: SocketAddr,
        cores: Cores,
    ) -> Result<Self, String> {
        Self::launch(config, address, cores).await
    }

    async fn launch(config: &Path, address: SocketAddr, cores: Cores) -> Result<Self, String> {
        let wrong = |why: std::io::Error| why.to_string();
        let program = std::env::current_exe().map_err(wrong)?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(config).env("RUST_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let mut child = match cores {
            Cores::All => command.spawn(),
            Cores::First => on_the_first_core(|| command.spawn()).map_err(wrong)?,
        }
        .map_err(wrong)?;
        let mut lines = child.stderr.take().map(BufReader::new).ok_or("no pipe")?.lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("ready for calls") {
                    return true;
                }
            }
            false
        };
        if timeout(Duration::from_secs(30), ready).await != Ok(true) {
            return Err("the server for the figures does not start".to_owned());
        }
        // Whoever logs must not wait for a reader.
        let mut reading = JoinSet::new();
        reading.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, address, _reading: reading })
    }

    /// Its resident memory in MB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<f64, String> {
        let status = self.file("status")?;
        let kilobytes = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").parse::<f64>().ok()
        });
        Ok(kilobytes.ok_or("no VmRSS")? / 1_024.0)
    }

    /// The processor time that it has used.
    ///
    /// # Errors
    /// When it is gone.
    pub fn processor_time(&self) -> Result<Duration, String> {
        let stat = self.file("stat")?;
        // The name may hold blanks; behind it come the state and then numbers (proc(5)).
        let (_, numbers) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks = |at: usize| numbers.split_whitespace().nth(at)?.parse::<u64>().ok();
        let (user, system) = ticks(11).zip(ticks(12)).ok_or("no processor time")?;
        Ok(Duration::from_millis((user + system) * 1_000 / rustix::param::clock_ticks_per_second()))
    }

    /// What its open files are, as Linux names them: `socket:[4711]`.
    ///
    /// # Errors
    /// When it is gone.
    pub fn links(&self) -> Result<Vec<String>, String> {
        let folder = format!("/proc/{}/fd", self.child.id().unwrap_or_default());
        let files = std::fs::read_dir(folder).map_err(|why| why.to_string())?.flatten();
        let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        Ok(links.map(|link| link.to_string_lossy().into_owned()).collect())
    }

    /// What Linux tells in a file below `/proc/PID`.
    ///
    /// # Errors
    /// When it is gone.
    pub fn file(&self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.child.id().unwrap_or_default());
        std::fs::read_to_string(path).map_err(|why| why.to_string())
    }
}

/// What is started in `work` runs on the first core that this thread may use.
pub fn on_the_first_core<T>(work: impl FnOnce() -> T) -> std::io::Result<T> {
    let all = sched_getaffinity(None)?;
    let mut first = CpuSet::new();
    if let Some(core) = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)) {
        first.set(core);
    }
    sched_setaffinity(None, &first)?;
    let made = work();
    sched_setaffinity(None, &all)?;
    Ok(made)
}

/// Where `conf/bench.toml` listens.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 15_160);
