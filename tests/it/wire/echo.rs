//! A line that gives back what it is given: a hybrid or a loudspeaker at the caller's.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use voxtrunk::audio::frame::Frame;
use voxtrunk::audio::g711;
use voxtrunk::rtp::packet::{Header, Packet};

use super::caller::{Speaker, spoken};
use super::datagrams::Wire;
use super::server::{House, Server, said};

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_of_the_agent_is_no_caller() {
    let gated = Server::start(House::with(TALKER)).await;
    let open = Server::start(House::with(TALKER).and("[media.vad]\necho_gate = false\n")).await;
    let line = |delay, decibels| Hybrid { delay, decibels, speech: None };
    tokio::join!(
        call(&gated, line(2, 15.0)),
        call(&gated, line(9, 20.0)),
        call(&gated, line(20, 15.0)),
        call(&open, line(9, 15.0)),
    );
    for record in gated.records(3).await {
        assert_eq!(said(&record, "caller"), Vec::<String>::new(), "{record:#}");
        let stops = [&record["interruptions"], &record["false_interruptions"]];
        assert_eq!(stops, [0, 0], "{record:#}");
    }
    // Without the gate the same line stops the agent: there was something to keep out.
    let record = open.record().await;
    let stops = [&record["interruptions"], &record["false_interruptions"]];
    assert_ne!(stops, [0, 0], "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_heard_over_the_echo() {
    let server = Server::start(House::with(TALKER)).await;
    let question = spoken(Speaker::Flite("rms"), "what are your opening hours").await;
    call(&server, Hybrid { delay: 8, decibels: 18.0, speech: Some((150, question)) }).await;
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["what are your opening hours"], "{record:#}");
    assert_eq!(record["interruptions"], 1, "{record:#}");
}

/// The caller's end of a line.
struct Hybrid {
    /// How late it gives back what it is given, in packets of 20 ms.
    delay: usize,
    /// How much weaker.
    decibels: f32,
    /// What the caller says, and from which packet on.
    speech: Option<(usize, Frame)>,
}

/// Calls the talker for twelve seconds.
async fn call(server: &Server, line: Hybrid) {
    let media = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let port = media.local_addr().expect("a bound socket").port();
    let answer = wire.call("talker", &wire.description_at(port)).await;
    let audio = answer.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("audio");
    let there = audio.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
    line.give_back(&media, SocketAddr::new(server.address.ip(), there)).await;
    wire.hang_up(&answer).await;
}

impl Hybrid {
    /// Answers each packet with the echo of an earlier one: the server's pace is ours.
    async fn give_back(self, media: &UdpSocket, to: SocketAddr) {
        let loudness = 10_f32.powf(-self.decibels / 20.0);
        let mut line: VecDeque<Vec<i16>> = VecDeque::from(vec![vec![0; 160]; self.delay]);
        let mut buffer = [0; 2_048];
        for at in 0..PACKETS {
            // The first packet opens the way for theirs.
            let mut played = vec![0; 160];
            if at > 0 {
                let next = tokio::time::timeout(OVER, media.recv(&mut buffer)).await;
                let Ok(received) = next else { return };
                let length = received.expect("a packet");
                let packet = Packet::parse(&buffer[..length]).expect("RTP");
                played = packet.payload.iter().map(|it| g711::ulaw_to_linear(*it)).collect();
            }
            line.push_back(played);
            let echo = line.pop_front().expect("a packet");
            let said = self.said(at);
            let mixed = echo.iter().zip(said.iter().chain(std::iter::repeat(&0)));
            let payload: Vec<u8> = mixed
                .map(|(echo, said)| said.saturating_add((f32::from(*echo) * loudness) as i16))
                .map(g711::linear_to_ulaw)
                .collect();
            let number = u32::try_from(at).expect("a short call");
            let header = Header {
                marker: at == 0,
                payload_type: 0,
                sequence: number as u16,
                timestamp: number * 160,
                ssrc: 7,
            };
            media.send_to(&header.write(&payload), to).await.expect("the loopback takes it");
        }
    }

    fn said(&self, packet: usize) -> &[i16] {
        let Some((from, speech)) = &self.speech else { return &[] };
        let begin = packet.saturating_sub(*from) * 160;
        let end = (begin + 160).min(speech.samples.len());
        if packet < *from { &[] } else { speech.samples.get(begin..end).unwrap_or_default() }
    }
}

/// A line without a packet for so long is dead: the agent hung up.
const OVER: Duration = Duration::from_secs(2);

/// How long a call lasts, in packets of 20 ms: 12 s.
const PACKETS: usize = 600;

/// Somebody who speaks for a long time and may be interrupted at once.
const TALKER: &str = r#"
[[route]]
to = "agent:talker"

[agents.talker]
first_message = "Welcome to the town library. The reading room is open from nine in the morning until eight in the evening. Books that were ordered can be fetched at the counter on the ground floor, and children find their own room behind the stairs."
prompt        = "You tell about a library."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.talker.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to eight."
"#;
