//! SRTP on the wire: baresip over TLS, our own phone, those who are refused, and those who would
//! like to disturb.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::coder::{Decoder, Encoder};
use voxtrunk::audio::frame::Frame;
use voxtrunk::audio::wav;
use voxtrunk::base::master_key::{Keys, Master, Suite};
use voxtrunk::base::random::Random;
use voxtrunk::engine::phone::{Moment, Offer};
use voxtrunk::media::armour::Armour;
use voxtrunk::rtp::packet::{Header, Packet};
use voxtrunk::sdp::crypto::{self, Crypto};
use voxtrunk::sdp::keying::Policy;
use voxtrunk::sdp::session;
use voxtrunk::sip::event::Ending;

use super::baresip;
use super::caller::{Outcome, Speaker, say, spoken, unrecorded};
use super::certificates::Authority;
use super::datagrams::{Wire, header};
use super::ear::{recognise, utterances};
use super::server::{Folder, House, PATIENCE, Server, finish, program, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn baresip_is_understood_and_hears_us_by_srtp() {
    let certificates = Folder::new();
    let authority = Authority::write(&certificates);
    let server = Server::start(House::porter().and(&authority.listening(&["tls"]))).await;
    let target = format!("sip:porter@{};transport=tls", server.listens("tls"));
    let words = spoken(Speaker::Flite("rms"), "goodbye").await;
    let mut says = Frame::silence(words.rate, Duration::from_secs(4));
    says.samples.extend(&words.samples);
    says.samples.extend(Frame::silence(words.rate, Duration::from_secs(40)).samples);
    // The first puts keys beside RTP/AVP, the second insists on RTP/SAVP.
    for (calls, means) in ["srtp", "srtp-mand"].into_iter().enumerate() {
        let folder = Folder::new();
        folder.put("says.wav", wav::write(&says));
        folder.put("accounts", format!("<sip:baresip@127.0.0.1>;regint=0;mediaenc={means}\n"));
        let more = format!("module srtp.so\nsip_cafile {}\n", authority.file.display());
        let phone = baresip::dial(&folder, &target, &more);
        let record = server.records(calls + 1).await.remove(calls);
        let said = said(&record, "caller").join(" ");
        assert!(said.starts_with("goodbye"), "{means}: {record:#}");
        let leg = &record["legs"][0];
        assert!(leg["srtp"].as_str().expect("a suite").contains("AES"), "{leg:#}");
        assert_eq!(leg["rtp"]["lost"], 0, "{leg:#}");
        // It says goodbye by RTCP in the clear.
        assert!(leg["rtp"]["refused"].as_u64().expect("a count") <= 2, "{leg:#}");
        let heard = within(PATIENCE, "what baresip heard", || baresip::heard(&folder)).await;
        drop(phone);
        let mut texts = Vec::new();
        for clip in utterances(&heard) {
            texts.push(recognise(&clip, &SENTENCES).await);
        }
        assert!(texts.join(" / ").contains("thank you and goodbye"), "{means}: {texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_calls_by_srtp() {
    let folder = Folder::new();
    let authority = Authority::write(&folder);
    let server = Server::start(House::porter().and(&authority.listening(&["tls"]))).await;
    let call = async |more: &[&str], target: &str| {
        let mut call = program();
        call.args(["call", "--say", "goodbye", "--ca"]).arg(&authority.file).args(more);
        call.arg("--record").arg(folder.path("call.wav")).arg(target);
        finish(call).await
    };
    let safe = format!("sip:porter@{};transport=tls", server.listens("tls"));
    let (code, told) = call(&["--srtp=required"], &safe).await;
    assert_eq!(code, Some(0), "{told}\n{}", server.log());
    assert!(told.contains("AEAD_AES_128_GCM"), "{told}");
    let record = server.record().await;
    assert_eq!(record["legs"][0]["srtp"], "AEAD_AES_128_GCM");
    let (code, told) = call(&["--srtp=required"], &server.uri("porter")).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("over TLS only"), "{told}");
    let text = format!("{record}{}", server.log());
    assert!(!text.contains("inline:"), "no key stands in a record or in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_policy_meets_each_phone_as_it_should() {
    for (ours, expected) in [
        ("off", [Some(false), Some(false), None]),
        ("optional", [Some(false), Some(true), Some(true)]),
        ("required", [None, Some(true), Some(true)]),
    ] {
        let rtp = format!("insecure_sdes = true\nsrtp = {ours:?}\n");
        let server = Server::start(House { rtp, ..House::porter() }).await;
        let (plain, may, must) = tokio::join!(
            goodbye(&server, Policy::Off, Suite::Aes128Sha80),
            goodbye(&server, Policy::Optional, Suite::Gcm128),
            goodbye(&server, Policy::Required, Suite::Gcm256),
        );
        for (outcome, expected) in [plain, may, must].iter().zip(expected) {
            let keys = outcome.moments.iter().find_map(|(_, moment)| match moment {
                Moment::Answered { srtp, .. } => Some(srtp.is_some()),
                _ => None,
            });
            assert_eq!(keys, expected, "{ours}: {:?}", outcome.ending);
            match expected {
                Some(_) => assert!(outcome.they_hung_up(), "{ours}: {:?}", outcome.ending),
                None => assert!(
                    matches!(outcome.ending, Ending::Refused { status: 488, .. }),
                    "{ours}: {:?}",
                    outcome.ending
                ),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bridge_joins_a_leg_with_keys_and_one_without() {
    let back = Server::start(House::porter()).await;
    let route = format!("[[route]]\nto = {:?}\n", back.uri("porter"));
    let house = House { rtp: INSECURE.to_owned(), ..House::with(&route) };
    let front = Server::start(house).await;
    let outcome = goodbye(&front, Policy::Required, Suite::Aes128Sha80).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = front.record().await;
    assert_eq!(record["legs"][0]["srtp"], "AES_CM_128_HMAC_SHA1_80", "{record:#}");
    assert_eq!(record["legs"][1]["srtp"], serde_json::Value::Null, "{record:#}");
    assert_eq!(said(&back.record().await, "caller"), ["goodbye"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn legs_that_we_place_are_hidden_and_never_less_than_the_trunk_wants() {
    let behind = |policy: &str| {
        let rtp = format!("insecure_sdes = true\nsrtp = {policy:?}\n");
        // Not where callers are: who calls from a trunk's host calls from the trunk.
        let bind = "127.0.0.9:0".to_owned();
        Server::start(House { rtp, bind, ..House::porter() })
    };
    let (strict, open) = (behind("required").await, behind("off").await);
    for (server, ours, answered) in
        [(&strict, "optional", true), (&strict, "required", true), (&open, "required", false)]
    {
        let host = server.address;
        let route = "[[route]]\nto = \"trunk:back/+4971112345\"\n";
        let more = format!(
            "[trunks.back]\nhost = \"{host}\"\nsrtp = {ours:?}\noptions_ping = \"off\"\n\
             [security.outbound]\nallow = [\"+4971*\"]\n"
        );
        let house = House { rtp: INSECURE.to_owned(), ..House::with(route).and(&more) };
        let front = Server::start(house).await;
        let outcome = goodbye(&front, Policy::Off, Suite::Aes128Sha80).await;
        assert_eq!(outcome.they_hung_up(), answered, "{ours}: {:?}", outcome.ending);
        let record = front.record().await;
        assert_eq!(record["legs"][0]["srtp"], serde_json::Value::Null);
        assert_eq!(record["legs"][1]["srtp"].is_string(), answered, "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replays_and_forgeries_disturb_neither_a_hold_nor_the_keys_after_it() {
    let server = Server::start(House { rtp: INSECURE.to_owned(), ..House::porter() }).await;
    let mut caller = Caller::open(&server).await;
    caller.call("porter").await;
    let greeting = caller.speak(&Frame::silence(Codec::Pcmu.rate(), Duration::from_secs(3))).await;
    assert!(recognise(&greeting, &SENTENCES).await.contains("hello"));
    // Held and taken back, each time with another key, as phones do it.
    caller.offer("sendonly").await;
    caller.offer("sendrecv").await;
    let mut words = spoken(Speaker::Flite("rms"), "goodbye").await;
    words.samples.extend(Frame::silence(words.rate, Duration::from_secs(5)).samples);
    let heard = caller.speak(&words).await;
    let text = recognise(&heard, &SENTENCES).await;
    assert!(text.contains("thank you and goodbye"), "{text}");
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["goodbye"], "{record:#}");
    let refused = record["legs"][0]["rtp"]["refused"].as_u64().expect("a count");
    assert!(refused > 3 * 150, "{refused}");
    assert_eq!(record["legs"][0]["rtp"]["lost"], 0, "{record:#}");
    assert_eq!(record["holds"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert!(!format!("{record}{}", server.log()).contains("inline:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_cannot_be_dropped_in_mid_call() {
    let server = Server::start(House { rtp: INSECURE.to_owned(), ..House::porter() }).await;
    let mut caller = Caller::open(&server).await;
    caller.call("porter").await;
    let plain = caller.wire.description_at(caller.port());
    let told = caller.reoffer(&plain).await;
    assert!(told.starts_with("SIP/2.0 488"), "{told}");
    assert!(header(&told, "Warning").contains("SRTP"), "{told}");
    let still = caller.speak(&Frame::silence(Codec::Pcmu.rate(), Duration::from_secs(1))).await;
    assert!(still.duration() > Duration::from_millis(500), "what was agreed stands");
}

/// A caller by bare sockets that hides its audio, and attacks itself all the while: it sends each
/// packet twice, changed, and in the clear.
struct Caller {
    wire: Wire,
    audio: UdpSocket,
    random: Random,
    answer: String,
    sequence: u32,
    to: SocketAddr,
    armour: Option<Armour>,
    own: Option<Master>,
    number: u16,
}

impl Caller {
    async fn open(server: &Server) -> Self {
        Self {
            wire: Wire::open("127.0.0.1:0", server.address).await,
            audio: UdpSocket::bind("127.0.0.1:0").await.expect("a port"),
            random: Random::repeatable(9),
            answer: String::new(),
            sequence: 1,
            to: server.address,
            armour: None,
            own: None,
            number: 65_400,
        }
    }

    fn port(&self) -> u16 {
        self.audio.local_addr().expect("it is bound").port()
    }

    /// An offer with a key that was never used before.
    fn description(&mut self, direction: &str) -> String {
        let master = Master::random(Suite::Aes128Sha80, &mut self.random);
        let line = crypto::write(&Crypto { tag: 7, master: master.clone() });
        self.own = Some(master);
        let plain = self.wire.description_at(self.port()).replace("RTP/AVP", "RTP/SAVP");
        format!("{plain}a=crypto:{line}|2^31\r\na={direction}\r\n")
    }

    async fn call(&mut self, extension: &str) {
        let body = self.description("sendrecv");
        self.answer = self.wire.call(extension, &body).await;
        let answer = self.answer.clone();
        self.agree(&answer);
    }

    /// Offers something else, with another key.
    async fn offer(&mut self, direction: &str) {
        let body = self.description(direction);
        let answer = self.reoffer(&body).await;
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        self.agree(&answer);
    }

    async fn reoffer(&mut self, body: &str) -> String {
        self.sequence += 1;
        let body = body.replace("o=- 1 1", &format!("o=- 1 {}", self.sequence));
        let request = self.wire.inside(&self.answer, &format!("{} INVITE", self.sequence));
        let branch = format!("z9hG4bKagain{}", self.sequence);
        let request = request.replace("z9hG4bKINVITE", &branch).replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        self.wire.send(request.as_bytes()).await;
        let told = loop {
            let told = self.wire.receive(PATIENCE).await.expect("an answer");
            if told.starts_with("SIP/2.0 ") && !told.starts_with("SIP/2.0 1") {
                break told;
            }
        };
        let ack = self.wire.inside(&told, &format!("{} ACK", self.sequence));
        self.wire.send(ack.as_bytes()).await;
        told
    }

    /// Takes the server's key. What came before is not listened to any more.
    fn agree(&mut self, answer: &str) {
        let mut buffer = vec![0; 2_048];
        while self.audio.try_recv_from(&mut buffer).is_ok() {}
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let description = session::parse(body.as_bytes()).expect("a description");
        let media = &description.medias[0];
        assert_eq!(media.proto, "RTP/SAVP");
        let line = crypto::lines(media).next().expect("a key");
        assert_eq!(line.tag, 7);
        let ours = self.own.clone().expect("it was offered");
        let keys = Keys { ours, theirs: line.master };
        let before = self.armour.take();
        let armour = match before {
            Some(mut armour) => {
                armour.rekey(keys);
                armour
            }
            None => Armour::new(keys),
        };
        self.armour = Some(armour);
        self.to.set_port(media.port);
    }

    /// Speaks, and gives what was heard meanwhile.
    async fn speak(&mut self, words: &Frame) -> Frame {
        let mut heard = Frame::silence(Codec::Pcmu.rate(), Duration::ZERO);
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        let mut buffer = vec![0; 2_048];
        let mut encoder = Encoder::plain(Codec::Pcmu);
        let mut decoder = Decoder::plain(Codec::Pcmu);
        let mut last = Vec::new();
        for samples in words.samples.chunks(160) {
            clock.tick().await;
            let mut payload = Vec::new();
            encoder.encode(samples, &mut payload);
            let packet = self.packet(&payload);
            let mut hidden = packet.clone();
            let armour = self.armour.as_mut().expect("a call");
            assert!(armour.hide(&mut hidden));
            let mut forged = hidden.clone();
            forged[30] ^= 0x10;
            for octets in [&forged, &hidden, &hidden, &packet, &last] {
                self.audio.send_to(octets, self.to).await.expect("the loopback takes it");
            }
            last = hidden;
            while let Ok((length, _)) = self.audio.try_recv_from(&mut buffer) {
                let opened = armour.open(&buffer[..length]);
                let opened = opened.expect("everything is hidden with the key that was agreed");
                let Ok(packet) = Packet::parse(opened) else { continue };
                decoder.decode(packet.payload, &mut heard.samples);
            }
        }
        heard
    }

    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let sequence = self.number;
        self.number = sequence.wrapping_add(1);
        let timestamp = u32::from(sequence.wrapping_sub(65_400)) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 0x77 };
        header.write(payload)
    }
}

/// Our phone says goodbye.
async fn goodbye(server: &Server, srtp: Policy, suite: Suite) -> Outcome {
    let offer = Offer { srtp, suites: vec![suite], ..Offer::default() };
    let lines = vec![say(Speaker::Flite("rms"), "goodbye").await];
    unrecorded(offer, &server.uri("porter"), lines).await
}

const INSECURE: &str = "insecure_sdes = true\n";

const SENTENCES: [&str; 2] = ["hello", "thank you and goodbye"];
