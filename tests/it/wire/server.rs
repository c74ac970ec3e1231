//! A server at work: the real program as a child process with files of its own, on free ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The files of a server.
#[derive(Debug, Clone)]
pub struct House {
    /// More of `server.toml`.
    pub settings: String,
    /// The dialplan, or nothing for that of the demo.
    pub dialplan: Option<String>,
    /// Where SIP is spoken.
    pub bind: String,
    /// The media ports.
    pub ports: String,
    /// More of `[rtp]`.
    pub rtp: String,
    /// The address whose calls count as calls from a trunk.
    pub trunk: String,
    /// The folder of the models.
    pub models: PathBuf,
    /// Whether it reads its files again when they change.
    pub watch: bool,
}

/// A server at work. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where SIP is spoken.
    pub address: SocketAddr,
    /// Its files.
    pub folder: Folder,
    log: Log,
}

/// A folder for one test; it stays when the test fails.
#[derive(Debug)]
pub struct Folder(PathBuf);

type Log = Arc<Mutex<Vec<String>>>;

impl House {
    /// The house of the demo.
    pub fn demo() -> Self {
        Self {
            settings: String::new(),
            dialplan: None,
            bind: "127.0.0.1:0".to_owned(),
            ports: "22000-29999".to_owned(),
            rtp: String::new(),
            trunk: "127.0.0.1".to_owned(),
            models: Path::new(SOURCE).join("models"),
            watch: false,
        }
    }

    /// A house with a dialplan of its own.
    pub fn with(dialplan: &str) -> Self {
        Self { dialplan: Some(dialplan.to_owned()), ..Self::demo() }
    }

    /// A porter who understands a little; whoever calls `nobody` is refused with 603.
    pub fn porter() -> Self {
        Self::with(PORTER)
    }

    /// The demo, whose front desk answers with one short word: the caller need not wait.
    pub fn brief_demo() -> Self {
        let path = Path::new(SOURCE).join("dialplans/demo/front-desk.toml");
        let text = std::fs::read_to_string(path).expect("the demo is there");
        let greeting = "Hello, this is the AI assistant of Harbor Bicycles. How can I help you?";
        assert!(text.contains(greeting));
        let route = "\n[[route]]\nto = \"agent:front-desk\"\n";
        Self::with(&(text.replace(greeting, "Hello?") + route))
    }

    /// Adds to the settings.
    pub fn and(mut self, settings: &str) -> Self {
        self.settings.push_str(settings);
        self
    }

    /// Speaks these codecs, written as in the settings.
    pub fn speaking(mut self, codecs: &str) -> Self {
        self.rtp = format!("codecs = [{codecs}]\n");
        self
    }

    /// Writes the files and gives the path of the settings.
    pub fn write(&self, folder: &Folder) -> PathBuf {
        let dialplans = match &self.dialplan {
            Some(dialplan) => {
                folder.put("dialplans/test.toml", dialplan);
                folder.path("dialplans")
            }
            None => Path::new(SOURCE).join("dialplans/demo"),
        };
        let (models, watch) = (&self.models, self.watch);
        let text = format!(
            "[server]\nname = \"voxtrunk-test\"\ndata_dir = \"../data\"\n\
             dialplans = {dialplans:?}\nmodels = {models:?}\nwatch = {watch}\n\
             [[sip.listen]]\nbind = {:?}\n[rtp]\nports = {:?}\n{}\
             [trunks.local]\ninbound = {{ allow = [{:?}] }}\n{}",
            self.bind, self.ports, self.rtp, self.trunk, self.settings
        );
        folder.put("conf/server.toml", &text)
    }
}

impl Server {
    /// Starts a server and waits until it takes calls.
    pub async fn start(house: House) -> Self {
        Self::start_in(Folder::new(), house).await
    }

    /// The same, with variables in its environment.
    pub async fn start_with(house: House, variables: &[(&str, &str)]) -> Self {
        Self::begin(Folder::new(), house, variables).await
    }

    /// The same, in a folder in which there is something already.
    pub async fn start_in(folder: Folder, house: House) -> Self {
        Self::begin(folder, house, &[]).await
    }

    /// The same, with variables.
    pub async fn start_again(folder: Folder, house: House, variables: &[(&str, &str)]) -> Self {
        Self::begin(folder, house, variables).await
    }

    /// Starts a server whose data lie on a disk of their own, of this size: `16m`. Nobody else sees
    /// what is on it, but by [`Server::own`].
    pub async fn start_on(size: &str, folder: Folder, house: House) -> Self {
        std::fs::create_dir_all(folder.path("data")).expect("a place for the disk");
        let order = "mount -t tmpfs -o size=$1 tmpfs \"$2\" && exec \"$3\" serve --config \"$4\"";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", order, "sh", size]);
        command.arg(folder.path("data")).arg(env!("CARGO_BIN_EXE_voxtrunk"));
        command.current_dir(SOURCE).kill_on_drop(true).stdin(Stdio::null()).env_remove("RUST_LOG");
        let config = house.write(&folder);
        command.arg(config);
        Self::run(command, folder).await
    }

    /// A path as the server sees it.
    pub fn own(&self, name: &str) -> PathBuf {
        let path = self.folder.path(name);
        let inside = path.strip_prefix("/").expect("a whole path");
        Path::new("/proc").join(self.pid().to_string()).join("root").join(inside)
    }

    async fn begin(folder: Folder, house: House, variables: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.envs(variables.iter().copied()).arg("serve");
        command.arg("--config").arg(house.write(&folder));
        Self::run(command, folder).await
    }

    async fn run(mut command: Command, folder: Folder) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = Log::default();
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        tokio::spawn(keep(lines, log.clone()));
        let ready = || ready_at(&log.lock().expect("unpoisoned"));
        let address = within(LOADING, "ready for calls", ready).await;
        Self { child, address, folder, log }
    }

    /// Where it listens for `tcp`, `tls`, `ws` or `wss`.
    pub fn listens(&self, transport: &str) -> SocketAddr {
        let log = self.log.lock().expect("unpoisoned");
        let events = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut fields = events.map(|event| event["fields"].clone());
        let found = fields.find(|it| it["message"] == "listening" && it["transport"] == transport);
        let found = found.unwrap_or_else(|| panic!("no {transport}:\n{}", log.join("\n")));
        found["address"].as_str().and_then(|it| it.parse().ok()).expect("an address")
    }

    /// The URI of an extension.
    pub fn uri(&self, extension: &str) -> String {
        format!("sip:{extension}@{}", self.address)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").join("\n")
    }

    /// Waits for the records of so many calls, in the order in which they began.
    pub async fn records(&self, count: usize) -> Vec<Value> {
        let folder = self.folder.path("data/calls");
        within(PATIENCE, &format!("{count} records"), || {
            let records = read_records(&folder);
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// Waits for the records of so many calls of an extension.
    pub async fn records_of(&self, extension: &str, count: usize) -> Vec<Value> {
        let folder = self.folder.path("data/calls");
        within(PATIENCE, &format!("{count} records of {extension}"), || {
            let mut records = read_records(&folder);
            records.retain(|record| record["to"]["number"] == extension);
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// The only record.
    pub async fn record(&self) -> Value {
        let mut records = self.records(1).await;
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    /// The only record, once it has this key: something that is found out after the call.
    pub async fn record_with(&self, key: &str) -> Value {
        let folder = self.folder.path("data/calls");
        within(PATIENCE, &format!("a record with `{key}`"), || {
            read_records(&folder).into_iter().find(|record| !record[key].is_null())
        })
        .await
    }

    /// The memory in use, in octets.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("it lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says so");
        let kilos = line.split_whitespace().nth(1).and_then(|it| it.parse::<u64>().ok());
        kilos.expect("a number") * 1_024
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        terminate(self.pid());
    }

    /// Waits until it ended; gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends in time").expect("it is our child").code()
    }
}

impl Folder {
    /// Makes a folder.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("voxtrunk-wire-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    /// One that somebody left: its server was stopped.
    pub fn of(server: Server) -> Self {
        let Server { child, folder, .. } = server;
        drop(child);
        folder
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// The program under test, which dies with whoever started it.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxtrunk"));
    command.current_dir(SOURCE).kill_on_drop(true).stdin(Stdio::null());
    command.env_remove("RUST_LOG").env_remove("VOXTRUNK_CONFIG");
    command
}

/// Asks a process that we started to stop.
pub fn terminate(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::TERM).expect("it is our child");
}

/// Runs a command to its end; gives its exit code and what it wrote.
pub async fn finish(mut command: Command) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{command:?} does not end"));
    let output = output.unwrap_or_else(|why| panic!("{command:?}: {why}: run ./dev setup"));
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (output.status.code(), text.join("\n"))
}

/// Waits for something that `look` finds.
pub async fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The words of one side of a record's transcript, line by line. The breath that a recogniser
/// writes as `uh` is no word, and the `please` that its grammar lets a caller add is heard in a
/// breath, too.
pub fn said(record: &Value, role: &str) -> Vec<String> {
    let lines = record["transcript"].as_array().expect("a transcript");
    let own = lines.iter().filter(|line| line["role"] == role);
    let counts = |word: &&str| role != "caller" || !UNSAID.contains(word);
    own.map(|line| {
        let words = line["text"].as_str().expect("a text").split(' ');
        words.filter(counts).collect::<Vec<_>>().join(" ").replace("good bye", "goodbye")
    })
    .collect()
}

const UNSAID: [&str; 3] = ["uh", "um", "please"];

async fn keep(mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>, log: Log) {
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().expect("unpoisoned").push(line);
    }
}

fn ready_at(log: &[String]) -> Option<SocketAddr> {
    let events = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ready = events.map(|event| event["fields"].clone());
    let ready = ready.into_iter().find(|fields| fields["message"] == "ready for calls");
    match ready {
        Some(fields) => fields["sip"].as_str()?.parse().ok(),
        None => {
            let refused = log.iter().any(|line| line.starts_with("voxtrunk: "));
            assert!(!refused, "it does not start:\n{}", log.join("\n"));
            None
        }
    }
}

fn read_records(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths =
        files.map(|file| file.path()).filter(|path| path.extension() == Some("json".as_ref()));
    let mut records: Vec<Value> =
        paths.filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok()).collect();
    records.sort_by_key(|record| record["started_at"].as_str().map(str::to_owned));
    records
}

/// A small dialplan.
const PORTER: &str = r#"
[[route]]
did = "nobody"
to  = "reject:603"

[[route]]
to  = "agent:porter"

[agents.porter]
first_message = "Hello?"
goodbye       = "Thank you and goodbye."
prompt        = "You are a porter."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.porter.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."

[[agents.porter.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;

/// The root of the source.
pub const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// How long a test waits for something that surely comes: machines under test may be slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server may load voices, words and models.
const LOADING: Duration = Duration::from_secs(60);
