//! What one audio line says: formats, address, direction.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sdp_types::{Connection, Media, Session};

use crate::audio::codec::Codec;
use crate::audio::library::Profile;
use crate::sdp::crypto::{self, Crypto};
use crate::sdp::opus;
use crate::sdp::refusal::Refusal;
use crate::sdp::session::{MUX, in_force, values};
use crate::sdp::web::{self, Theirs};

/// An audio line that we can understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whether its owner insists on SRTP.
    pub transport: Transport,
    /// The end of a browser.
    pub web: Option<Theirs>,
    /// The keys that we can take, in the order of the line.
    pub keys: Vec<Crypto>,
    /// Whether RTCP may come to the port of RTP (RFC 5761).
    pub mux: bool,
    /// The codecs that we know, with their payload types, in the order of the line.
    pub codecs: Vec<(u8, Codec)>,
    /// The keys of the telephone as events, for each clock that they are offered with.
    pub events: Vec<Events>,
    /// The payload type of comfort noise for codecs with a clock of 8 kHz, if it is understood
    /// (RFC 3389).
    pub comfort: Option<u8>,
    /// What its owner wants to be sent in Opus.
    pub profile: Profile,
    /// Where its owner wants RTP.
    pub rtp: SocketAddr,
    /// Where its owner wants RTCP.
    pub rtcp: SocketAddr,
    /// The direction, from its owner's view. An address of zeros, the hold of RFC 2543, means that
    /// its owner does not receive.
    pub direction: Direction,
    /// How much audio its owner would like in a packet, if it says so.
    pub ptime: Option<Duration>,
    /// How much audio its owner takes in a packet at most, if it says so.
    pub maxptime: Option<Duration>,
}

/// How packets of a line look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `RTP/AVP`, `RTP/AVPF`: in the clear, unless keys stand there and both want them.
    Plain,
    /// `RTP/SAVP`, `RTP/SAVPF`: hidden.
    Secured,
    /// `UDP/TLS/RTP/SAVPF`: hidden by the keys of a handshake, as browsers do it (RFC 5764).
    Web,
}

/// The payload type of telephone-event (RFC 4733) and how far its events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    /// The payload type.
    pub payload_type: u8,
    /// The clock by which they last: that of the codec, or 8 kHz.
    pub clock_rate: u32,
    /// Whether flash (event 16) is among them, beside the sixteen keys.
    pub range: EventRange,
}

/// Which telephone events are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventRange {
    /// `0-15`: the keys; what holds when nothing is said (RFC 4733 2.4.1).
    Keys,
    /// `0-16`: the keys and flash.
    KeysAndFlash,
}

/// Which ways media flows, from the view of whoever says it (RFC 3264 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// Only from the one who says it.
    SendOnly,
    /// Only to the one who says it.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Line {
    /// Reads the audio line `media` of `session`.
    ///
    /// # Errors
    /// When it is not active audio over RTP or SRTP, or its address is none that we can send to.
    pub fn read(session: &Session, media: &Media) -> Result<Self, Refusal> {
        if media.media != "audio" || media.port == 0 {
            return Err(Refusal::NO_AUDIO);
        }
        let transport = match media.proto.as_str() {
            "RTP/AVP" | "RTP/AVPF" => Transport::Plain,
            "RTP/SAVP" | "RTP/SAVPF" => Transport::Secured,
            "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP" => Transport::Web,
            _ => return Err(Refusal::TRANSPORT),
        };
        let (web, rtp) = match transport {
            // Where a browser is reached is found by ICE; what the line says is a mere guess.
            Transport::Web => (Some(web::read(session, media)?), NOWHERE),
            Transport::Plain | Transport::Secured => (None, place(session, media)?),
        };
        let direction = direction(session, media);
        let is_deaf = web.is_none() && rtp.ip().is_unspecified();
        let direction = if is_deaf { direction.deaf() } else { direction };
        let codecs = codecs(media);
        let opus = codecs.iter().find(|(_, codec)| *codec == Codec::Opus);
        Ok(Self {
            transport,
            web,
            keys: crypto::lines(media).take(MAX_KEYS).collect(),
            mux: values(&media.attributes, MUX).next().is_some(),
            profile: opus.map_or_else(Profile::default, |(number, _)| opus::read(media, *number)),
            codecs,
            events: events(media),
            comfort: comfort(media),
            rtp,
            rtcp: rtcp(media, rtp),
            direction,
            ptime: millis(media, "ptime"),
            maxptime: millis(media, "maxptime"),
        })
    }

    /// The events that go with a codec: those of its own clock, or else those of 8 kHz, which many
    /// offer alone.
    pub fn events_with(&self, codec: Codec) -> Option<Events> {
        let of = |clock: u32| self.events.iter().find(|events| events.clock_rate == clock);
        of(codec.clock_rate()).or_else(|| of(8_000)).copied()
    }
}

impl Direction {
    /// The same from the other side.
    pub fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            Self::SendReceive | Self::Inactive => self,
        }
    }

    /// Tells whether the one who says it sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// Tells whether the one who says it receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// The name of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same without receiving.
    fn deaf(self) -> Self {
        match self {
            Self::SendReceive | Self::SendOnly => Self::SendOnly,
            Self::ReceiveOnly | Self::Inactive => Self::Inactive,
        }
    }
}

/// Where the line wants its media.
fn place(session: &Session, media: &Media) -> Result<SocketAddr, Refusal> {
    let connection = media.connections.first().or(session.connection.as_ref());
    let address = address(connection.ok_or(Refusal::ADDRESS)?)?;
    Ok(SocketAddr::new(address, media.port))
}

/// Reads an address that we could send to. Names are not looked up: media goes to addresses that
/// the peer wrote itself (RFC 8866 5.7 allows names, and nobody's telephone sends them).
fn address(connection: &Connection) -> Result<IpAddr, Refusal> {
    // Some write a time to live, as multicast has it, behind a unicast address.
    let text = connection.connection_address.split('/').next().unwrap_or_default();
    let address: IpAddr = text.parse().map_err(|_| Refusal::ADDRESS)?;
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_multicast() || broadcast {
        return Err(Refusal::MULTICAST);
    }
    Ok(address)
}

/// Media-level direction wins over the session's (RFC 8866 6.7); the last one written counts.
fn direction(session: &Session, media: &Media) -> Direction {
    let named = |name: &str| {
        [Direction::SendReceive, Direction::SendOnly, Direction::ReceiveOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    };
    in_force(session, media)
        .find_map(|attribute| named(attribute.attribute.trim()))
        .unwrap_or(Direction::SendReceive)
}

/// The formats of the line that are numbers a payload type can have, as one writes them: an answer
/// repeats the formats of the offer (RFC 3264 6.1), so that `00` or `+8` is none.
fn formats(media: &Media) -> impl Iterator<Item = u8> {
    let plain =
        |format: &&str| !format.starts_with('+') && (*format == "0" || !format.starts_with('0'));
    let formats = media.fmt.split_ascii_whitespace().filter(plain);
    formats.filter_map(|format| format.parse().ok()).filter(|number| *number < 128)
}

/// The name and clock rate of a format: of its `a=rtpmap`, or what RFC 3551 says of its number.
fn encoding(media: &Media, payload_type: u8) -> Option<(&str, u32)> {
    let mapped = values(&media.attributes, "rtpmap").find_map(|value| {
        let (number, encoding) = value.split_once(|it: char| it.is_ascii_whitespace())?;
        (number.parse() == Ok(payload_type)).then_some(encoding.trim())
    });
    let Some(mapped) = mapped else {
        let fixed = Codec::of_static(payload_type).map(|codec| (codec.name(), codec.clock_rate()));
        return fixed.or((payload_type == COMFORT_NOISE).then_some((COMFORT, 8_000)));
    };
    // Asterisk writes `opus/48000 2`.
    let mut parts = mapped.split(|it: char| it == '/' || it.is_ascii_whitespace());
    let (name, rate) = (parts.next()?, parts.next()?.parse().ok()?);
    // RFC 7587 7 has two channels in the name of Opus, however many there are.
    let opus = name.eq_ignore_ascii_case(Codec::Opus.name());
    parts.next().is_none_or(|channels| opus || channels == "1").then_some((name, rate))
}

fn codecs(media: &Media) -> Vec<(u8, Codec)> {
    let codec = |payload_type| {
        let (name, rate) = encoding(media, payload_type)?;
        Codec::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name) && codec.clock_rate() == rate)
    };
    let known = formats(media).filter_map(|it| Some((it, codec(it)?)));
    known.take(MAX_FORMATS).collect()
}

fn events(media: &Media) -> Vec<Events> {
    let of = |payload_type: u8| {
        let (name, clock_rate) = encoding(media, payload_type)?;
        let range = range(media, payload_type);
        let event = name.eq_ignore_ascii_case(EVENT) && clock_rate > 0;
        event.then_some(Events { payload_type, clock_rate, range })
    };
    formats(media).take(MAX_FORMATS).filter_map(of).take(MAX_EVENTS).collect()
}

fn range(media: &Media, payload_type: u8) -> EventRange {
    let flash = values(&media.attributes, "fmtp").any(|value| {
        let (number, events) = value.split_once(' ').unwrap_or((value, ""));
        let mut ranges = events
            .split(',')
            .map(|range| range.trim().split_once('-').unwrap_or((range.trim(), range.trim())));
        number.parse() == Ok(payload_type)
            && ranges.any(|(first, last)| {
                let bounds = (first.parse::<u8>(), last.parse::<u8>());
                matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&16))
            })
    });
    if flash { EventRange::KeysAndFlash } else { EventRange::Keys }
}

fn comfort(media: &Media) -> Option<u8> {
    let of_8_khz = |payload_type: &u8| {
        encoding(media, *payload_type)
            .is_some_and(|(name, rate)| name.eq_ignore_ascii_case(COMFORT) && rate == 8_000)
    };
    formats(media).take(MAX_FORMATS).find(of_8_khz)
}

/// `a=rtcp:53020 IN IP4 126.16.64.4` (RFC 3605); without it, the next port (RFC 3550 11).
fn rtcp(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let next = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1).unwrap_or(rtp.port()));
    let Some(value) = values(&media.attributes, "rtcp").next() else { return next };
    let mut parts = value.split_ascii_whitespace();
    let port = parts.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let Some(port) = port else { return next };
    let host = parts.nth(2).and_then(|address| address.parse::<IpAddr>().ok());
    let usable = host.filter(|host| {
        host.is_ipv4() == rtp.is_ipv4() && !host.is_multicast() && !host.is_unspecified()
    });
    SocketAddr::new(usable.unwrap_or(rtp.ip()), port)
}

fn millis(media: &Media, name: &str) -> Option<Duration> {
    let millis = values(&media.attributes, name).next()?.parse().ok()?;
    (1..=200).contains(&millis).then_some(Duration::from_millis(millis))
}

/// No address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Nobody has so many suites.
const MAX_KEYS: usize = 16;

/// The name of telephone events in `a=rtpmap`.
pub const EVENT: &str = "telephone-event";

/// The name of comfort noise in `a=rtpmap`.
pub const COMFORT: &str = "CN";

/// Its static payload type (RFC 3389 4).
pub const COMFORT_NOISE: u8 = 13;

/// There are not so many clocks.
const MAX_EVENTS: usize = 8;

/// More formats than there are numbers are repetitions.
const MAX_FORMATS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::session;

    fn line(text: &str) -> Result<Line, Refusal> {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
        let session = session::parse(format!("{head}{text}").as_bytes())?;
        Line::read(&session, session.medias.first().expect("the test wrote one"))
    }

    #[test]
    fn static_and_dynamic_payload_types_are_known_by_what_they_carry() {
        let line = line(
            "m=audio 4000 RTP/AVP 96 00 +8 0 97 8 3 300 x\r\na=rtpmap:96 pcma/8000/1\r\n\
             a=rtpmap:97 PCMU/16000\r\na=rtpmap:8 iLBC/8000\r\n",
        );
        assert_eq!(line.map(|it| it.codecs), Ok(vec![(96, Codec::Pcma), (0, Codec::Pcmu)]));
    }

    #[test]
    fn the_names_of_wide_codecs_are_known_as_they_are_written() {
        let line = line(
            "m=audio 4000 RTP/AVP 107 9 96 97 98 18 13\r\na=rtpmap:107 OPUS/48000 2\r\n\
             a=rtpmap:96 l16/16000\r\na=rtpmap:97 L16/44100/2\r\na=rtpmap:98 opus/48000\r\n\
             a=fmtp:107 maxplaybackrate=16000; useinbandfec=1\r\na=ptime:30\r\na=maxptime:150\r\n",
        );
        let line = line.expect("it is good");
        let codecs =
            [(107, Codec::Opus), (9, Codec::G722), (96, Codec::L16Wide), (98, Codec::Opus)];
        assert_eq!(line.codecs[..4], codecs);
        assert_eq!((line.codecs[4], line.comfort), ((18, Codec::G729), Some(13)));
        assert!(line.profile.fec && line.profile.playback.0 == 16_000);
        let lengths = (line.ptime, line.maxptime);
        let millis = Duration::from_millis;
        assert_eq!(lengths, (Some(millis(30)), Some(millis(150))));
    }

    #[test]
    fn events_are_taken_with_the_clock_of_the_codec() {
        let line = line(
            "m=audio 4000 RTP/AVP 111 0 101 110\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=rtpmap:110 telephone-event/48000\r\n",
        );
        let line = line.expect("it is good");
        let with = |codec| line.events_with(codec).map(|it| (it.payload_type, it.clock_rate));
        assert_eq!(with(Codec::Opus), Some((110, 48_000)));
        assert_eq!(with(Codec::Pcmu), Some((101, 8_000)));
        assert_eq!(with(Codec::L16Wide), Some((101, 8_000)), "for want of its own");
    }

    #[test]
    fn events_go_to_sixteen_only_if_it_says_so() {
        let range = |fmtp: &str| {
            let text = format!(
                "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n{fmtp}"
            );
            line(&text).ok().and_then(|it| it.events.first().map(|events| events.range))
        };
        assert_eq!(range(""), Some(EventRange::Keys));
        assert_eq!(range("a=fmtp:101 0-15\r\n"), Some(EventRange::Keys));
        assert_eq!(range("a=fmtp:101 0-15,66,70\r\n"), Some(EventRange::Keys));
        assert_eq!(range("a=fmtp:101 0-16\r\n"), Some(EventRange::KeysAndFlash));
        assert_eq!(range("a=fmtp:101 0-11, 16\r\n"), Some(EventRange::KeysAndFlash));
        assert_eq!(range("a=fmtp:100 0-16\r\n"), Some(EventRange::Keys));
    }

    #[test]
    fn the_address_of_the_line_wins_and_rtcp_may_have_its_own() {
        let two = line("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=rtcp:4005\r\n");
        let two = two.expect("it is good");
        assert_eq!(two.rtp.to_string(), "192.0.2.9:4000");
        assert_eq!(two.rtcp.to_string(), "192.0.2.9:4005");
        let other = line("m=audio 4000 RTP/AVP 0\r\na=rtcp:53020 IN IP4 126.16.64.4\r\n");
        assert_eq!(other.map(|it| it.rtcp.to_string()), Ok("126.16.64.4:53020".to_owned()));
        let odd = line("m=audio 65535 RTP/AVP 0\r\na=rtcp:0 IN IP4 224.0.0.1\r\n");
        assert_eq!(odd.map(|it| it.rtcp.to_string()), Ok("192.0.2.1:65535".to_owned()));
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused_with_its_reason() {
        let refused = |text: &str| line(text).expect_err(text);
        assert_eq!(refused("m=video 4000 RTP/AVP 0\r\n"), Refusal::NO_AUDIO);
        assert_eq!(refused("m=audio 0 RTP/AVP 0\r\n"), Refusal::NO_AUDIO);
        assert_eq!(refused("m=audio 4000 TCP/TLS/RTP/SAVP 0\r\n"), Refusal::TRANSPORT);
        let host = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 host.example.com\r\n";
        assert_eq!(refused(host), Refusal::ADDRESS);
        let group = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.17.12/127\r\n";
        assert_eq!(refused(group), Refusal::MULTICAST);
    }

    #[test]
    fn zeros_are_an_old_hold() {
        let direction = |text: &str| line(text).map(|it| it.direction);
        let zeros = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n";
        assert_eq!(direction(zeros), Ok(Direction::SendOnly));
        assert_eq!(direction(&format!("{zeros}a=recvonly\r\n")), Ok(Direction::Inactive));
        assert_eq!(direction("m=audio 4000 RTP/AVP 0\r\n"), Ok(Direction::SendReceive));
    }
}
