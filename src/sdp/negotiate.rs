//! Offer and answer (RFC 3264) for one stream of audio.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sdp_types::{Connection, Media, MediaType, Origin, Session, Time, TransportProto};

use crate::audio::codec::Codec;
use crate::audio::packing::{Content, Packing, Wishes};
use crate::base::master_key::Keys;
use crate::base::webrtc::Pairing;
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::keying::{Policy, Terms};
use crate::sdp::line::{COMFORT, COMFORT_NOISE, Direction, EVENT, EventRange, Events, Line};
use crate::sdp::opus;
use crate::sdp::refusal::Refusal;
use crate::sdp::session::{self, MUX};
use crate::sdp::web::{self, Setup};

/// What we have to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The address at which our RTP socket is reached.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Our codecs, the dearest first.
    pub codecs: Vec<Codec>,
    /// The number of this session in `o=`; the same for as long as the call lives.
    pub session_id: u64,
    /// The version in `o=`: one more whenever what we say changes (RFC 3264 8).
    pub version: u64,
    /// How we would like audio to be packed.
    pub wishes: Wishes,
    /// How we stand to SRTP.
    pub srtp: Terms,
}

/// What both sides agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The codec that we send.
    pub codec: Codec,
    /// Its payload type in what we send: the number that the peer chose.
    pub payload_type: u8,
    /// The payload type of telephone events in what we send.
    pub telephone_event: Option<u8>,
    /// What may come, and how audio is packed.
    pub packing: Packing,
    /// Where our RTP goes. An address of zeros is a hold, and then the direction has us silent.
    pub remote: SocketAddr,
    /// Where our RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// Which ways media flows, from our view.
    pub direction: Direction,
    /// The keys, when packets are hidden.
    pub srtp: Option<Keys>,
    /// What a handshake with a browser goes by, which then gives the keys.
    pub web: Option<Pairing>,
    /// Whether RTCP goes to the port of RTP, both ways.
    pub mux: bool,
}

/// Writes an offer of one audio line.
pub fn offer(local: &Local) -> String {
    let mut offer = describe(local);
    let mut line = audio(local, &offered(local), Direction::SendReceive);
    if local.srtp.policy == Policy::Required {
        line.proto = TransportProto::RtpSavp.to_string();
    }
    write_keys(&mut line, local.srtp.offered());
    line.add_attribute_from_str(MUX);
    if let Some(own) = local.srtp.web.as_ref().filter(|_| local.srtp.policy == Policy::Web) {
        web::PROTOCOL.clone_into(&mut line.proto);
        line.add_attribute_with_value(web::MID, "0");
        offer.add_attribute_with_value(web::GROUP, "BUNDLE 0");
        web::write((&mut offer, &mut line), own, Setup::Either);
        web::write_place(&mut line, own, local.address);
    }
    offer.medias.push(line);
    offer.to_string()
}

/// Answers an offer: the first audio line with a codec of ours is taken with the peer's payload
/// types, every other line is mirrored with port 0 (RFC 3264 6).
///
/// # Errors
/// When the offer is malformed or holds no audio line that we can take; the reason is that of its
/// first audio line.
pub fn answer(offer: &[u8], local: &Local) -> Result<(String, Agreed), Refusal> {
    let offer = session::parse(offer)?;
    let Choice { taken, line, codec: (payload_type, codec), keys, web } = choose(&offer, local)?;
    let direction = line.direction.reversed();
    let comfort = line.comfort.filter(|_| has_comfort(codec, local));
    let events = line.events_with(codec).into_iter().collect();
    let formats = Formats { codecs: vec![(payload_type, codec)], events, comfort };
    let mut answer = describe(local);
    // The times of the answer are those of the offer (RFC 3264 6).
    answer.times = offer.times.iter().map(|it| Time::new(it.start_time, it.stop_time)).collect();
    for (index, media) in offer.medias.iter().enumerate() {
        let media = if index == taken {
            let mut media_line = audio(local, &formats, direction);
            media_line.proto.clone_from(&media.proto);
            let ours = |(tag, keys): &(u32, Keys)| Crypto { tag: *tag, master: keys.ours.clone() };
            write_keys(&mut media_line, keys.iter().map(ours));
            if line.mux {
                media_line.add_attribute_from_str(MUX);
            }
            if let Some(own) = local.srtp.web.as_ref().filter(|_| web.is_some()) {
                web::mirror((&offer, media), (&mut answer, &mut media_line));
                web::write((&mut answer, &mut media_line), own, Setup::Passive);
                web::write_place(&mut media_line, own, local.address);
            }
            media_line
        } else {
            declined(media)
        };
        answer.medias.push(media);
    }
    let agreed = agreed(&line, (payload_type, codec), &formats, local);
    Ok((answer.to_string(), Agreed { srtp: keys.map(|(_, keys)| keys), web, ..agreed }))
}

/// Takes the answer to what we offered.
///
/// # Errors
/// When it is malformed, does not answer our line or agrees to nothing of it.
pub fn accept(answer: &[u8], local: &Local) -> Result<Agreed, Refusal> {
    let answer = session::parse(answer)?;
    let [media] = answer.medias.as_slice() else { return Err(Refusal::NO_ANSWER) };
    let line = Line::read(&answer, media)?;
    check_family(&line, local)?;
    // The peer's first codec is what it will send; one that we did not offer is no answer.
    let known = line.codecs.iter().find(|(_, codec)| local.codecs.contains(codec));
    let format = *known.ok_or(Refusal::CODEC)?;
    let srtp = local.srtp.accept(&line, crypto::is_offered(media))?;
    let web = local.srtp.pair(&line)?;
    Ok(Agreed { srtp, web, ..agreed(&line, format, &offered(local), local) })
}

/// An audio line that can be taken.
struct Choice {
    /// Its place.
    taken: usize,
    line: Line,
    /// Our dearest codec in it.
    codec: (u8, Codec),
    /// The keys, when packets are to be hidden, and what the answer names them by.
    keys: Option<(u32, Keys)>,
    /// What a handshake with a browser goes by.
    web: Option<Pairing>,
}

/// The first audio line that can be taken. Some offer one in the clear beside one that is not:
/// those with keys come first where we want keys.
fn choose(offer: &Session, local: &Local) -> Result<Choice, Refusal> {
    let mut first_reason = None;
    let audio = offer.medias.iter().enumerate().filter(|(_, media)| media.media == "audio");
    let mut lines: Vec<_> = audio.collect();
    if local.srtp.policy != Policy::Off {
        // Sorting is stable: the others keep their order.
        lines.sort_by_key(|(_, media)| !crypto::is_offered(media));
    }
    for (taken, media) in lines {
        let chosen = Line::read(offer, media).and_then(|line| {
            let keys = local.srtp.answer(&line)?;
            let web = local.srtp.pair(&line)?;
            check_family(&line, local)?;
            let of = |codec: &Codec| line.codecs.iter().find(|(_, it)| it == codec).copied();
            let codec = local.codecs.iter().find_map(of).ok_or(Refusal::CODEC)?;
            Ok(Choice { taken, line, codec, keys, web })
        });
        match chosen {
            Ok(chosen) => return Ok(chosen),
            Err(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    Err(first_reason.unwrap_or(Refusal::NO_AUDIO))
}

/// A socket of one family cannot send to the other.
fn check_family(line: &Line, local: &Local) -> Result<(), Refusal> {
    let same = line.web.is_some() || line.rtp.is_ipv4() == local.address.is_ipv4();
    same.then_some(()).ok_or(Refusal::ADDRESS)
}

/// What comes of the peer's `line` and of `ours`, whose numbers are those that it sends.
fn agreed(
    line: &Line,
    (payload_type, codec): (u8, Codec),
    ours: &Formats,
    local: &Local,
) -> Agreed {
    let events = line.events_with(codec);
    let wish = line.ptime.unwrap_or(local.wishes.ptime).min(line.maxptime.unwrap_or(LONGEST));
    let packing = Packing {
        accepts: ours.contents(),
        key_clock: events.map_or(8_000, |events| events.clock_rate),
        ptime: codec.packet_of(wish),
        comfort: line.comfort.filter(|_| has_comfort(codec, local)),
        profile: line.profile,
    };
    Agreed {
        codec,
        payload_type,
        telephone_event: events.map(|events| events.payload_type),
        packing,
        remote: line.rtp,
        remote_rtcp: line.rtcp,
        direction: line.direction.reversed(),
        srtp: None,
        web: None,
        mux: line.mux,
    }
}

/// Writes keys into a line of ours.
fn write_keys(media: &mut Media, keys: impl Iterator<Item = Crypto>) {
    for crypto in keys {
        media.add_attribute_with_value(crypto::NAME, crypto::write(&crypto));
    }
}

/// What a line of ours says that we take.
#[derive(Debug)]
struct Formats {
    codecs: Vec<(u8, Codec)>,
    events: Vec<Events>,
    comfort: Option<u8>,
}

impl Formats {
    fn contents(&self) -> Vec<(u8, Content)> {
        let voice = self.codecs.iter().map(|(number, codec)| (*number, Content::Voice(*codec)));
        let key =
            |events: &Events| (events.payload_type, Content::Key { clock: events.clock_rate });
        let keys = self.events.iter().map(key);
        voice.chain(keys).chain(self.comfort.map(|number| (number, Content::Comfort))).collect()
    }

    fn numbers(&self) -> String {
        let numbers: Vec<_> =
            self.contents().iter().map(|(number, _)| number.to_string()).collect();
        numbers.join(" ")
    }
}

/// All that we have, under our own numbers; events for the clock of each codec.
fn offered(local: &Local) -> Formats {
    let codecs: Vec<_> = local.codecs.iter().map(|it| (it.payload_type(), *it)).collect();
    let events = OUR_EVENTS.into_iter().filter(|(_, clock)| {
        *clock == 8_000 || local.codecs.iter().any(|codec| codec.clock_rate() == *clock)
    });
    let range = EventRange::KeysAndFlash;
    let events =
        events.map(|(payload_type, clock_rate)| Events { payload_type, clock_rate, range });
    let comfort = local.codecs.iter().any(|codec| has_comfort(*codec, local));
    let comfort = comfort.then_some(COMFORT_NOISE);
    Formats { codecs, events: events.collect(), comfort }
}

/// Whether silence between frames of a codec may be described. Opus and G.729 have ways of their
/// own; the noise of the others is at 8 kHz (RFC 3389 4).
fn has_comfort(codec: Codec, local: &Local) -> bool {
    local.wishes.comfort && matches!(codec, Codec::Pcmu | Codec::Pcma | Codec::G722)
}

/// A description without media.
fn describe(local: &Local) -> Session {
    let (id, version) = (local.session_id.to_string(), local.version);
    let mut session = Session::new(Origin::with_ip_addr(id, version, local.address), "-");
    session.set_connection(Connection::from_ip_addr(local.address));
    session.add_time(Time::new(0, 0));
    session
}

fn audio(local: &Local, formats: &Formats, way: Direction) -> Media {
    let numbers = formats.numbers();
    let mut media = Media::new(MediaType::Audio, local.port, TransportProto::RtpAvp, numbers);
    for (payload_type, codec) in &formats.codecs {
        let (channels, parameters) = match codec {
            Codec::Opus => ("/2", Some(opus::OURS)),
            Codec::G729 => ("", Some("annexb=no")),
            _ => ("", None),
        };
        let map = format!("{payload_type} {}/{}{channels}", codec.name(), codec.clock_rate());
        media.add_attribute_with_value("rtpmap", map);
        if let Some(parameters) = parameters {
            media.add_attribute_with_value("fmtp", format!("{payload_type} {parameters}"));
        }
    }
    for Events { payload_type, clock_rate, range } in &formats.events {
        let range = match range {
            EventRange::Keys => "0-15",
            EventRange::KeysAndFlash => "0-16",
        };
        media.add_attribute_with_value("rtpmap", format!("{payload_type} {EVENT}/{clock_rate}"));
        media.add_attribute_with_value("fmtp", format!("{payload_type} {range}"));
    }
    if let Some(number) = formats.comfort {
        media.add_attribute_with_value("rtpmap", format!("{number} {COMFORT}/8000"));
    }
    media.add_attribute_with_value("ptime", local.wishes.ptime.as_millis());
    media.add_attribute_with_value("maxptime", LONGEST.as_millis());
    media.add_attribute_from_str(way.name());
    media
}

/// A line that we do not take: its own words with port 0, and its name below if it has one, by
/// which a browser knows it.
fn declined(media: &Media) -> Media {
    let name = media.attributes.iter().filter(|it| it.attribute.eq_ignore_ascii_case(web::MID));
    Media {
        port: 0,
        num_ports: None,
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: name.cloned().collect(),
        ..media.clone()
    }
}

/// The payload types under which we offer telephone events for each clock; 101 everybody uses.
const OUR_EVENTS: [(u8, u32); 3] = [(101, 8_000), (102, 16_000), (110, 48_000)];

/// The most audio in a packet, both ways.
const LONGEST: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::master_key::{Master, Suite};
    use crate::base::random::Random;
    use crate::base::webrtc::{Credentials, Fingerprint, Own};
    use proptest::prelude::*;

    const ASTERISK: &str = "v=0\r\no=- 1363 1363 IN IP4 192.0.2.10\r\ns=Asterisk\r\n\
        c=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 14204 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";
    const FREESWITCH: &str = "v=0\r\no=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.11\r\n\
        s=FreeSWITCH\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 21316 RTP/AVP 102 0 8 103 101\r\n\
        a=rtpmap:102 opus/48000/2\r\na=fmtp:102 useinbandfec=1; maxaveragebitrate=30000\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:103 telephone-event/48000\r\n\
        a=fmtp:103 0-16\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
        a=rtcp:21317 IN IP4 192.0.2.11\r\na=ptime:20\r\n";
    const CISCO: &str = "v=0\r\no=Cisco-SIPUA 24516 0 IN IP4 192.0.2.12\r\ns=SIP Call\r\n\
        b=AS:4064\r\nt=0 0\r\nm=audio 17012 RTP/AVP 114 9 124 0 8 116 18 101\r\n\
        c=IN IP4 192.0.2.12\r\nb=TIAS:64000\r\na=rtpmap:114 opus/48000/2\r\na=rtpmap:9 G722/8000\r\n\
        a=rtpmap:124 ISAC/16000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:116 iLBC/8000\r\na=fmtp:116 mode=20\r\na=rtpmap:18 G729/8000\r\n\
        a=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n\
        m=video 25434 RTP/AVP 126 97\r\nc=IN IP4 192.0.2.12\r\nb=TIAS:4000000\r\n\
        a=rtpmap:126 H264/90000\r\na=rtpmap:97 H264/90000\r\na=sendrecv\r\n\
        m=application 25436 UDP/BFCP *\r\nc=IN IP4 192.0.2.12\r\na=floorctrl:c-s\r\n\
        m=image 17014 udptl t38\r\nc=IN IP4 192.0.2.12\r\na=T38FaxVersion:0\r\n";
    const TWILIO: &str = "v=0\r\no=root 1217396161 1217396161 IN IP4 198.51.100.7\r\ns=Twilio Media \
        Gateway\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 11510 RTP/AVP 0 8 101\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:20\r\na=sendrecv\r\n";
    const BARESIP: &str = "v=0\r\no=- 2890844526 2890842807 IN IP4 127.0.0.1\r\ns=-\r\n\
        c=IN IP4 127.0.0.1\r\nt=0 0\r\na=tool:baresip 1.0.0\r\nm=audio 25072 RTP/AVP 0 8 101\r\n\
        b=AS:125\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:25073\r\na=rtcp-rsize\r\n\
        a=ssrc:3128341 cname:sip:caller@127.0.0.1\r\na=sendrecv\r\na=label:1\r\na=minptime:20\r\n\
        a=ptime:20\r\n";
    const CHROME: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=msid-semantic: WMS stream\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:someufrag\r\na=ice-pwd:asomeicepwdofmorethantwentytwo\r\n\
        a=fingerprint:sha-256 00:11:22\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\n";
    const SIPP: &str = "v=0\no=user1 53655765 2353687637 IN IP4 127.0.0.1\ns=-\n\
        c=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";

    fn local() -> Local {
        Local {
            address: IpAddr::from([203, 0, 113, 5]),
            port: 40_000,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            session_id: 7,
            version: 1,
            wishes: Wishes::default(),
            srtp: Terms::default(),
        }
    }

    /// Answers and checks what must hold for every answer.
    fn answered(offer: &str) -> (String, Agreed) {
        let (answer, agreed) = answer(offer.as_bytes(), &local()).expect("the offer is good");
        valid(offer.as_bytes(), &answer);
        (answer, agreed)
    }

    fn valid(offer: &[u8], answer: &str) {
        let offer = session::parse(offer).expect("it was answered");
        let answer = session::parse(answer.as_bytes()).expect("an answer is well-formed");
        assert_eq!(answer.medias.len(), offer.medias.len());
        assert_eq!(answer.medias.iter().filter(|media| media.port != 0).count(), 1);
        for (ours, theirs) in answer.medias.iter().zip(&offer.medias) {
            assert_eq!((&ours.media, &ours.proto), (&theirs.media, &theirs.proto));
            let mut formats = ours.fmt.split_ascii_whitespace();
            assert!(formats.all(|it| theirs.fmt.split_ascii_whitespace().any(|its| its == it)));
        }
    }

    #[test]
    fn the_usual_callers_are_answered_in_their_own_numbers() {
        for (offer, codec, events, port) in [
            (ASTERISK, Codec::Pcma, Some(101), 14_204),
            (FREESWITCH, Codec::Pcma, Some(101), 21_316),
            (CISCO, Codec::Pcma, Some(101), 17_012),
            (TWILIO, Codec::Pcma, Some(101), 11_510),
            (BARESIP, Codec::Pcma, Some(101), 25_072),
            (SIPP, Codec::Pcmu, None, 6_000),
        ] {
            let (_, agreed) = answered(offer);
            let seen = (agreed.codec, agreed.telephone_event, agreed.remote.port());
            assert_eq!(seen, (codec, events, port), "{offer}");
            assert_eq!(agreed.payload_type, codec.payload_type());
            assert_eq!(agreed.remote_rtcp.port(), port + 1);
            assert_eq!(agreed.direction, Direction::SendReceive);
        }
    }

    #[test]
    fn an_answer_says_exactly_what_was_agreed() {
        let (answer, _) = answered(BARESIP);
        let expected = "v=0\r\no=- 7 1 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\n\
            t=0 0\r\nm=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:60\r\n\
            a=sendrecv\r\n";
        assert_eq!(answer, expected);
    }

    #[test]
    fn other_media_are_declined_in_their_place() {
        let (answer, _) = answered(CISCO);
        let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
        let expected = [
            "m=audio 40000 RTP/AVP 8 101",
            "m=video 0 RTP/AVP 126 97",
            "m=application 0 UDP/BFCP *",
            "m=image 0 udptl t38",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_second_audio_line_is_taken_when_the_first_cannot_be() {
        let secure = SIPP.replace("m=audio", "m=audio 7000 RTP/SAVP 0\nm=audio");
        let (answer, agreed) = answered(&secure);
        assert!(answer.contains("m=audio 0 RTP/SAVP 0\r\nm=audio 40000 RTP/AVP 0\r\n"));
        assert_eq!(agreed.remote.port(), 6_000);
        let both = format!("{SIPP}m=audio 7000 RTP/AVP 0\n");
        assert_eq!(answered(&both).1.remote.port(), 6_000);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_its_warning() {
        let refused = |offer: &str| answer(offer.as_bytes(), &local()).expect_err(offer);
        assert_eq!(refused(CHROME), Refusal::WEB, "its fingerprint is too short");
        assert_eq!(refused(&chrome()), Refusal::TRANSPORT, "no browser is awaited");
        assert_eq!(refused(&SIPP.replace("AVP 0", "AVP 18")), Refusal::CODEC);
        assert_eq!(refused(&SIPP.replace("6000", "0")), Refusal::NO_AUDIO);
        assert_eq!(refused(&SIPP.replace("m=audio", "m=video")), Refusal::NO_AUDIO);
        let six = SIPP.replace("c=IN IP4 127.0.0.1", "c=IN IP6 2001:db8::1");
        assert_eq!(refused(&six), Refusal::ADDRESS);
        assert_eq!(refused(""), Refusal::MALFORMED);
    }

    #[test]
    fn internet_protocol_six_is_spoken_among_its_own() {
        let local = Local { address: "2001:db8::5".parse().expect("an address"), ..local() };
        let six = SIPP.replace("IN IP4 127.0.0.1", "IN IP6 2001:db8::1");
        let (answer, agreed) = answer(six.as_bytes(), &local).expect("one family");
        assert!(answer.contains("c=IN IP6 2001:db8::5\r\n"));
        assert_eq!(agreed.remote.to_string(), "[2001:db8::1]:6000");
    }

    #[test]
    fn hold_is_answered_from_the_other_side() {
        for (said, answered_with) in [
            ("sendonly", Direction::ReceiveOnly),
            ("recvonly", Direction::SendOnly),
            ("inactive", Direction::Inactive),
        ] {
            let (answer, agreed) = answered(&ASTERISK.replace("sendrecv", said));
            assert_eq!(agreed.direction, answered_with);
            assert!(answer.contains(&format!("a={}\r\n", answered_with.name())));
            let of_session = SIPP.replace("t=0 0\n", &format!("t=0 0\na={said}\n"));
            assert_eq!(answered(&of_session).1.direction, answered_with);
        }
        let zeros = SIPP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
        assert_eq!(answered(&zeros).1.direction, Direction::ReceiveOnly);
    }

    #[test]
    fn feedback_profile_and_dynamic_numbers_are_kept() {
        let offer = SIPP.replace("AVP 0", "AVPF 97").replace("rtpmap:0", "rtpmap:97");
        let (answer, agreed) = answered(&offer);
        assert!(answer.contains("m=audio 40000 RTP/AVPF 97\r\na=rtpmap:97 PCMU/8000\r\n"));
        assert_eq!(agreed.payload_type, 97);
    }

    #[test]
    fn two_of_us_agree() {
        let (here, mut there) = (local(), local());
        there.codecs = vec![Codec::Pcmu];
        there.port = 50_000;
        let (answer, theirs) = answer(offer(&here).as_bytes(), &there).expect("we fit");
        let ours = accept(answer.as_bytes(), &here).expect("we fit");
        assert_eq!((ours.codec, theirs.codec), (Codec::Pcmu, Codec::Pcmu));
        assert_eq!((ours.remote.port(), theirs.remote.port()), (50_000, 40_000));
        assert_eq!((ours.telephone_event, theirs.telephone_event), (Some(101), Some(101)));
    }

    #[test]
    fn our_own_order_of_codecs_decides_among_those_of_the_peer() {
        let wide = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        let wide = Local { codecs: wide, ..local() };
        for (offer, codec, number, events, clock) in [
            (FREESWITCH, Codec::Opus, 102, Some(103), 48_000),
            (CISCO, Codec::Opus, 114, Some(101), 8_000),
            (ASTERISK, Codec::G722, 9, Some(101), 8_000),
            (TWILIO, Codec::Pcma, 8, Some(101), 8_000),
        ] {
            let (said, agreed) = answer(offer.as_bytes(), &wide).expect("it is good");
            valid(offer.as_bytes(), &said);
            let seen = (agreed.codec, agreed.payload_type, agreed.telephone_event);
            assert_eq!(seen, (codec, number, events));
            assert_eq!(agreed.packing.key_clock, clock);
            assert_eq!(agreed.packing.content(number), Some(Content::Voice(codec)));
        }
        let (said, agreed) = answer(FREESWITCH.as_bytes(), &wide).expect("it is good");
        assert!(agreed.packing.profile.fec);
        assert_eq!(agreed.packing.profile.bits, Some(30_000));
        assert!(said.contains("a=rtpmap:102 opus/48000/2\r\na=fmtp:102 useinbandfec=1;"));
        assert!(said.contains("maxplaybackrate=16000") && said.contains("stereo=0;"));
    }

    #[test]
    fn each_side_sends_the_numbers_that_the_other_chose() {
        let wide = Local { codecs: vec![Codec::Opus, Codec::Pcmu], ..local() };
        assert!(offer(&wide).contains("m=audio 40000 RTP/AVP 111 0 101 110\r\n"));
        let theirs = SIPP.replace("AVP 0", "AVP 96 97");
        let theirs = format!(
            "{theirs}a=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\na=ptime:60\n"
        );
        let agreed = accept(theirs.as_bytes(), &wide).expect("it is good");
        assert_eq!((agreed.payload_type, agreed.telephone_event), (96, Some(97)));
        let content = |number| agreed.packing.content(number);
        assert_eq!(content(111), Some(Content::Voice(Codec::Opus)));
        assert_eq!(content(110), Some(Content::Key { clock: 48_000 }));
        assert_eq!((content(0), content(96)), (Some(Content::Voice(Codec::Pcmu)), None));
        assert_eq!(agreed.packing.ptime, Duration::from_millis(60));
    }

    #[test]
    fn packets_are_as_long_as_the_peer_likes_them() {
        let ptime = |attributes: &str| {
            let (_, agreed) = answered(&format!("{SIPP}{attributes}"));
            agreed.packing.ptime.as_millis()
        };
        assert_eq!((ptime(""), ptime("a=ptime:30\n"), ptime("a=ptime:200\n")), (20, 30, 60));
        assert_eq!(ptime("a=ptime:40\na=maxptime:20\n"), 20);
        assert_eq!(ptime("a=maxptime:10\n"), 10);
    }

    #[test]
    fn comfort_noise_is_agreed_only_where_both_want_it() {
        let offer = SIPP.replace("AVP 0", "AVP 0 13");
        assert_eq!(answered(&offer).1.packing.comfort, None);
        let wishes = Wishes { comfort: true, ..Wishes::default() };
        let quiet = Local { wishes, ..local() };
        let (said, agreed) = answer(offer.as_bytes(), &quiet).expect("it is good");
        assert_eq!(agreed.packing.comfort, Some(13));
        assert!(said.contains("RTP/AVP 0 13\r\n") && said.contains("a=rtpmap:13 CN/8000\r\n"));
        let (_, agreed) = answer(SIPP.as_bytes(), &quiet).expect("it is good");
        assert_eq!(agreed.packing.comfort, None);
    }

    const CRYPTO: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 \
        inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31\n";
    const SHORT: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 \
        inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n";

    fn keyed(policy: Policy) -> Local {
        let mut random = Random::repeatable(3);
        let keys = [Suite::Gcm128, Suite::Aes128Sha80].map(|it| Master::random(it, &mut random));
        Local { srtp: Terms { policy, keys: keys.to_vec(), web: None }, ..local() }
    }

    fn secured() -> String {
        SIPP.replace("RTP/AVP", "RTP/SAVP")
    }

    #[test]
    fn keys_are_answered_or_refused_as_the_policy_has_it() {
        // In the clear; with keys that may be left out; with keys; with keys that we do not take.
        let offers = [
            SIPP.to_owned(),
            format!("{SIPP}{CRYPTO}"),
            format!("{}{CRYPTO}", secured()),
            format!("{}{SHORT}", secured()),
            secured(),
        ];
        let open = |policy| Local { srtp: Terms { policy, ..Terms::default() }, ..local() };
        let (no, yes) = (Ok(false), Ok(true));
        for (ours, expected) in [
            (
                open(Policy::Off),
                [no, no, Err(Refusal::TRANSPORT), Err(Refusal::TRANSPORT), Err(Refusal::TRANSPORT)],
            ),
            (keyed(Policy::Optional), [no, yes, yes, Err(Refusal::KEYS), Err(Refusal::KEYS)]),
            (
                open(Policy::Optional),
                [
                    no,
                    no,
                    Err(Refusal::KEYS_IN_THE_OPEN),
                    Err(Refusal::KEYS_IN_THE_OPEN),
                    Err(Refusal::KEYS_IN_THE_OPEN),
                ],
            ),
            (
                keyed(Policy::Required),
                [Err(Refusal::KEYS), yes, yes, Err(Refusal::KEYS), Err(Refusal::KEYS)],
            ),
            (open(Policy::Required), [Err(Refusal::KEYS_IN_THE_OPEN); 5]),
        ] {
            for (offer, expected) in offers.iter().zip(expected) {
                let answered = answer(offer.as_bytes(), &ours);
                let seen = match &answered {
                    Ok((_, agreed)) => Ok(agreed.srtp.is_some()),
                    Err(why) => Err(*why),
                };
                assert_eq!(seen, expected, "{:?}\n{offer}", ours.srtp.policy);
                if let Ok((said, _)) = answered {
                    valid(offer.as_bytes(), &said);
                    assert_eq!(
                        said.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80"),
                        seen == Ok(true)
                    );
                }
            }
        }
    }

    #[test]
    fn the_dearest_suite_of_the_offerer_that_we_take_is_chosen() {
        let offer = format!("{}{SHORT}{CRYPTO}", secured());
        let gcm = "a=crypto:9 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==\n";
        let offer = format!("{offer}{gcm}");
        let ours = keyed(Policy::Optional);
        let (said, agreed) = answer(offer.as_bytes(), &ours).expect("it is good");
        let keys = agreed.srtp.expect("keys");
        assert_eq!(keys.ours.suite(), Suite::Aes128Sha80);
        assert_eq!(keys.theirs.octets(), b"YS___semctl () {\t220;}\n}\nunles");
        assert_eq!(said.matches("a=crypto").count(), 1);
        assert!(said.contains("m=audio 40000 RTP/SAVP 0\r\n"));
    }

    #[test]
    fn of_two_lines_that_with_keys_is_taken() {
        let offer = format!("{SIPP}m=audio 6000 RTP/SAVP 0\n{CRYPTO}");
        let (said, agreed) =
            answer(offer.as_bytes(), &keyed(Policy::Optional)).expect("it is good");
        assert!(agreed.srtp.is_some());
        assert!(said.contains("m=audio 0 RTP/AVP 0\r\nm=audio 40000 RTP/SAVP 0\r\n"));
        let (said, agreed) = answer(offer.as_bytes(), &local()).expect("it is good");
        assert!(agreed.srtp.is_none());
        assert!(said.contains("m=audio 40000 RTP/AVP 0\r\n"));
    }

    #[test]
    fn two_of_us_exchange_keys() {
        for policy in [Policy::Optional, Policy::Required] {
            let (here, mut there) = (keyed(policy), keyed(Policy::Optional));
            let mut random = Random::repeatable(8);
            there.srtp.keys = vec![Master::random(Suite::Aes128Sha80, &mut random)];
            let offer = offer(&here);
            assert_eq!(offer.contains("RTP/SAVP"), policy == Policy::Required);
            assert!(offer.contains("a=crypto:1 AEAD_AES_128_GCM inline:"));
            assert!(offer.contains("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"));
            let (answer, theirs) = answer(offer.as_bytes(), &there).expect("we fit");
            let ours = accept(answer.as_bytes(), &here).expect("we fit").srtp.expect("keys");
            let theirs = theirs.srtp.expect("keys");
            assert_eq!((&ours.ours, &ours.theirs), (&theirs.theirs, &theirs.ours));
        }
    }

    #[test]
    fn an_answer_without_our_keys_is_none_where_they_are_needed() {
        let told = |policy, answer: &str| {
            accept(answer.as_bytes(), &keyed(policy)).map(|agreed| agreed.srtp.is_some())
        };
        let right = CRYPTO.replace("crypto:4", "crypto:2");
        for (answer, optional, required) in [
            (SIPP.to_owned(), Ok(false), Err(Refusal::KEYS)),
            (format!("{SIPP}{right}"), Ok(true), Ok(true)),
            (format!("{SIPP}{CRYPTO}"), Err(Refusal::KEYS), Err(Refusal::KEYS)),
            (format!("{}{right}", secured()), Ok(true), Ok(true)),
            (format!("{}{CRYPTO}", secured()), Err(Refusal::KEYS), Err(Refusal::KEYS)),
            (format!("{}{SHORT}", secured()), Err(Refusal::KEYS), Err(Refusal::KEYS)),
            (secured(), Err(Refusal::KEYS), Err(Refusal::KEYS)),
        ] {
            assert_eq!(told(Policy::Optional, &answer), optional, "{answer}");
            assert_eq!(told(Policy::Required, &answer), required, "{answer}");
        }
        assert_eq!(told(Policy::Off, &secured()), Err(Refusal::TRANSPORT));
        assert_eq!(told(Policy::Off, &format!("{SIPP}{CRYPTO}")), Ok(false));
    }

    #[test]
    fn rtcp_shares_the_port_when_both_say_so() {
        assert!(offer(&local()).contains("a=rtcp-mux\r\n"));
        let (said, agreed) = answered(&format!("{SIPP}a=rtcp-mux\n"));
        assert!(agreed.mux && said.contains("a=rtcp-mux\r\n"));
        let (said, agreed) = answered(SIPP);
        assert!(!agreed.mux && !said.contains("a=rtcp-mux"));
        assert!(!accept(SIPP.as_bytes(), &local()).expect("it is good").mux);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let refused = |answer: &str| accept(answer.as_bytes(), &local()).expect_err(answer);
        assert_eq!(refused(&SIPP.replace("6000", "0")), Refusal::NO_AUDIO);
        assert_eq!(refused(CISCO), Refusal::NO_ANSWER);
        let only_alaw = Local { codecs: vec![Codec::Pcma], ..local() };
        assert_eq!(accept(SIPP.as_bytes(), &only_alaw), Err(Refusal::CODEC));
    }

    /// The offer of a browser, with a fingerprint that is long enough and a picture.
    fn chrome() -> String {
        let audio = CHROME.replace("00:11:22", &["AB"; 32].join(":")).replace("DLE 0", "DLE 0 1");
        format!("{audio}m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n")
    }

    fn of_the_web(seed: u64) -> Local {
        let credentials = Credentials::random(&mut Random::repeatable(seed));
        let fingerprint = Fingerprint([seed as u8; 32]);
        let own = Own { credentials, fingerprint, port: None };
        let srtp = Terms { web: Some(own), ..Terms::default() };
        Local { codecs: vec![Codec::Opus, Codec::Pcmu], srtp, ..local() }
    }

    #[test]
    fn a_browser_is_answered_whatever_holds_for_other_keys() {
        for policy in [Policy::Off, Policy::Optional, Policy::Required] {
            let mut here = of_the_web(5);
            here.srtp.policy = policy;
            let (said, agreed) = answer(chrome().as_bytes(), &here).expect("it is good");
            valid(chrome().as_bytes(), &said);
            let own = here.srtp.web.expect("an end of its own");
            let expected = [
                "a=group:BUNDLE 0".to_owned(),
                "a=ice-lite".to_owned(),
                "m=audio 40000 UDP/TLS/RTP/SAVPF 111 126".to_owned(),
                "a=rtcp-mux".to_owned(),
                "a=mid:0".to_owned(),
                "a=setup:passive".to_owned(),
                format!("a=fingerprint:{}", own.fingerprint),
                format!("a=ice-ufrag:{}", own.credentials.name()),
                format!("a=ice-pwd:{}", own.credentials.password()),
                "a=candidate:1 1 udp 2130706431 203.0.113.5 40000 typ host".to_owned(),
                "a=end-of-candidates".to_owned(),
                "a=sendrecv".to_owned(),
                "m=video 0 UDP/TLS/RTP/SAVPF 96".to_owned(),
                "a=mid:1".to_owned(),
            ];
            for line in expected {
                let times = said.lines().filter(|it| *it == line).count();
                assert_eq!(times, 1, "{line}\n{said}");
            }
            let web = agreed.web.expect("a pairing");
            assert_eq!(web.theirs.name(), "someufrag");
            assert_eq!(web.fingerprint, Fingerprint([0xab; 32]));
            assert_eq!((agreed.codec, agreed.direction), (Codec::Opus, Direction::SendReceive));
            assert!(agreed.mux && agreed.remote.ip().is_unspecified() && agreed.srtp.is_none());
        }
    }

    #[test]
    fn a_browser_is_told_the_port_of_all_browsers() {
        let mut here = of_the_web(5);
        here.srtp.policy = Policy::Web;
        here.srtp.web.as_mut().expect("an end of its own").port = Some(41_000);
        let (said, _) = answer(chrome().as_bytes(), &here).expect("it is good");
        for said in [said, offer(&here)] {
            assert!(said.contains("m=audio 41000 UDP/TLS/RTP/SAVPF "), "{said}");
            assert!(said.contains(" 203.0.113.5 41000 typ host\r\n"), "{said}");
        }
        // Whoever is no browser has a port of its own.
        here.srtp.policy = Policy::Off;
        assert!(answer(SIPP.as_bytes(), &here).expect("it is good").0.contains("m=audio 40000 "));
    }

    #[test]
    fn a_browser_that_lacks_something_is_told_so() {
        let refused = |from: &str, to: &str| {
            let offer = chrome().replace(from, to);
            answer(offer.as_bytes(), &of_the_web(5)).expect_err(from)
        };
        for (from, to) in [
            ("a=ice-ufrag:someufrag\r\n", ""),
            ("asomeicepwdofmorethantwentytwo", "short"),
            ("sha-256", "sha-1"),
            ("a=rtcp-mux\r\n", ""),
            ("actpass", "passive"),
            ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
        ] {
            assert_eq!(refused(from, to), Refusal::WEB, "{from}");
        }
        assert_eq!(refused("111 0 8 126", "63"), Refusal::CODEC);
    }

    #[test]
    fn two_of_the_web_agree_whoever_offers() {
        let (mut here, there) = (of_the_web(5), of_the_web(6));
        here.srtp.policy = Policy::Web;
        let offer = offer(&here);
        assert!(offer.contains("UDP/TLS/RTP/SAVPF 111 0 101 110\r\n"));
        assert!(offer.contains("a=setup:actpass\r\n") && !offer.contains("a=crypto"));
        // A browser answers as the one that begins, and has the whole of ICE.
        let (said, theirs) =
            answer(offer.replace("a=ice-lite\r\n", "").as_bytes(), &there).expect("we fit");
        let said = said.replace("a=ice-lite\r\n", "").replace("passive", "active");
        let ours = accept(said.as_bytes(), &here).expect("we fit").web.expect("a pairing");
        let theirs = theirs.web.expect("a pairing");
        assert_eq!((&ours.ours, &ours.theirs), (&theirs.theirs, &theirs.ours));
        assert_eq!(accept(SIPP.as_bytes(), &here), Err(Refusal::KEYS), "it must not be plain");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_offer_is_answered_wrongly(
            which in 0_usize..7,
            changes in prop::collection::vec((0_usize..1_200, any::<u8>(), 0_usize..40), 0..6),
        ) {
            let chrome = chrome();
            let offers = [ASTERISK, FREESWITCH, CISCO, TWILIO, BARESIP, &chrome, SIPP];
            let mut offer = offers[which].as_bytes().to_vec();
            for (at, octet, length) in changes {
                let at = at % offer.len();
                // A zero length changes one octet, every other doubles or cuts a piece.
                let end = (at + length).min(offer.len());
                match length % 3 {
                    0 => offer[at] = octet,
                    1 => drop(offer.drain(at..end)),
                    _ => offer = [&offer[..end], &offer[at..]].concat(),
                }
                if offer.is_empty() {
                    offer.push(octet);
                }
            }
            if let Ok((answer, agreed)) = answer(&offer, &of_the_web(5)) {
                valid(&offer, &answer);
                prop_assert!(agreed.remote.port() != 0 || agreed.web.is_some());
            }
            let _ = accept(&offer, &of_the_web(5));
        }
    }
}
