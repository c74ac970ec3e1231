//! Every scenario under `sipp-scenarios/inside` and `sipp-scenarios/called`: what happens inside of
//! calls, good and bad, played by SIPp against one server with short timers. The head of each file
//! says what it calls, and how its record ends.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use voxtrunk::audio::frame::Frame;

use super::caller::{call, recorded};
use super::datagrams::Wire;
use super::ear::share;
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, finish, within};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_caller_does_inside_of_a_call_ends_with_its_cause() {
    let scenarios = Scenario::all("inside");
    assert!(scenarios.len() >= 40, "{}", scenarios.len());
    let server = Server::start(house("session_timers = \"accept\"", &[])).await;
    let (mut playing, table) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for scenario in &scenarios {
        let (scenario, to) = (scenario.clone(), server.address.to_string());
        let table = table.clone();
        playing.spawn(async move {
            let _seat = table.acquire().await.expect("it stays open");
            scenario.plays_as_caller(&to).await
        });
    }
    judge(&server, &scenarios, playing.join_all().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_whom_we_call_does_ends_with_its_cause() {
    let scenarios = Scenario::all("called");
    assert!(scenarios.len() >= 10, "{}", scenarios.len());
    let ports: Vec<u16> = scenarios.iter().map(|_| free_port()).collect();
    let callees = scenarios.iter().zip(&ports);
    let routes = callees.map(|(scenario, port)| (scenario.name(), *port));
    let routes: Vec<(String, u16)> = routes.collect();
    let server =
        Server::start(house("session_timers = \"prefer\"\nsession_expires = \"4s\"", &routes))
            .await;
    let (mut playing, table) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for (scenario, (name, port)) in scenarios.iter().zip(routes) {
        let (scenario, target) = (scenario.clone(), server.uri(&name));
        let table = table.clone();
        playing.spawn(async move {
            let _seat = table.acquire().await.expect("it stays open");
            let callee = tokio::spawn(async move { scenario.plays_as_callee(port).await });
            within(PATIENCE, "SIPp at its port", || is_taken(port).then_some(())).await;
            call(&target, Vec::new(), Duration::from_secs(8)).await;
            callee.await.expect("no panic")
        });
    }
    judge(&server, &scenarios, playing.join_all().await).await;
}

/// A scenario and what its head says of it.
#[derive(Debug, Clone)]
struct Scenario {
    path: PathBuf,
    /// The extension that it calls.
    calls: String,
    /// The end reason of its record; `none`, when there shall be no record.
    record: Option<String>,
    /// What the record says besides.
    contains: Vec<String>,
}

impl Scenario {
    fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(SOURCE).join("sipp-scenarios").join(folder);
        let files = std::fs::read_dir(folder).expect("scenarios").flatten();
        let paths = files.map(|file| file.path());
        let scenarios = paths.filter(|path| path.extension() == Some("xml".as_ref()));
        scenarios.map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("it is there");
        let head = text.split("-->").next().unwrap_or_default();
        let notes = |key: &'static str| {
            head.lines().filter_map(move |line| line.trim().strip_prefix(key)).map(str::trim)
        };
        let calls = notes("calls:").next().unwrap_or("porter").to_owned();
        let record = notes("record:").next().map(str::to_owned);
        let contains = notes("contains:").map(str::to_owned).collect();
        Self { path, calls, record, contains }
    }

    fn name(&self) -> String {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str());
        stem.expect("a name").replace('_', "-")
    }

    async fn plays_as_caller(&self, to: &str) -> Option<String> {
        let mut sipp = self.sipp();
        sipp.args(["-s", &self.calls, "-cid_str", &format!("{}.%u-%p@%s", self.name())]);
        sipp.args(["-bind_local"]).arg(to);
        self.verdict(sipp).await
    }

    async fn plays_as_callee(&self, port: u16) -> Option<String> {
        let mut sipp = self.sipp();
        sipp.args(["-p", &port.to_string()]);
        self.verdict(sipp).await
    }

    fn sipp(&self) -> Command {
        let mut sipp = Command::new("sipp");
        sipp.arg("-sf").arg(&self.path).args(["-i", "127.0.0.1", "-mi", "127.0.0.1"]);
        sipp.args(["-mp", &media_port().to_string(), "-m", "1", "-timeout", "40s"]);
        sipp.args(["-timeout_error", "-nostdin", "-trace_err", "-trace_msg"]);
        sipp
    }

    async fn verdict(&self, mut sipp: Command) -> Option<String> {
        let folder = Folder::new();
        sipp.current_dir(folder.path("")).stdin(Stdio::null()).kill_on_drop(true);
        let (code, _) = finish(sipp).await;
        if code == Some(0) {
            return None;
        }
        let files = std::fs::read_dir(folder.path("")).expect("its folder").flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        let texts: Vec<String> = texts.collect();
        Some(format!("──── {} ends with {code:?}\n{}", self.name(), texts.join("\n")))
    }

    /// What is wrong with the records of its calls.
    fn objection(&self, records: &[Value]) -> Option<String> {
        let wanted = self.record.as_deref()?;
        let is_own = |record: &&Value| {
            let call = record["legs"][0]["sip"]["call_id"].as_str().unwrap_or_default();
            call.starts_with(&format!("{}.", self.name())) || record["to"]["number"] == self.name()
        };
        let own: Vec<&Value> = records.iter().filter(is_own).collect();
        let fits = own.iter().any(|record| {
            let text = format!("{record:#}");
            record["end_reason"] == wanted && self.contains.iter().all(|it| text.contains(it))
        });
        let none = wanted == "none" && own.is_empty();
        (!fits && !none).then(|| {
            let (name, more) = (self.name(), &self.contains);
            format!("──── {name}: no record says {wanted} {more:?}: {own:#?}")
        })
    }
}

/// Fails with what went wrong on the wire, what is missing in the records, and what leaks.
async fn judge(server: &Server, scenarios: &[Scenario], wire: Vec<Option<String>>) {
    let wire: Vec<String> = wire.into_iter().flatten().collect();
    assert!(wire.is_empty(), "{}\n{}", wire.join("\n"), server.log());
    // The last calls of peers that never answer are over after 64 times T1.
    let began = std::time::Instant::now();
    loop {
        let records = server.records(1).await;
        let missing = scenarios.iter().filter_map(|scenario| scenario.objection(&records));
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            break;
        }
        let log = || server.log();
        assert!(began.elapsed() < PATIENCE / 2, "{}\n{}", missing.join("\n"), log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let open = || super::datagrams::ports_of(server.pid()).len();
    within(PATIENCE, "every media port to be free again", || (open() == 1).then_some(())).await;
}

/// A house with short timers, and a callee of each name at its port.
fn house(timers: &str, callees: &[(String, u16)]) -> House {
    let port = free_port();
    let own = |extension: &str| format!("sip:{extension}@127.0.0.1:{port}");
    let mut routes: String = callees
        .iter()
        .map(|(name, port)| {
            format!(
                "[[route]]\ndid = {name:?}\nto = \"sip:{name}@127.0.0.1:{port}\"\nring = \"10s\"\n\
                 set = {{ source = \"phone\" }}\n[route.headers]\nX-Told = \"from {{{{ source }}}}\"\n\
                 X-Empty = \"{{{{ nothing }}}}\"\nSubject = \"tyres\"\n"
            )
        })
        .collect();
    // Ann hangs up by herself: nobody lets her refer anybody.
    for (did, to) in [("ann", own("refer")), ("occupied", own("busy"))] {
        routes += &format!("[[route]]\ndid = {did:?}\nto = {to:?}\n");
    }
    let settings = format!("[sip]\nt1 = \"100ms\"\nsession_min_se = \"2s\"\n{timers}\n");
    let dialplan = std::fs::read_to_string(Path::new(SOURCE).join("sipp-scenarios/dialplan.toml"));
    let house = House::with(&(routes + &dialplan.expect("it is there"))).and(&settings);
    House { bind: format!("127.0.0.1:{port}"), ..house }
}

/// Whether somebody listens there, from Linux's own table: to bind it, be it for a moment, could
/// keep SIPp from it.
fn is_taken(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux has it");
    let end = format!(":{port:04X}");
    table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&end)))
}

/// An even port that is free, and the next ones with it, where nobody is given ports by chance.
fn media_port() -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(10_000);
    loop {
        let port = LAST.fetch_add(6, Ordering::Relaxed);
        assert!(port < 21_000, "every port is taken");
        if (port..port + 6).all(|port| !is_taken(port)) {
            return port;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_belongs_to_its_peer_whatever_port_it_speaks_from() {
    let trunk = "[trunks.other]\ninbound = { allow = [\"127.0.0.9\"] }\n";
    let server = Server::start(House::porter().and(trunk)).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let body = wire.description();
    let answer = wire.call("porter", &body).await;
    // Somebody else who is trusted, and a stranger, know every tag: they are of no call.
    for (address, answered) in [("127.0.0.9:0", true), ("127.0.0.3:0", false)] {
        let forger = Wire::open(address, server.address).await;
        forger.send(forger.inside(&answer, "7 BYE").as_bytes()).await;
        let told = forger.receive(Duration::from_secs(1)).await;
        assert_eq!(told.is_some(), answered, "{address}: {told:?}");
        assert!(told.is_none_or(|told| told.starts_with("SIP/2.0 481")));
    }
    // The same address, another port, as after NAT has forgotten the first.
    let moved = Wire::open("127.0.0.1:0", server.address).await;
    moved.send(moved.inside(&answer, "2 OPTIONS").as_bytes()).await;
    let told = moved.receive(Duration::from_secs(5)).await.expect("an answer");
    assert!(told.starts_with("SIP/2.0 200"), "{told}");
    moved.send(moved.inside(&answer, "3 BYE").as_bytes()).await;
    let told = moved.receive(Duration::from_secs(5)).await.expect("an answer");
    assert!(told.starts_with("SIP/2.0 200"), "{told}");
    assert_eq!(server.record().await["end_reason"], "caller_hangup");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_held_by_the_other_side_of_a_bridge_hears_music() {
    let heard = held("").await;
    let loud = heard.samples.iter().filter(|sample| sample.unsigned_abs() > 500).count();
    let rate = heard.rate.0 as usize;
    assert!(loud > rate / 5, "SIPp sends no sound: what is heard is our music ({loud})");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_held_hears_the_tune_of_a_file_of_any_kind() {
    let folder = Folder::new();
    for (name, hertz) in [("a.mp3", 660), ("b.flac", 880), ("c.ogg", 520), ("d.wav", 740)] {
        let path = folder.path(name);
        let mut sox = Command::new("sox");
        sox.args(["-n", "-r", "44100", "-c", "2"]).arg(&path);
        sox.args(["synth", "3", "sine", &hertz.to_string(), "vol", "0.4"]);
        assert_eq!(finish(sox).await.0, Some(0), "{name}");
        let heard = held(&format!("[media]\nhold_music = {path:?}\n")).await;
        let tune: Vec<i16> =
            heard.samples.iter().copied().filter(|it| it.unsigned_abs() > 0).collect();
        let lasts = tune.len() as f64 / f64::from(heard.rate.0);
        let share = share(&heard.samples, f64::from(heard.rate.0), f64::from(hertz));
        assert!(lasts > 0.4, "{name}: {lasts} s");
        assert!(share > 0.8, "{name}: {share} of what is heard is its tune");
    }
}

/// What a caller hears whom the other side of a bridge holds for a while.
async fn held(settings: &str) -> Frame {
    let scenario = Path::new(SOURCE).join("sipp-scenarios/called/holds.xml");
    let scenario = Scenario::read(scenario);
    let port = free_port();
    let house = house("", &[(scenario.name(), port)]).and(settings);
    let server = Server::start(house).await;
    let callee = tokio::spawn(async move { scenario.plays_as_callee(port).await });
    within(PATIENCE, "SIPp at its port", || is_taken(port).then_some(())).await;
    let path = server.folder.path("held.wav");
    let outcome = recorded(&server.uri("holds"), Vec::new(), path).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    assert_eq!(callee.await.expect("no panic"), None);
    outcome.heard.expect("it was recorded")
}

/// How many scenarios are played at once: more would keep a small machine from answering in time.
const AT_ONCE: usize = 8;
