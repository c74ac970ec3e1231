//! Every codec on the wire: our phone, baresip, a bridge between two codecs, and a change in
//! mid-sentence.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::coder::Decoder;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::packing::Wishes;
use voxtrunk::audio::{resample, wav};
use voxtrunk::engine::phone::{Moment, Offer};
use voxtrunk::media::event::Quality;
use voxtrunk::rtp::packet::{Header, Packet};
use voxtrunk::server::codecs;

use super::baresip;
use super::caller::{Outcome, Speaker, offering, say, spoken};
use super::datagrams::Wire;
use super::ear::{recognise, utterances};
use super::server::{Folder, House, PATIENCE, Server, said, terminate};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn our_phone_is_understood_in_every_codec_and_every_length_of_packets() {
    let server = Server::start(House::porter().speaking(EVERY_CODEC)).await;
    let folder = Folder::new();
    // One after the other: what is told of lost packets is told of the codec, not of the machine.
    let mut counts = Vec::new();
    for call in CALLS {
        counts.push(understood(call, server.uri("porter"), folder.path("")).await);
    }
    for (record, received) in server.records(CALLS.len()).await.into_iter().zip(counts) {
        assert!(says_goodbye(&record), "{record:#}");
        let rtp = &record["legs"][0]["rtp"];
        assert_eq!(rtp["lost"], 0, "{record:#}");
        // What is on its way when the call ends is nobody's any more.
        let sent = rtp["sent"].as_u64().expect("a count");
        assert!((received..=received + 5).contains(&sent), "{received} received: {record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bridge_joins_two_codecs() {
    let back = Server::start(House::porter().speaking("\"pcmu\"")).await;
    let route = format!("[[route]]\nto = {:?}\nrecord = true\n", back.uri("porter"));
    for (codec, name, millis) in [(Codec::Opus, "opus", 20), (Codec::G722, "G722", 30)] {
        let front = Server::start(House::with(&route).speaking(EVERY_CODEC)).await;
        let folder = Folder::new();
        let outcome = outcome_of((codec, millis), &front.uri("porter"), &folder).await;
        assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
        let record = front.record().await;
        assert_eq!(record["legs"][0]["codec"], name, "{record:#}");
        assert_eq!(record["legs"][1]["codec"], "PCMU", "{record:#}");
        hears_goodbye(&outcome, name).await;
    }
    for record in back.records(2).await {
        assert!(says_goodbye(&record), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_is_understood_and_hears_us_in_every_codec() {
    let server = Server::start(House::porter().speaking(EVERY_CODEC)).await;
    let words = spoken(Speaker::Flite("rms"), "goodbye").await;
    let mut says = Frame::silence(words.rate, Duration::from_secs(4));
    says.samples.extend(&words.samples);
    says.samples.extend(Frame::silence(words.rate, Duration::from_secs(40)).samples);
    for (calls, (codec, module, name)) in [
        ("G722/8000/1", "g722", "G722"),
        ("opus/48000/2", "opus", "opus"),
        ("L16/16000/1", "l16", "L16"),
        ("PCMA/8000/1", "g711", "PCMA"),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = Folder::new();
        folder.put("says.wav", wav::write(&says));
        folder.put("accounts", format!("<sip:baresip@127.0.0.1>;regint=0;audio_codecs={codec}\n"));
        let more = format!("module {module}.so\nopus_inbandfec yes\n");
        let mut phone = baresip::dial(&folder, &server.uri("porter"), &more);
        let record = server.records(calls + 1).await.remove(calls);
        assert_eq!(record["legs"][0]["codec"], name, "{record:#}");
        assert!(says_goodbye(&record), "{name}: {record:#}");
        // It closes its file when it ends.
        terminate(phone.id().expect("it runs"));
        phone.wait().await.expect("it is our child");
        let heard = baresip::heard(&folder).expect("it recorded");
        let mut texts = Vec::new();
        for clip in utterances(&heard) {
            texts.push(recognise(&clip, &SENTENCES).await);
        }
        assert!(texts.join(" / ").contains("thank you and goodbye"), "{name}: {texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codec_changes_in_the_middle_of_a_sentence() {
    let server = Server::start(House::with(TALKER).speaking(EVERY_CODEC)).await;
    let audio = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = audio.local_addr().expect("it is bound").port();
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let first = wire.description_at(port);
    let answer = wire.call("talker", &first).await;
    let mut packets = received(&audio, 75).await;
    let body = first.replace("o=- 1 1", "o=- 1 2").replace("AVP 0", "AVP 9");
    let again = wire.inside(&answer, "2 INVITE").replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    wire.send(again.as_bytes()).await;
    let agreed = loop {
        let told = wire.receive(PATIENCE).await.expect("an answer");
        if told.starts_with("SIP/2.0 200") {
            break told;
        }
    };
    assert!(agreed.contains("RTP/AVP 9\r\n"), "{agreed}");
    wire.send(wire.inside(&agreed, "2 ACK").as_bytes()).await;
    packets.extend(received(&audio, 200).await);

    let changed = packets.iter().position(|(header, _)| header.payload_type == 9);
    let changed = changed.expect("the codec changed");
    assert!(packets[..changed].iter().all(|(header, _)| header.payload_type == 0));
    assert!(packets[changed..].iter().all(|(header, _)| header.payload_type == 9));
    for pair in packets.windows(2) {
        let [(one, _), (two, _)] = pair else { continue };
        assert_eq!(two.sequence, one.sequence.wrapping_add(1));
        // A machine that slept leaves out slots, and says so.
        let ahead = two.timestamp.wrapping_sub(one.timestamp);
        let is_next = ahead == 160 || two.marker && ahead.is_multiple_of(160);
        assert!(is_next, "{one:?} {two:?}");
        assert_eq!(two.ssrc, one.ssrc);
    }
    let heard = decoded(&packets, changed);
    let texts = [SENTENCES[1], "one two three four five six seven eight nine", "hello"];
    let text = recognise(&heard, &texts).await;
    assert!(text.contains("one two three four five six seven eight nine"), "{text}");
    wire.send(wire.inside(&agreed, "3 BYE").as_bytes()).await;
}

/// One call of our phone; it says goodbye and is understood. How many packets it received.
async fn understood(
    (codec, name, millis): (Codec, &'static str, u64),
    target: String,
    folder: std::path::PathBuf,
) -> u64 {
    let path = folder.join(format!("{name}-{}-{millis}.wav", codec.clock_rate()));
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    let outcome = offering(offer(codec, millis), &target, lines, path).await;
    let what = format!("{name} in packets of {millis} ms");
    assert!(outcome.they_hung_up(), "{what}: {:?}", outcome.ending);
    let agreed =
        |moment: &Moment| matches!(moment, Moment::Answered { codec, .. } if *codec == name);
    assert_eq!(outcome.times(agreed).len(), 1, "{what}: {:?}", outcome.moments);
    hears_goodbye(&outcome, &what).await;
    let heard = outcome.heard.as_ref().expect("it was recorded");
    let quality = outcome.moments.iter().find_map(|(_, moment)| match moment {
        Moment::Received(quality) => Some(*quality),
        _ => None,
    });
    let Quality { received, lost, .. } = quality.expect("it is told");
    assert_eq!((heard.rate, lost), (codec.rate(), 0), "{what}");
    // A machine that sleeps leaves slots out, but never a half of them.
    let most = heard.duration().as_millis() as u64 / sent_millis(codec, millis) + 5;
    assert!((most / 2..=most * 6 / 5).contains(&received), "{what}: {received} for {most}");
    received
}

/// How long the server's packets are when a phone asks for so many milliseconds.
fn sent_millis(codec: Codec, millis: u64) -> u64 {
    codec.packet_of(Duration::from_millis(millis)).as_millis() as u64
}

async fn outcome_of((codec, millis): (Codec, u64), target: &str, folder: &Folder) -> Outcome {
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    offering(offer(codec, millis), target, lines, folder.path("heard.wav")).await
}

fn offer(codec: Codec, millis: u64) -> Offer {
    let wishes = Wishes { ptime: Duration::from_millis(millis), ..Wishes::default() };
    Offer { codecs: vec![codec], wishes, libraries: codecs::libraries(), ..Offer::default() }
}

/// Whether the caller was understood. The recogniser may hear a polite word more.
fn says_goodbye(record: &serde_json::Value) -> bool {
    said(record, "caller").join(" ").contains("goodbye")
}

async fn hears_goodbye(outcome: &Outcome, what: &str) {
    let mut texts = Vec::new();
    for clip in utterances(outcome.heard.as_ref().expect("it was recorded")) {
        texts.push(recognise(&clip, &SENTENCES).await);
    }
    let heard = texts.join(" / ");
    assert!(heard.contains("thank you and goodbye"), "{what}: {heard}");
}

/// So many packets of what comes.
async fn received(socket: &UdpSocket, count: usize) -> Vec<(Header, Vec<u8>)> {
    let (mut packets, mut buffer) = (Vec::new(), vec![0; 2_048]);
    while packets.len() < count {
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("audio in time");
        let length = length.expect("the loopback gives it");
        let packet = Packet::parse(&buffer[..length]).expect("a packet");
        packets.push((packet.header, packet.payload.to_vec()));
    }
    packets
}

/// What stands in packets of PCMU and, from `changed` on, of G.722.
fn decoded(packets: &[(Header, Vec<u8>)], changed: usize) -> Frame {
    let (mut narrow, mut wide) = (Vec::new(), Vec::new());
    let (mut pcmu, mut g722) = (Decoder::plain(Codec::Pcmu), Decoder::plain(Codec::G722));
    for (_, payload) in &packets[..changed] {
        pcmu.decode(payload, &mut narrow);
    }
    for (_, payload) in &packets[changed..] {
        g722.decode(payload, &mut wide);
    }
    let mut heard = resample::convert(&Frame::new(Rate::NARROW, narrow), Rate::WIDE);
    heard.samples.extend(wide);
    heard
}

/// The codec that is offered, the name that is agreed, and how long packets are to be.
const CALLS: [(Codec, &str, u64); 14] = [
    (Codec::Opus, "opus", 20),
    (Codec::G722, "G722", 20),
    (Codec::L16Wide, "L16", 20),
    (Codec::L16Narrow, "L16", 20),
    (Codec::Pcma, "PCMA", 20),
    (Codec::Pcmu, "PCMU", 10),
    (Codec::Pcmu, "PCMU", 30),
    (Codec::Pcmu, "PCMU", 60),
    (Codec::G722, "G722", 40),
    (Codec::G722, "G722", 60),
    (Codec::Opus, "opus", 10),
    (Codec::Opus, "opus", 30),
    (Codec::Opus, "opus", 60),
    (Codec::L16Wide, "L16", 60),
];

const EVERY_CODEC: &str = r#""opus", "g722", "l16", "l16/8000", "pcma", "pcmu""#;

const SENTENCES: [&str; 3] = ["thank you and goodbye", "hello", "are you still there"];

/// Somebody who counts.
const TALKER: &str = r#"
[[route]]
to = "agent:talker"

[agents.talker]
first_message = "One two three four five six seven eight nine."
prompt        = "You count."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "rms" }

[[agents.talker.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;
