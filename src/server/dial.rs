//! `voxtrunk call`: a call from the command line, with a phone of our own.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tokio::sync::mpsc;

use crate::agent::masking::kind::Masks;
use crate::audio::frame::Rate;
use crate::base::id::CallId;
use crate::call::keying::Policy;
use crate::config::settings::Server;
use crate::config::srtp;
use crate::engine::gauges::Gauges;
use crate::engine::media_shard::MediaShard;
use crate::engine::phone::{self, Act, Desk, Line, Moment, Offer, Phone, Script, When};
use crate::engine::reach;
use crate::engine::recorder::Recorder;
use crate::media::event::Digit;
use crate::net::tls;
use crate::providers::sound_file;
use crate::providers::tts::flite::{self, Flite};
use crate::providers::vad::registry as vad;
use crate::server::{codecs, demo, serve};
use crate::sip::event::Ending;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whom to call.
    pub target: String,
    /// Who calls: the user of the From.
    pub from: String,
    /// Texts to say.
    pub say: Vec<String>,
    /// Files to play.
    pub wav: Vec<PathBuf>,
    /// Keys to press at the end.
    pub dtmf: Option<String>,
    /// The codecs that are offered, the dearest first; without any, G.711.
    pub codecs: Vec<String>,
    /// Milliseconds of audio in a packet.
    pub ptime: u64,
    /// Whether packets are hidden.
    pub srtp: Srtp,
    /// Whether keys may go by signalling that others can read.
    pub insecure_sdes: bool,
    /// Where the recording goes.
    pub record: PathBuf,
    /// An authority that is believed beside those of the system, as PEM.
    pub ca: Option<PathBuf>,
    /// The settings, for the folder of models.
    pub config: PathBuf,
}

/// Whether packets are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Srtp {
    /// No.
    Off,
    /// If the other side can.
    Optional,
    /// Yes.
    Required,
}

/// Calls, tells what happens, and fails when nobody answered.
pub fn run(order: Order) -> ExitCode {
    serve::log(
        &crate::config::observing::Log { level: "warn".to_owned(), ..Default::default() },
        Masks::all(),
    );
    serve::finish(serve::block_on(dial(order)))
}

async fn dial(order: Order) -> Result<(), String> {
    let reached = reach::resolve(&order.target).await.map_err(|why| why.to_string())?;
    if order.srtp != Srtp::Off && !order.insecure_sdes && !reached.transport.is_secure() {
        return Err("keys of SRTP are secret over TLS only: add ;transport=tls to the address, \
             or --insecure-sdes"
            .to_owned());
    }
    let remote = reached.remote;
    let script = script(&order).await?;
    let mut settings = Server::default();
    settings.settle(order.config.parent().unwrap_or(std::path::Path::new("")));
    let detector = vad::open(vad::Kind::Kernel, &settings.vad_model())
        .map_err(|why| format!("{why}\n  ./dev setup fetches the model"))?;
    let thread = |why: std::io::Error| why.to_string();
    let media = MediaShard::start(detector, Arc::new(Gauges::default())).map_err(thread)?;
    let recorder = Recorder::start().map_err(thread)?;
    let local = towards(remote).map_err(|why| format!("{remote} cannot be reached: {why}"))?;
    let peer = remote.ip().to_string().parse().map_err(|_| "no address".to_owned())?;
    let tls = tls::Files { identity: None, authorities: order.ca.clone() };
    let desk = Desk { local, peers: vec![peer], tls };
    let mut phone = Phone::standing(desk, media, recorder).map_err(|why| why.to_string())?;
    println!("calling {}", order.target);
    let (sender, moments) = mpsc::channel(64);
    let (ending, call) = tokio::join!(phone.call(&order.target, script, sender), tell(moments));
    drop(phone);
    if let Some(call) = call {
        transcript(&call, &settings).await;
    }
    match ending.map_err(|why| why.to_string())? {
        Ending::Bye { .. } => {
            println!(
                "recorded in {}: what was heard left, what was said right",
                order.record.display()
            );
            Ok(())
        }
        Ending::Refused { status, reason, .. } => {
            Err(format!("the call was refused: {status} {}", reason.unwrap_or_default()))
        }
        Ending::Cancelled { .. } => Err("nobody answered in time".to_owned()),
        Ending::Lost => Err(format!(
            "no answer from {remote}: nobody listens there, or it does not know us \
             (voxtrunk answers only addresses that a trunk allows)"
        )),
    }
}

async fn script(order: &Order) -> Result<Script, String> {
    let mut lines = Vec::new();
    let mut add = |act| lines.push(Line { when: When::Quiet, act });
    if !order.say.is_empty() {
        let voice = flite::Settings { voice: "rms".to_owned(), ..Default::default() };
        let voice = Flite::load(voice).map_err(|why| why.to_string())?;
        for text in &order.say {
            add(Act::Say(text.clone(), demo::voiced(&voice, text).await?));
        }
    }
    for path in &order.wav {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let read = sound_file::read(path, &[Rate::WIDE]).map_err(|why| wrong(why.to_string()))?;
        let name = path.display().to_string();
        read.into_iter().for_each(|clip| add(Act::Say(name.clone(), clip)));
    }
    if let Some(keys) = &order.dtmf {
        let digits: Option<Vec<Digit>> = keys.chars().map(Digit::new).collect();
        add(Act::Press(digits.ok_or_else(|| format!("`{keys}` are no keys: use 0-9 * #"))?));
    }
    let patience = Duration::from_secs(4);
    let (recording, offer) = (Some(order.record.clone()), offer(order)?);
    let caller = order.from.clone();
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-_.*#".contains(c);
    if caller.is_empty() || !caller.chars().all(fits) {
        return Err(format!("nobody calls from `{caller}`: use letters, digits and + - _ . * #"));
    }
    Ok(Script { caller, lines, recording, patience, hang_up_after: None, offer })
}

/// What the command line wants to be offered.
fn offer(order: &Order) -> Result<Offer, String> {
    let mut offer = Offer { libraries: codecs::libraries(), ..Offer::default() };
    let named = |name: &String| codecs::named(name).ok_or_else(|| format!("`{name}` is no codec"));
    if !order.codecs.is_empty() {
        offer.codecs = order.codecs.iter().map(named).collect::<Result<_, _>>()?;
    }
    if !(10..=60).contains(&order.ptime) || !order.ptime.is_multiple_of(10) {
        return Err(format!("packets of {} ms: 10, 20, 30, 40, 50 or 60", order.ptime));
    }
    offer.suites = srtp::usual();
    offer.srtp = match order.srtp {
        Srtp::Off => Policy::Off,
        Srtp::Optional => Policy::Optional,
        Srtp::Required => Policy::Required,
    };
    offer.wishes.ptime = Duration::from_millis(order.ptime);
    Ok(offer)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Prints what happens; gives the identity of the call when a voxtrunk answered.
async fn tell(mut moments: mpsc::Receiver<phone::Timed>) -> Option<String> {
    let mut answered = None;
    while let Some((at, moment)) = moments.recv().await {
        let what = match moment {
            Moment::Ringing => "rings".to_owned(),
            Moment::Answered { codec, srtp, call } => {
                answered = call;
                format!("answered, {codec}, {}", srtp.unwrap_or("in the clear"))
            }
            Moment::TheySpeak => "they speak …".to_owned(),
            Moment::TheyStop { .. } => "… and stop".to_owned(),
            Moment::Says(words) => format!("you:  {words}"),
            Moment::Presses(keys) => format!("you:  [keys {keys}]"),
            Moment::Hears(key) => format!("they press {key}"),
            Moment::Said => continue,
            Moment::Received(quality) => format!(
                "received {} packets, {} lost, jitter {:.1} ms, at most {:.1} ms",
                quality.received,
                quality.lost,
                millis(quality.jitter),
                millis(quality.max_jitter),
            ),
            Moment::Over(Ending::Bye { by, .. }) => format!("over, by {by:?}").to_lowercase(),
            Moment::Over(_) => "over".to_owned(),
        };
        println!("{:>7.2} s  {what}", at.as_secs_f64());
    }
    answered
}

/// Prints the conversation from the record of the call, when the server that answered writes it
/// on this machine.
async fn transcript(call: &str, settings: &Server) {
    if call.parse::<CallId>().is_err() {
        return;
    }
    let folders = [settings.calls_folder(), PathBuf::from("demo-calls/calls")];
    for _ in 0..20 {
        for folder in &folders {
            let Ok(text) = std::fs::read_to_string(folder.join(format!("{call}.json"))) else {
                continue;
            };
            let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            println!();
            for line in record["transcript"].as_array().into_iter().flatten() {
                let (role, said) = (line["role"].as_str(), line["text"].as_str());
                println!("  {:<7} {}", role.unwrap_or_default(), said.unwrap_or_default());
            }
            return println!();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The address from which this machine reaches another; nothing is sent.
fn towards(remote: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}
