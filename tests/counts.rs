//! Counts instead of times: how often the hot paths ask for memory. A number that grows is a test
//! that fails, on any machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use voxtrunk::audio::beep;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::library::Libraries;
use voxtrunk::audio::packing::Packing;
use voxtrunk::audio::speech;
use voxtrunk::audio::tone::Tone;
use voxtrunk::base::id::PortId;
use voxtrunk::base::random::Random;
use voxtrunk::media::event::{Command as Order, LATEST, Output as Heard, Settings as Leg, Ways};
use voxtrunk::media::jitter::Buffer;
use voxtrunk::media::link::{Content, Links, Passage, Voice};
use voxtrunk::media::port::Port;
use voxtrunk::rtp::packet::{Header, Packet};
use voxtrunk::sip::check::{self, check};
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{Command, Event, Flow, Input, Output, Standing};
use voxtrunk::sip::header::Name;
use voxtrunk::sip::message::Message;

/// The allocator of the system, which counts what each thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// An allocator cannot be written without: it hands everything on as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.try_with(|asked| asked.set(asked.get() + 1)).ok();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.try_with(|asked| asked.set(asked.get() + 1)).ok();
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asks for memory.
fn asked(work: impl FnOnce()) -> u64 {
    let before = ASKED.get();
    work();
    ASKED.get() - before
}

#[test]
fn a_message_and_its_fields_are_read_without_an_allocation() {
    let invite = invite(1);
    assert!(invite.len() > 1_000, "{} octets", invite.len());
    let mut message = None;
    // Every value stays where it came.
    assert_eq!(asked(|| message = Message::parse_datagram(&invite).ok()), 0);
    let message = message.expect("it parses");
    let views = asked(|| {
        assert_eq!(check(&message), Ok(()));
        assert_eq!(message.top_via().expect("a Via").branch(), Some("z9hG4bK-1"));
        assert_eq!(message.from().expect("From").tag(), Some("as58f4201b"));
        assert!(message.to().is_ok_and(|to| to.tag().is_none()));
        assert!(message.call_id().is_ok() && message.cseq().is_ok());
        assert_eq!(message.contacts().count(), 1);
        assert_eq!(message.body().len(), message.body_octets().len());
    });
    assert_eq!(views, 0);
}

/// For `./dev bench parse`, which counts the instructions of [`read_fields`] under callgrind.
#[test]
#[ignore = "work for callgrind, which counts what it costs"]
fn an_invite_is_read_a_thousand_times() {
    let invite = invite(1);
    for _ in 0..1_000 {
        assert_eq!(std::hint::black_box(read_fields(std::hint::black_box(&invite))), 12);
    }
}

/// Reads a message as the endpoint does: parsed, every header checked, and the fields that routing
/// and transactions want out of what the check has read; gives how much it has seen.
#[inline(never)]
fn read_fields(invite: &Bytes) -> usize {
    let Ok(message) = Message::parse_datagram(invite) else { return 0 };
    let Ok(read) = check::read(&message) else { return 0 };
    let checks = [
        message.method().is_some(),
        read.uri.is_some_and(|uri| uri.host().is_some()),
        read.via.branch().is_some(),
        read.from.tag().is_some(),
        read.from.uri().user().is_some(),
        read.to.tag().is_none(),
        !read.call_id.is_empty(),
        read.cseq.number == 102,
        read.max_forwards == Some(70),
        read.contact.is_some_and(|contact| contact.uri().host().is_some()),
        message.values(Name::Contact).count() == 1,
        message.body().len() == message.body_octets().len(),
    ];
    checks.iter().filter(|seen| **seen).count()
}

#[test]
fn a_call_asks_for_so_much_memory_and_no_more() {
    let mut endpoint = Endpoint::new(Settings::default(), Random::repeatable(7));
    let mut now = Instant::now();
    let mut most = 0;
    for number in 0..20 {
        let mut spent = 0;
        let text = invite(number);
        spent += asked(|| receive(&mut endpoint, text, now));
        let mut tag = String::new();
        let session = drain(&mut endpoint, &mut tag).expect("a call");
        let body = Bytes::from_static(b"v=0\r\n");
        spent += asked(|| {
            let answer = Command::Answer { session, body, headers: Vec::new() };
            endpoint.handle(now, Input::Command(answer));
        });
        drain(&mut endpoint, &mut tag);
        for (method, sequence) in [("ACK", 102), ("BYE", 103)] {
            let text = inside(method, sequence, number, &tag);
            spent += asked(|| {
                receive(&mut endpoint, text, now);
                while endpoint.poll().is_some() {}
            });
        }
        assert_eq!(endpoint.sessions(), 0, "it is over");
        most = most.max(spent);
        now += Duration::from_secs(70);
        endpoint.tick(now);
        while endpoint.poll().is_some() {}
    }
    assert!(endpoint.is_idle());
    println!("a call from INVITE to BYE: {most} allocations");
    assert!(most <= CALL, "{most} allocations for a call");
}

#[test]
fn a_request_asks_for_no_more_memory_than_those_before_it() {
    let mut endpoint = Endpoint::new(Settings::default(), Random::repeatable(7));
    let mut now = Instant::now();
    let mut counts = Vec::new();
    for number in 0..2_000 {
        let options = invite(number).to_vec();
        let options = String::from_utf8(options).expect("text").replace("INVITE", "OPTIONS");
        counts.push(asked(|| {
            receive(&mut endpoint, options.into(), now);
            while endpoint.poll().is_some() {}
        }));
        now += Duration::from_millis(10);
    }
    assert!(endpoint.is_idle());
    assert!(counts[1_000..].iter().max() <= counts[10..1_000].iter().max());
}

#[test]
fn a_slot_of_media_asks_for_little_memory() {
    let peer: SocketAddr = "198.51.100.7:4000".parse().expect("an address");
    let mut now = Instant::now();
    let mut port = Port::new(leg(peer), now, &mut Random::repeatable(1));
    port.handle(now, Order::Start);
    let mut counts = Vec::new();
    for slot in 0..500_u16 {
        let header = Header {
            marker: slot == 0,
            payload_type: 0,
            sequence: slot,
            timestamp: u32::from(slot) * 160,
            ssrc: 7,
        };
        let packet = header.write(&[0x55; 160]);
        assert!(Packet::parse(&packet).is_ok());
        now += Duration::from_millis(20);
        counts.push(asked(|| {
            port.handle_rtp(now, peer, &packet);
            port.tick(now);
            while let Some(output) = port.poll() {
                if matches!(output, Heard::Window(_)) {
                    port.hear(now, 0.1);
                }
            }
        }));
    }
    let settled = &counts[100..];
    let (sum, most) = (settled.iter().sum::<u64>(), settled.iter().copied().max());
    let mean = sum as f64 / settled.len() as f64;
    println!("20 ms of a call: {mean:.2} allocations, {most:?} at most");
    assert!(mean <= SLOT && most <= REPORT);
}

#[test]
fn a_jitter_buffer_asks_for_no_memory_whatever_the_network_does() {
    let mut buffer = Buffer::new(Rate::NARROW, Libraries::default(), Default::default());
    let (start, mut random) = (Instant::now(), Random::repeatable(3));
    let payload = Bytes::from_static(&[0x90; 160]);
    let mut on_the_way: Vec<(u64, u64)> = (0..3_000)
        .filter(|packet| packet % 17 != 0)
        .map(|packet| {
            // A storm, and a calm after it.
            let late = random.below(if packet < 2_000 { 120 } else { 2 });
            (packet * 20 + u64::from(late), packet)
        })
        .collect();
    on_the_way.sort_unstable();
    let (mut coming, mut frame, mut counts) = (on_the_way.iter().peekable(), [0; 160], Vec::new());
    for slot in 0..3_000_u64 {
        let now = start + Duration::from_millis(slot * 20);
        counts.push(asked(|| {
            while let Some((_, packet)) = coming.next_if(|(at, _)| *at <= slot * 20) {
                buffer.put(
                    now,
                    &Passage {
                        voice: Voice::Peer,
                        stream: 1,
                        index: *packet,
                        timestamp: *packet as u32 * 160,
                        clock: 8_000,
                        marker: false,
                        content: Content::Voice(Codec::Pcmu),
                        payload: payload.clone(),
                    },
                );
            }
            buffer.add_to(now, &mut frame);
        }));
    }
    let tally = buffer.tally();
    assert!(tally.made_up > 0 && tally.left_out > 0 && tally.repeated > 0, "{tally:?}");
    assert_eq!(counts[100..].iter().sum::<u64>(), 0);
}

#[test]
fn listening_for_beeps_asks_for_no_memory() {
    let mut detector = beep::Detector::new();
    let mut tone = Tone::dual(Rate::WIDE, [1_000.0, 1_400.0]).at(0.25);
    let mut chance = Random::repeatable(7);
    let noise = (0..16_000).map(|_| (8_000.0 * (chance.unit() - 0.5)) as i16).collect();
    let second = [noise, tone.play(Duration::from_millis(300)), vec![0; 16_000]].concat();
    let mut heard = 0;
    let spent = asked(|| {
        for samples in second.chunks(320) {
            heard += u32::from(detector.push(samples).is_some());
        }
    });
    assert_eq!((heard, spent), (1, 0));
}

#[test]
fn who_oversees_an_agent_costs_its_port_no_memory() {
    let alone = asked_in_a_minute(Links::default());
    let overseers = vec![PortId(8), PortId(9)];
    let overseen = asked_in_a_minute(Links { overseers, ..Links::default() });
    println!("a minute of silence: {alone} allocations, and {overseen} when it is overseen");
    assert_eq!(overseen, alone);
}

/// How often a port asks for memory in a minute in which it sends, once it has settled.
fn asked_in_a_minute(links: Links) -> u64 {
    let peer: SocketAddr = "198.51.100.7:4000".parse().expect("an address");
    let start = Instant::now();
    let mut port = Port::new(leg(peer), start, &mut Random::repeatable(1));
    port.handle(start, Order::Start);
    let (is_overseen, mut passed) = (!links.overseers.is_empty(), 0);
    port.handle(start, Order::Connect(links));
    // A frame waits in the jitter buffers of the overseers for a tenth of a second.
    let (mut waiting, mut sum) = (VecDeque::with_capacity(16), 0);
    for slot in 1..3_500_u64 {
        let now = start + Duration::from_millis(slot * 20);
        let spent = asked(|| {
            port.tick(now);
            while let Some(output) = port.poll() {
                if let Heard::Pass { passage, .. } = output {
                    passed += 1;
                    waiting.push_back(passage);
                    if waiting.len() > 10 {
                        waiting.pop_front();
                    }
                }
            }
        });
        // Both rooms for frames are there after some seconds.
        sum += if slot > 500 { spent } else { 0 };
    }
    assert_eq!(passed, if is_overseen { 2 * 3_499 } else { 0 });
    sum
}

/// INVITE, 100, 200, ACK, BYE, 200 in an endpoint: keys, tags, dialog and the texts of answers.
const CALL: u64 = 200;
/// A packet in, a packet out, what the listener hears, and now and then a window for the detector.
const SLOT: f64 = 2.7;
/// A slot with a report of RTCP.
const REPORT: Option<u64> = Some(13);

fn receive(endpoint: &mut Endpoint, bytes: Bytes, now: Instant) {
    let flow = Flow::udp(([203, 0, 113, 9], 5_060).into(), ([192, 0, 2, 10], 5_060).into());
    endpoint.handle(now, Input::Received { bytes, flow, standing: Standing::Trusted });
}

/// Takes every output; keeps our tag and gives the session of a new call.
fn drain(endpoint: &mut Endpoint, tag: &mut String) -> Option<voxtrunk::sip::event::SessionId> {
    let mut session = None;
    while let Some(output) = endpoint.poll() {
        match output {
            Output::Event(Event::Incoming(incoming)) => session = Some(incoming.session),
            Output::Transmit { bytes, .. } => {
                let Ok(message) = Message::parse_datagram(&bytes) else { continue };
                let to = message.to().ok().and_then(|to| to.tag().map(str::to_owned));
                tag.clone_from(&to.unwrap_or_default());
            }
            Output::Event(_) | Output::Notice(_) => {}
        }
    }
    session
}

fn leg(peer: SocketAddr) -> Leg {
    Leg {
        codec: Codec::Pcmu,
        packing: Packing::default(),
        libraries: Libraries::default(),
        payload_type: 0,
        telephone_event: Some(101),
        remote: peer,
        remote_rtcp: "198.51.100.7:4001".parse().expect("an address"),
        signalling: peer.ip(),
        symmetric: true,
        sending: true,
        srtp: None,
        web: None,
        mux: false,
        latest: LATEST,
        jitter: Default::default(),
        keys: Ways::default(),
        speech: speech::Settings::default(),
        recording: false,
        cname: "port".into(),
        timeout: Duration::from_secs(30),
    }
}

fn invite(number: u32) -> Bytes {
    let body = "v=0\r\no=- 81724 81724 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 18264 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    format!(
        "INVITE sip:+4971112345@203.0.113.9:5060;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-{number};rport\r\n\
         Max-Forwards: 70\r\nRecord-Route: <sip:192.0.2.10;lr;did=b2e.1c5>\r\n\
         From: \"Anna\" <sip:+491701234567@carrier.example;user=phone>;tag=as58f4201b\r\n\
         To: <sip:+4971112345@203.0.113.9;user=phone>\r\n\
         Contact: <sip:+491701234567@192.0.2.10:5060;transport=udp>\r\n\
         Call-ID: {number}@192.0.2.10\r\nCSeq: 102 INVITE\r\nUser-Agent: Carrier Session Border Controller 7.4\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, UPDATE\r\n\
         Supported: replaces, timer\r\n\
         P-Asserted-Identity: <sip:+491701234567@carrier.example>\r\n\
         P-Charging-Vector: icid-value=1234bc9876e;icid-generated-at=192.0.2.6;\
         orig-ioi=carrier.example;term-ioi=callee.example\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

fn inside(method: &str, sequence: u32, number: u32, tag: &str) -> Bytes {
    format!(
        "{method} sip:203.0.113.9 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-{number}-{method};rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Anna\" <sip:+491701234567@carrier.example;user=phone>;tag=as58f4201b\r\n\
         To: <sip:+4971112345@203.0.113.9;user=phone>;tag={tag}\r\n\
         Call-ID: {number}@192.0.2.10\r\nCSeq: {sequence} {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into()
}
