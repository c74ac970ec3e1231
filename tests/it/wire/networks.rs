//! Calls over bad networks, judged by what is heard at their end; and strangers who send to the
//! media of others.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::time::{interval, timeout};
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::coder::{Decoder, Encoder};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;
use voxtrunk::rtp::packet::{Header, Packet};

use super::caller::{Speaker, call, recorded, say, spoken};
use super::control::Watch;
use super::datagrams::{Wire, header, ports_of_a_call};
use super::deskphone::Audio;
use super::impairment::{Network, Weather};
use super::oversight::Ann;
use super::server::{Folder, House, PATIENCE, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_sends_nothing_but_words_is_answered() {
    let server = Server::start(House::porter()).await;
    let mut question = spoken(Speaker::Flite("rms"), QUESTION).await;
    let is_loud = |it: &i16| it.unsigned_abs() > 500;
    let first = question.samples.iter().position(is_loud).expect("a voice");
    let last = question.samples.iter().rposition(is_loud).expect("a voice");
    question.samples = question.samples[first..=last].to_vec();
    // After the first words of the agent, and at once.
    for (count, waits) in [true, false].into_iter().enumerate() {
        let mut events = Watch::start(&server, &["events", "--json"]);
        let audio = Audio::open().await;
        audio.leaves_silence_out();
        let ann = Ann::calls_with(audio, &server, "porter").await;
        if waits {
            events.until("Hello?").await;
        }
        ann.audio.say(&question);
        events.until("We are open from nine to six.").await;
        ann.hangs_up().await;
        let record = server.records(count + 1).await.remove(count);
        assert_eq!(said(&record, "caller"), [QUESTION], "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_understands_what_a_bad_network_leaves() {
    let server = Server::start(House::porter()).await;
    let fair = Weather::fair();
    let weathers = [
        ("loss of 1 %", Weather::losing(0.01)),
        ("loss of 5 %", Weather::losing(0.05)),
        ("jitter of 200 ms", fair.jittering(200)),
        ("a fast clock, and twice", Weather { skew: -100.0, twice: 0.3, ..fair }),
    ];
    // One after the other: what is lost is to be lost by the network, not by the machine.
    for (name, weather) in weathers {
        let network = Network::open(server.address, weather, weather).await;
        let voice = Speaker::Flite("rms");
        let lines = vec![say(voice, QUESTION).await, say(voice, "goodbye").await];
        let outcome = call(&network.uri("porter"), lines, Duration::from_secs(6)).await;
        assert!(outcome.they_hung_up(), "{name}: {:?}", outcome.ending);
    }
    for record in server.records(weathers.len()).await {
        assert_eq!(said(&record, "caller"), [QUESTION, "goodbye"], "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_worse_the_network_the_lower_the_score_and_the_call_lives() {
    let server = Server::start(House::porter()).await;
    let weathers = [
        Weather::fair(),
        Weather { burst: 3.0, twice: 0.05, ..Weather::losing(0.1).jittering(60) },
        Weather { overtaking: true, ..Weather::losing(0.2).jittering(100) },
    ];
    let mut legs = Vec::new();
    for (number, weather) in weathers.into_iter().enumerate() {
        let network = Network::open(server.address, weather, weather).await;
        let line = say(Speaker::Flite("rms"), QUESTION).await;
        // Long enough for several reports of the phone: the network loses them as well.
        let stays = Duration::from_secs(if number == 0 { 2 } else { 12 });
        let outcome = call(&network.uri("porter"), vec![line], stays).await;
        assert!(outcome.we_hung_up(), "{:?}", outcome.ending);
        let mut records = server.records(number + 1).await;
        legs.push(records.remove(number)["legs"][0]["rtp"].clone());
    }
    let number = |leg: &Value, name: &str| leg[name].as_f64().unwrap_or(f64::NAN);
    let loss = |leg: &Value| {
        let lost = number(leg, "lost");
        lost / (lost + number(leg, "received"))
    };
    let scores: Vec<f64> = legs.iter().map(|leg| number(leg, "mos")).collect();
    assert!(scores.is_sorted_by(|one, two| one > two), "{legs:#?}");
    assert!(scores[0] > 4.0 && scores[2] < 3.0, "{scores:?}");
    assert!(loss(&legs[0]) < 0.01 && (0.1..0.3).contains(&loss(&legs[2])), "{legs:#?}");
    assert!(legs.iter().all(|leg| leg["far"]["lost"].is_i64()), "the phone reports: {legs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tone_comes_over_a_bad_network_and_through_another_codec() {
    let tests = tests_dialplan();
    let back = Server::start(House::with(&tests).speaking("\"g722\"")).await;
    let weather = Weather { twice: 0.05, overtaking: true, ..Weather::losing(0.1).jittering(60) };
    let network = Network::open(back.address, Weather::fair(), weather).await;
    let route = format!("[[route]]\nto = {:?}\n", network.uri("tone"));
    let front = Server::start(House::with(&route).speaking("\"pcmu\", \"g722\"")).await;
    let folder = Folder::new();
    let outcome = recorded(&front.uri("anybody"), Vec::new(), folder.path("tone.wav")).await;
    let heard = outcome.heard.expect("it was recorded");
    let share = tone_share(&heard, 1_004.0);
    println!("share of the tone: {share:.3}");
    assert!(share > 0.75, "{share}");
    let record = front.record().await;
    assert_eq!(record["legs"][0]["codec"], "PCMU", "{record:#}");
    assert_eq!(record["legs"][1]["codec"], "G722", "{record:#}");
    assert!(record["legs"][1]["rtp"]["lost"].as_u64() > Some(5), "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_stall_what_is_bridged_is_as_late_as_before() {
    let back = Server::start(House::with(&tests_dialplan()).speaking("\"pcmu\"")).await;
    let route = format!("[[route]]\nto = {:?}\n", back.uri("echo"));
    let front = Server::start(House::with(&route).speaking("\"g722\", \"pcmu\"")).await;
    let mut phone = Bare::call(&front, "anybody", 9).await;
    let echoes = phone.beep().await;
    let late = |from: usize, to: usize| {
        let mut late: Vec<i64> = echoes[from..to].iter().flatten().copied().collect();
        assert!(late.len() + 1 >= to - from, "beeps are heard again: {echoes:?}");
        late.sort_unstable();
        late[late.len() / 2]
    };
    // The stall is in the seventh second; three seconds later all is as it was.
    let (before, after) = (late(2, 6), late(10, 14));
    println!("an echo comes {before} ms later, and after the stall {after} ms: {echoes:?}");
    assert!(after - before <= 60, "{before} ms, {after} ms: {echoes:?}");
    phone.hang_up().await;
    let record = front.record().await;
    assert_eq!(record["legs"][0]["codec"], "G722", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_in_our_own_network_is_told_our_address_there() {
    // Somebody behind the same router as we are, called and calling.
    let mut neighbour = Wire::open("127.0.0.1:0", ([127, 0, 0, 1], 9).into()).await;
    let outside = "203.0.113.9";
    let ours = "local_networks = [\"127.0.0.0/8\"]\n";
    for (networks, seen) in [("", outside), (ours, "127.0.0.1")] {
        let uri = format!("sip:neighbour@{}", neighbour.local);
        let route = format!("[[route]]\next = \"away\"\nto = {uri:?}\n");
        let sip = format!("[sip]\nexternal_address = {outside:?}\n{networks}");
        let house = House::with(&[route, tests_dialplan()].concat()).and(&sip);
        let server = Server::start(House { bind: "0.0.0.0:0".to_owned(), ..house }).await;
        neighbour.to = ([127, 0, 0, 1], server.address.port()).into();
        let description = neighbour.description();
        let answer = neighbour.call("echo", &description).await;
        assert!(answer.contains(&format!("c=IN IP4 {seen}\r\n")), "{answer}");
        let contact = format!("<sip:voxtrunk@{seen}:{}>", server.address.port());
        assert_eq!(header(&answer, "Contact"), contact, "{answer}");
        neighbour.hang_up(&answer.replace(seen, "127.0.0.1")).await;

        let invite = neighbour.request("INVITE", "away", &description);
        neighbour.send(invite.as_bytes()).await;
        let placed = loop {
            let message = neighbour.receive(PATIENCE).await.expect("an INVITE");
            if message.starts_with("INVITE sip:neighbour@") {
                break message;
            }
        };
        assert!(placed.contains(&format!("c=IN IP4 {seen}\r\n")), "{placed}");
        assert_eq!(header(&placed, "Contact"), contact, "{placed}");
        let via = format!("SIP/2.0/UDP {seen}:{};", server.address.port());
        assert!(header(&placed, "Via").starts_with(&via), "{placed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_strangers_is_neither_heard_nor_felt() {
    let mut server = Server::start(House::porter()).await;
    let voice = Speaker::Flite("rms");
    let lines = vec![say(voice, QUESTION).await, say(voice, "goodbye").await];
    let target = server.uri("porter");
    let running = tokio::spawn(async move { call(&target, lines, Duration::from_secs(2)).await });
    let ports = ports_of_a_call(&server).await;
    let port = *ports.first().expect("two ports");
    let to = SocketAddr::new(server.address.ip(), port);
    // From the caller's own address and from another, as loud as it gets, with every source.
    let strangers = ["127.0.0.1:0", "127.0.0.9:0"].map(UdpSocket::bind);
    let [own, other] = strangers;
    let strangers = [own.await, other.await].map(|it| it.expect("an address of the loopback"));
    let mut pace = interval(Duration::from_millis(5));
    for packet in 0_u32..40_000 {
        // Ten thousand in a second, half of them of a source that stays.
        if packet % 50 == 0 {
            pace.tick().await;
        }
        let (sequence, timestamp) = ((packet / 4) as u16, packet * 40);
        let ssrc = if packet % 4 < 2 { 7 } else { packet };
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc };
        let stranger = &strangers[packet as usize % 2];
        // The call may be over before the flood is.
        stranger.send_to(&header.write(&[0x80; 160]), to).await.ok();
    }
    let outcome = running.await.expect("no panic");
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), [QUESTION, "goodbye"], "{record:#}");
    assert!(record["legs"][0]["rtp"]["discarded"].as_u64() > Some(1_000), "{record:#}");
    assert_eq!(record["interruptions"], 0, "{record:#}");
    assert!(server.lives());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_a_leg_that_is_truly_silent_is_given_up() {
    let house = House { rtp: "timeout = \"3s\"\n".to_owned(), ..House::porter() };
    let server = Server::start(house).await;
    let (silent, resting, impersonated) = tokio::join!(
        Bare::call(&server, "silent", 0),
        Bare::call(&server, "resting", 0),
        Bare::call(&server, "impersonated", 0),
    );
    let stranger = UdpSocket::bind("127.0.0.9:0").await.expect("an address of the loopback");
    let mut pace = interval(Duration::from_millis(500));
    for round in 0_u32..16 {
        pace.tick().await;
        let (sequence, timestamp) = (round as u16, round * 4_000);
        let header = Header { marker: false, payload_type: 13, sequence, timestamp, ssrc: 7 };
        // A sender that describes its silence lives; one for whom a stranger sends does not.
        resting.media.send_to(&header.write(&[60]), resting.to).await.expect("the loopback");
        let voice = Header { payload_type: 0, ..header }.write(&[0x80; 160]);
        stranger.send_to(&voice, impersonated.to).await.expect("the loopback");
    }
    resting.hang_up().await;
    for (extension, reason) in [
        ("silent", "media_timeout"),
        ("resting", "caller_hangup"),
        ("impersonated", "media_timeout"),
    ] {
        let record = &server.records_of(extension, 1).await[0];
        assert_eq!(record["end_reason"], reason, "{record:#}");
    }
    drop((silent, impersonated));
}

/// A caller without a phone.
struct Bare {
    wire: Wire,
    answer: String,
    media: UdpSocket,
    to: SocketAddr,
}

impl Bare {
    /// Calls an extension with one codec by its static payload type.
    async fn call(server: &Server, extension: &str, payload_type: u8) -> Self {
        let media = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let port = media.local_addr().expect("a bound socket").port();
        let offer =
            wire.description_at(port).replace("RTP/AVP 0", &format!("RTP/AVP {payload_type}"));
        let answer = wire.call(extension, &offer).await;
        let audio = answer.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("audio");
        let there = audio.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        let to = SocketAddr::new(server.address.ip(), there);
        Self { wire, answer, media, to }
    }

    async fn hang_up(&self) {
        self.wire.hang_up(&self.answer).await;
    }

    /// Beeps each second for fifteen seconds, with a stall of 400 ms in the seventh. Tells for each
    /// beep how much later it was heard again, in milliseconds: counted by the media clocks of both
    /// directions, not by when this machine found time.
    async fn beep(&mut self) -> Vec<Option<i64>> {
        let (mut encoder, mut decoder) = (Encoder::plain(Codec::G722), Decoder::plain(Codec::G722));
        let mut tone = Tone::sine(Rate::WIDE, 1_000.0);
        let mut pace = interval(Duration::from_millis(20));
        let (mut held, mut heard) = (Vec::new(), Vec::new());
        let (mut first, mut buffer) = (None, [0; 2_048]);
        for packet in 0_u32..750 {
            pace.tick().await;
            let samples = match packet % 50 {
                0..5 => tone.play(Duration::from_millis(20)),
                _ => vec![0; 320],
            };
            let mut payload = Vec::new();
            encoder.encode(&samples, &mut payload);
            let header = Header {
                marker: packet == 0,
                payload_type: 9,
                sequence: packet as u16,
                timestamp: packet * 160,
                ssrc: 7,
            };
            held.push(header.write(&payload));
            if !(330..350).contains(&packet) {
                for bytes in held.drain(..) {
                    self.media.send_to(&bytes, self.to).await.expect("the loopback takes it");
                }
            }
            while let Ok(Ok(length)) = timeout(Duration::ZERO, self.media.recv(&mut buffer)).await {
                let Ok(echo) = Packet::parse(&buffer[..length]) else { continue };
                let begun = *first.get_or_insert((echo.header.timestamp, packet));
                let at = i64::from(echo.header.timestamp.wrapping_sub(begun.0) as i32) / 8;
                let mut samples = Vec::new();
                decoder.decode(echo.payload, &mut samples);
                let loud = samples.iter().position(|it| it.unsigned_abs() > 4_000);
                heard.extend(loud.map(|loud| at + i64::from(begun.1) * 20 + loud as i64 / 16));
            }
        }
        let echo = |second: i64| {
            let beep = second * 1_000;
            heard.iter().map(|at| at - beep).find(|late| (0..900).contains(late))
        };
        (0..15).map(echo).collect()
    }
}

/// The part of a clip, from where it first sounds to its end, that is a tone: in pieces of 40 ms,
/// the mean of how much of the loudest one's power stands at the frequency.
fn tone_share(clip: &Frame, hertz: f64) -> f64 {
    let piece = clip.rate.samples_in(Duration::from_millis(40));
    let power = |samples: &[i16]| {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * at as f64 / f64::from(clip.rate.0);
            let sample = f64::from(*sample);
            (sine, cosine) = (sine + sample * angle.sin(), cosine + sample * angle.cos());
        }
        sine.hypot(cosine)
    };
    let powers: Vec<f64> = clip.samples.chunks_exact(piece).map(power).collect();
    let loudest = powers.iter().copied().fold(1.0, f64::max);
    let sounds = |it: &&f64| **it > loudest * 0.3;
    let first = powers.iter().position(|it| sounds(&it)).unwrap_or(0);
    let last = powers.iter().rposition(|it| sounds(&it)).unwrap_or(first);
    let heard = &powers[first..=last];
    heard.iter().map(|it| it / loudest).sum::<f64>() / heard.len() as f64
}

fn tests_dialplan() -> String {
    let path = std::path::Path::new(super::server::SOURCE).join("dialplans/tests.toml");
    std::fs::read_to_string(path).expect("it is there")
}

const QUESTION: &str = "what are your opening hours";
