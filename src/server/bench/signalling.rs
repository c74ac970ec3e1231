//! What signalling costs, and how fast a call is answered.

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

use super::{Figure, median, millis, quantile, stage};
use crate::engine::clock;
use crate::engine::phone::{Moment, Script};
use crate::sip::check::{self, check};
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{Command, Event, Flow, Input, Outgoing, Output, SessionId, Standing};
use crate::sip::header::Name;
use crate::sip::message::Message;

/// Measures.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let mut figures = vec![parse(), read(), checked(), cycle()];
    figures.extend(answers().await?);
    Ok(figures)
}

fn parse() -> Figure {
    let invite = Bytes::from(INVITE);
    let cost = stage::cost(2_000, || {
        assert!(Message::parse_datagram(std::hint::black_box(&invite)).is_ok(), "it is a message");
    });
    Figure::new("sip.parse_invite", cost.as_nanos() as f64, "ns")
        .told(format!("{} octets, 14 headers", INVITE.len()))
}

/// An INVITE with every header checked, and the fields that name its transaction and dialog.
fn read() -> Figure {
    let invite = Bytes::from(INVITE);
    let cost = stage::cost(2_000, || {
        let message = Message::parse_datagram(std::hint::black_box(&invite));
        let message = message.expect("it is a message");
        let read = check::read(&message).expect("it is well formed");
        std::hint::black_box((
            read.uri.is_some_and(|uri| uri.host().is_some()),
            read.via.branch().is_some(),
            read.from.tag().is_some(),
            read.to.tag().is_none(),
            (read.call_id.len(), read.cseq.number),
            message.values(Name::Contact).count(),
        ));
    });
    let octets = INVITE.len();
    Figure::new("sip.read_invite", cost.as_nanos() as f64, "ns").at_most(500.0).told(format!(
        "{octets} octets: parsed and checked, with the fields of transaction and dialog"
    ))
}

/// Whether every header of an INVITE that has been parsed is what it should be.
fn checked() -> Figure {
    let message = Message::parse_datagram(&Bytes::from(INVITE)).expect("it is a message");
    let cost = stage::cost(2_000, || {
        assert_eq!(check(std::hint::black_box(&message)), Ok(()));
    });
    Figure::new("sip.check_invite", cost.as_nanos() as f64, "ns")
}

/// A whole call through two endpoints in memory.
fn cycle() -> Figure {
    let settings = Settings { max_half_open_per_source: 1_000_000, ..Settings::default() };
    let mut uac = Endpoint::new(settings.clone(), clock::random());
    let mut uas = Endpoint::new(settings, clock::random());
    let mut now = clock::now();
    let mut number = 0;
    let cost = stage::cost(50, || {
        number += 1;
        call(&mut uac, &mut uas, SessionId(number), now);
        // The timers of the call run out before the next one.
        now += Duration::from_secs(70);
        for endpoint in [&mut uac, &mut uas] {
            endpoint.tick(now);
            while endpoint.poll().is_some() {}
        }
    });
    let micros = cost.as_secs_f64() * 1e6;
    Figure::new("sip.call_cycle", micros, "µs CPU")
        .told("INVITE 100 180 200 ACK BYE 200, both ends, in memory")
}

fn call(uac: &mut Endpoint, uas: &mut Endpoint, session: SessionId, now: std::time::Instant) {
    let here = SocketAddr::from(([127, 0, 0, 1], 5_060));
    let there = SocketAddr::from(([127, 0, 0, 1], 5_070));
    let outgoing = Outgoing {
        session,
        target: "sip:demo@127.0.0.1:5070".to_owned(),
        from: "<sip:bench@127.0.0.1>".to_owned(),
        flow: Flow::udp(here, there),
        body: Bytes::from_static(b"v=0\r\n"),
        headers: Vec::new(),
    };
    uac.handle(now, Input::Command(Command::Invite(Box::new(outgoing))));
    loop {
        let moved = carry(uac, uas, there, here, now) | carry(uas, uac, here, there, now);
        if !moved {
            return;
        }
    }
}

/// Moves what `from` sends to `to`, and lets owners do the obvious.
fn carry(
    from: &mut Endpoint,
    to: &mut Endpoint,
    to_address: SocketAddr,
    from_address: SocketAddr,
    now: std::time::Instant,
) -> bool {
    let mut moved = false;
    while let Some(output) = from.poll() {
        moved = true;
        match output {
            Output::Transmit { bytes, .. } => {
                let flow = Flow::udp(to_address, from_address);
                to.handle(now, Input::Received { bytes, flow, standing: Standing::Trusted });
            }
            Output::Event(Event::Incoming(incoming)) => {
                let session = incoming.session;
                let body = Bytes::from_static(b"v=0\r\n");
                let ring = Command::Progress { session, status: 180, body: None };
                let answer = Command::Answer { session, body, headers: Vec::new() };
                from.handle(now, Input::Command(ring));
                from.handle(now, Input::Command(answer));
            }
            Output::Event(Event::Confirmed { session, .. }) => {
                let hang_up = Command::HangUp { session, reason: None };
                from.handle(now, Input::Command(hang_up));
            }
            Output::Event(_) | Output::Notice(_) => {}
        }
    }
    moved
}

/// INVITE to 200 at the wire, and the answer to the greeting's first sound.
async fn answers() -> Result<Vec<Figure>, String> {
    let server = stage::server(21_000..=21_199).await?;
    let media = stage::phone_media()?;
    let mut phone = stage::phone(server.local().ip(), &media)?;
    let target = format!("sip:demo@{}", server.local());
    let mut answered = Vec::new();
    for _ in 0..CALLS {
        let (sender, mut moments) = mpsc::channel(64);
        // Nothing is said: the phone hangs up when the greeting is over or, here, at once.
        let script = Script { hang_up_after: Some(Duration::ZERO), ..Script::default() };
        let call = phone.call(&target, script, sender);
        let watch = async {
            let mut at = None;
            while let Some((when, moment)) = moments.recv().await {
                if matches!(moment, Moment::Answered { .. }) {
                    at = Some(when);
                }
            }
            at
        };
        let (ending, at) = tokio::join!(call, watch);
        ending.map_err(|why| why.to_string())?;
        answered.extend(at.map(millis));
    }
    server.drain(Duration::from_secs(2)).await;
    let detail = format!("{} calls, one after the other", answered.len());
    Ok(vec![
        Figure::new("sip.invite_to_200", median(&answered), "ms").at_most(20.0).told(detail),
        Figure::new("sip.invite_to_200_p95", quantile(&answered, 0.95), "ms"),
    ])
}

const CALLS: usize = 50;

const INVITE: &str = "INVITE sip:+4971112345@203.0.113.9:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK8f3b6c2a91d7e4;rport\r\n\
Max-Forwards: 70\r\n\
Record-Route: <sip:192.0.2.10;lr;did=b2e.1c5>\r\n\
From: \"Anna M\u{fc}ller\" <sip:+491701234567@carrier.example;user=phone>;tag=as58f4201b\r\n\
To: <sip:+4971112345@203.0.113.9;user=phone>\r\n\
Contact: <sip:+491701234567@192.0.2.10:5060;transport=udp>\r\n\
Call-ID: 5f2e9a771b3c4d0e8a6b@192.0.2.10\r\n\
CSeq: 102 INVITE\r\n\
User-Agent: Carrier SBC 7.4\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, UPDATE\r\n\
Supported: replaces, timer, 100rel\r\n\
P-Asserted-Identity: <sip:+491701234567@carrier.example>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 224\r\n\r\n\
v=0\r\no=- 81724 81724 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
m=audio 18264 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
