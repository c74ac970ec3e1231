//! Kamailio as the registrar and proxy of a carrier: we register, are called and call through it,
//! and go over to a second one when the first dies.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use voxtrunk::call::placement::Caller;
use voxtrunk::sip::event::{Ending, Party};

use super::caller::{Speaker, call, say};
use super::line::Line;
use super::peers::free_port;
use super::server::{Folder, House, Server, terminate, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_registrar_reaches_an_agent() {
    let kamailio = Kamailio::start(Plan::default()).await;
    let settings = account(&[&kamailio], "60s");
    let mut server = Server::start(House::porter().and(&settings)).await;
    server_says(&server, "\"message\":\"registered\"").await;
    let target = format!("sip:4971112345@127.0.0.1:{}", kamailio.port);
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = call(&target, lines, Duration::from_secs(4)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, kamailio.log());
    let record = server.record().await;
    assert_eq!(record["trunk"], "carrier");
    assert_eq!(record["to"]["number"], "+4971112345");
    assert_eq!(record["legs"][0]["rtp"]["lost"], 0);
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("\"message\":\"unregistered\""), "{}", server.log());
    kamailio.says("for 0 seconds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_registrar_dies_the_second_one_takes_over_and_gives_back() {
    let first = Kamailio::start(Plan { longest: 5, ..Plan::default() }).await;
    let second = Kamailio::start(Plan { longest: 60, algorithm: "MD5", ..Plan::default() }).await;
    let server = Server::start(House::porter().and(&account(&[&first, &second], "60s"))).await;
    first.says("kept sip:voxtrunk@carrier.test").await;
    let port = first.port;
    first.die().await;
    second.says("kept sip:voxtrunk@carrier.test").await;
    let target = format!("sip:4971112345@127.0.0.1:{}", second.port);
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = call(&target, lines, Duration::from_secs(4)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, second.log());
    assert_eq!(server.record().await["trunk"], "carrier");
    let back = Kamailio::start(Plan { port, longest: 60, ..Plan::default() }).await;
    back.says("kept sip:voxtrunk@carrier.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_ours_is_let_out_with_our_credentials() {
    let callee = Server::start(House::porter()).await;
    let plan = Plan { callee: callee.address.port(), ..Plan::default() };
    let kamailio = Kamailio::start(plan).await;
    let line = Line::open(&(account(&[&kamailio], "60s") + "identity = \"ppi\"\n"));
    kamailio.says("kept sip:voxtrunk@carrier.test").await;
    let caller = Caller { number: "+4971112345".to_owned(), ..Caller::default() };
    let ending = line.place("tel:+4930123456", caller.clone()).await;
    assert!(matches!(ending, Ending::Bye { by: Party::Us, .. }), "{ending:?}\n{}", kamailio.log());
    kamailio.says("call to 4930123456 as <sip:4971112345@carrier.test>").await;
    assert_eq!(callee.record().await["to"]["number"], "4930123456");
    line.close().await;
    kamailio.says("for 0 seconds").await;
}

/// What a Kamailio is like.
pub struct Plan {
    port: u16,
    /// The longest time that it grants, in seconds.
    longest: u32,
    algorithm: &'static str,
    /// The port to which calls of ours go.
    callee: u16,
}

impl Default for Plan {
    fn default() -> Self {
        Self { port: free_port(), longest: 60, algorithm: "SHA-256", callee: 9 }
    }
}

/// A Kamailio at work, ended when it is dropped.
pub struct Kamailio {
    child: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
    _folder: Folder,
}

impl Kamailio {
    /// Starts one and waits until it answers.
    pub async fn start(plan: Plan) -> Self {
        let folder = Folder::new();
        let config = include_str!("kamailio/kamailio.cfg")
            .replace("MODULES", MODULES)
            .replace("PORT", &plan.port.to_string())
            .replace("LONGEST", &plan.longest.to_string())
            .replace("ALGORITHM", plan.algorithm)
            .replace("CALLEE", &plan.callee.to_string());
        let config = folder.put("kamailio.cfg", config);
        let mut command = Command::new("/usr/sbin/kamailio");
        command.args(["-DD", "-E", "-m", "32", "-M", "4", "-f"]).arg(config);
        command.arg("-Y").arg(folder.path("")).arg("-w").arg(folder.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kamailio is missing: run ./dev setup");
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let kept = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().expect("unpoisoned").push(line);
            }
        });
        let kamailio = Self { child, port: plan.port, log, _folder: folder };
        kamailio.answers().await;
        kamailio
    }

    /// Waits until it answers OPTIONS.
    async fn answers(&self) {
        let to = format!("127.0.0.1:{}", self.port).parse().expect("an address");
        let mut wire = super::datagrams::Wire::open("127.0.0.1:0", to).await;
        for _ in 0..100 {
            let request = wire.request("OPTIONS", "carrier", "");
            wire.send(request.as_bytes()).await;
            if wire.receive(Duration::from_millis(200)).await.is_some() {
                return;
            }
        }
        panic!("kamailio does not answer:\n{}", self.log());
    }

    async fn says(&self, words: &str) {
        within(Duration::from_secs(50), words, || self.log().contains(words).then_some(())).await;
    }

    fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").join("\n")
    }

    /// Ends it.
    pub async fn die(mut self) {
        terminate(self.child.id().expect("it runs"));
        self.child.wait().await.expect("it is our child");
    }
}

/// Its processes end with it only when it is asked to end.
impl Drop for Kamailio {
    fn drop(&mut self) {
        if let Some(pid) = self.child.id() {
            terminate(pid);
        }
    }
}

/// The trunk `carrier`, with these registrars.
pub fn account(registrars: &[&Kamailio], expires: &str) -> String {
    let hosts: Vec<String> =
        registrars.iter().map(|kamailio| format!("\"127.0.0.1:{}\"", kamailio.port)).collect();
    format!(
        "[trunks.carrier]\nregistrars = [{}]\ndomain = \"carrier.test\"\nusername = \"voxtrunk\"\n\
         password = \"secret\"\nexpires = \"{expires}\"\nnumber_format = \"e164\"\n\
         did_from = [\"request-uri\", \"to\"]\noptions_ping = \"2s\"\n",
        hosts.join(", ")
    )
}

async fn server_says(server: &Server, words: &str) {
    within(Duration::from_secs(20), words, || server.log().contains(words).then_some(())).await;
}

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";
