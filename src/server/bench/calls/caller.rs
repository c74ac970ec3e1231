//! A light caller: a bare socket that begins calls, ends them, and repeats what gets no answer. It
//! sends no media. One thread does everything, so that it costs little beside the server.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::engine::clock;
use crate::net::udp;

/// Makes calls to one server.
#[derive(Debug)]
pub struct Caller {
    socket: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    last: u64,
    /// Calls on which something is awaited.
    open: BTreeMap<u64, Open>,
    /// Calls that ring, and go on to.
    standing: BTreeSet<u64>,
    /// Calls that were answered and go on: the tag of each and where it takes audio.
    talks: BTreeMap<u64, (String, u16)>,
    /// Where this caller takes audio.
    audio: u16,
    done: Tally,
    /// How many calls of this round wait for their turn.
    to_begin: usize,
    /// How many calls begin in a second at most, where that is said.
    pace: Option<usize>,
    /// When the round began, and how many calls it has begun.
    began: (Instant, usize),
    buffer: Box<[u8]>,
}

/// How calls fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// They went as they should.
    pub whole: usize,
    /// They did not.
    pub lost: usize,
    /// Requests that had to be sent again.
    pub repeated: usize,
}

/// What becomes of the calls of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Each is answered and ended at once.
    Whole,
    /// Each rings and goes on to: a dialog without media of its own.
    Stand,
    /// Each is refused.
    Refused,
    /// Each is answered by an echo and goes on.
    Echo,
    /// Each is answered by a tone and goes on.
    Tone,
}

impl Course {
    fn extension(self) -> &'static str {
        match self {
            Self::Whole | Self::Echo => "echo",
            Self::Tone => "tone",
            Self::Stand => "ring",
            Self::Refused => "busy",
        }
    }
}

#[derive(Debug)]
struct Open {
    course: Course,
    method: &'static str,
    tag: String,
    sent: Instant,
    times: usize,
}

impl Caller {
    /// Opens a socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let socket = udp::bind(SocketAddr::new(server.ip(), 0), udp::SIP_BUFFER)?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            local,
            server,
            // No two callers name a call alike: the second would be taken for a loop.
            last: u64::from(local.port()) * 1_000_000,
            open: BTreeMap::new(),
            standing: BTreeSet::new(),
            talks: BTreeMap::new(),
            audio: DISCARD,
            done: Tally::default(),
            to_begin: 0,
            pace: None,
            began: (clock::now(), 0),
            buffer: vec![0; 4_096].into_boxed_slice(),
        })
    }

    /// From now on no more than so many calls begin in a second.
    pub fn pace(&mut self, calls: usize) {
        self.pace = Some(calls);
    }

    /// Makes so many calls, at most `at_once` of them at any time; tells how they fared.
    pub fn make(&mut self, calls: usize, at_once: usize, course: Course) -> Tally {
        self.done = Tally::default();
        self.to_begin = calls;
        self.began = (clock::now(), 0);
        loop {
            while self.may_begin_beside(at_once) {
                self.begin(course);
            }
            if self.open.is_empty() {
                if self.to_begin == 0 {
                    return self.done;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            self.attend(course, at_once);
        }
    }

    /// Whether it is time for another call, and fewer than so many are under way.
    fn may_begin_beside(&self, at_once: usize) -> bool {
        let (since, begun) = self.began;
        let due = self.pace.map(|pace| since.elapsed().as_secs_f64() * pace as f64);
        let has_room = self.to_begin > 0 && self.open.len() < at_once;
        has_room && due.is_none_or(|due| (begun as f64) < due)
    }

    /// Ends every call that stands, `at_once` of them at any time.
    pub fn end_standing(&mut self, at_once: usize) -> Tally {
        self.done = Tally::default();
        let standing: Vec<u64> = std::mem::take(&mut self.standing).into_iter().collect();
        for some in standing.chunks(at_once.max(1)) {
            for number in some {
                self.ask(*number, ("CANCEL", String::new()), Course::Stand);
            }
            self.attend(Course::Stand, 0);
        }
        self.done
    }

    /// Makes so many calls that go on, with audio for that port; gives the ports where those that
    /// were answered take theirs.
    pub fn invite(&mut self, calls: usize, (course, audio): (Course, u16)) -> Vec<u16> {
        self.audio = audio;
        self.make(calls, TALKS_AT_ONCE, course);
        self.talks.values().map(|(_, port)| *port).collect()
    }

    /// Ends every call that goes on.
    pub fn end_talks(&mut self) -> Tally {
        self.done = Tally::default();
        let talks: Vec<(u64, (String, u16))> =
            std::mem::take(&mut self.talks).into_iter().collect();
        for some in talks.chunks(TALKS_AT_ONCE) {
            for (number, (tag, _)) in some {
                self.ask(*number, ("BYE", tag.clone()), Course::Whole);
            }
            self.attend(Course::Whole, 0);
        }
        self.done
    }

    /// Takes answers until nothing is awaited any more, or a further call may begin.
    fn attend(&mut self, course: Course, at_once: usize) {
        let mut looked = clock::now();
        while !self.open.is_empty() && !self.may_begin_beside(at_once) {
            if let Ok((length, _)) = self.socket.recv_from(&mut self.buffer) {
                let answer = self.buffer.get(..length).unwrap_or_default();
                let answer = String::from_utf8_lossy(answer).into_owned();
                self.hear(&answer, course);
            }
            let now = clock::now();
            if now.saturating_duration_since(looked) >= LOOK {
                looked = now;
                self.repeat(now);
            }
        }
    }

    fn hear(&mut self, answer: &str, course: Course) {
        let Some(heard) = Heard::read(answer) else { return };
        if heard.method == "INVITE" && heard.status >= 200 {
            let method = if heard.status < 300 { "ACK" } else { REFUSAL_ACK };
            let ack = self.request(heard.number, (method, heard.tag), course);
            self.send(&ack);
        }
        let Some(open) = self.open.get(&heard.number) else { return };
        let least = if open.course == Course::Stand { 180 } else { 200 };
        if heard.status < least || open.method != heard.method {
            return;
        }
        let tag = heard.tag.to_owned();
        match (open.course, open.method, heard.status) {
            (Course::Whole, "INVITE", 200) => self.ask(heard.number, ("BYE", tag), course),
            (Course::Echo | Course::Tone, "INVITE", 200) => {
                self.talks.insert(heard.number, (tag, heard.audio));
                self.over(heard.number, true);
            }
            (Course::Stand, "INVITE", 180) => {
                self.standing.insert(heard.number);
                self.over(heard.number, true);
            }
            (Course::Refused, "INVITE", 486) | (_, "BYE" | "CANCEL", 200) => {
                self.over(heard.number, true);
            }
            _ => self.over(heard.number, false),
        }
    }

    fn over(&mut self, number: u64, is_whole: bool) {
        self.open.remove(&number);
        *(if is_whole { &mut self.done.whole } else { &mut self.done.lost }) += 1;
    }

    fn begin(&mut self, course: Course) {
        self.to_begin -= 1;
        self.began.1 += 1;
        self.last += 1;
        self.ask(self.last, ("INVITE", String::new()), course);
    }

    /// Sends a request and awaits its answer.
    fn ask(&mut self, number: u64, (method, tag): (&'static str, String), course: Course) {
        let request = self.request(number, (method, &tag), course);
        self.send(&request);
        self.open.insert(number, Open { course, method, tag, sent: clock::now(), times: 1 });
    }

    fn repeat(&mut self, now: Instant) {
        let late = |open: &Open| now.saturating_duration_since(open.sent) >= REPEAT;
        let late: Vec<u64> =
            self.open.iter().filter(|(_, open)| late(open)).map(|(number, _)| *number).collect();
        for number in late {
            let Some(open) = self.open.get_mut(&number) else { continue };
            open.times += 1;
            open.sent = now;
            if open.times > MOST_TIMES {
                self.over(number, false);
                continue;
            }
            self.done.repeated += 1;
            let (method, tag, course) = (open.method, open.tag.clone(), open.course);
            let request = self.request(number, (method, &tag), course);
            self.send(&request);
        }
    }

    /// A full buffer loses it; it is repeated.
    fn send(&self, request: &str) {
        self.socket.send_to(request.as_bytes(), self.server).ok();
    }

    /// A request as a carrier's border element writes it.
    fn request(&self, number: u64, (method, tag): (&str, &str), course: Course) -> String {
        let (local, server, extension) = (self.local, self.server, course.extension());
        let ip = local.ip();
        let is_invite = method == "INVITE";
        let body = if is_invite {
            BODY.replace("IP", &ip.to_string()).replace("PORT", &self.audio.to_string())
        } else {
            String::new()
        };
        let more = if is_invite { INVITE_HEADERS } else { "" };
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let sequence = if method == "BYE" { 103 } else { 102 };
        // The ACK of a refusal and a CANCEL belong to the transaction of the INVITE (9.1, 17.1.1.3).
        let (method, branch) = match method {
            REFUSAL_ACK => ("ACK", "INVITE"),
            "CANCEL" => ("CANCEL", "INVITE"),
            other => (other, other),
        };
        format!(
            "{method} sip:{extension}@{server};user=phone SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK8f3b6c2a{number}{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Anna M\u{fc}ller\" <sip:+491701234567@carrier.example;user=phone>;tag=as58{number}\r\n\
             To: <sip:{extension}@{server};user=phone>{tag}\r\n\
             Contact: <sip:+491701234567@{local};transport=udp>\r\n\
             Call-ID: {number}_5f2e9a771b3c4d0e8a6b@carrier.example\r\n\
             CSeq: {sequence} {method}\r\n\
             User-Agent: Carrier SBC 7.4\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// What stands in an answer.
#[derive(Debug, PartialEq, Eq)]
struct Heard<'a> {
    status: u16,
    number: u64,
    method: &'a str,
    tag: &'a str,
    /// Where audio is taken; 0 without a description.
    audio: u16,
}

impl<'a> Heard<'a> {
    fn read(answer: &'a str) -> Option<Self> {
        let status = answer.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let value = |name: &str| {
            let (_, rest) = answer.split_once(name)?;
            rest.split("\r\n").next()
        };
        let (number, _) = value("\r\nCall-ID: ")?.split_once('_')?;
        let (_, method) = value("\r\nCSeq: ")?.split_once(' ')?;
        let tag = value("\r\nTo: ")?.split_once(";tag=").map_or("", |(_, tag)| tag);
        let audio = value("\r\nm=audio ").and_then(|it| it.split(' ').next()?.parse().ok());
        let audio = audio.unwrap_or_default();
        Some(Self { status, number: number.parse().ok()?, method, tag, audio })
    }
}

/// What an ACK is called here that acknowledges a refusal.
const REFUSAL_ACK: &str = "ACK of a refusal";

const INVITE_HEADERS: &str = "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, \
NOTIFY, INFO, PUBLISH, UPDATE\r\n\
Supported: replaces, timer, 100rel\r\n\
P-Asserted-Identity: <sip:+491701234567@carrier.example>\r\n\
Content-Type: application/sdp\r\n";

const BODY: &str = "v=0\r\no=- 81724 81724 IN IP4 IP\r\ns=-\r\nc=IN IP4 IP\r\nt=0 0\r\n\
m=audio PORT RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// The port of those who take no audio (RFC 863).
const DISCARD: u16 = 9;

/// How many calls that go on begin or end at any time.
const TALKS_AT_ONCE: usize = 16;

/// How often the caller looks whether an answer is late.
const LOOK: Duration = Duration::from_millis(100);

/// After how long a request is sent again (T1 of RFC 3261).
const REPEAT: Duration = Duration::from_millis(500);

/// How often a request is sent at most.
const MOST_TIMES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9\r\nFrom: <sip:a@b>;tag=x\r\n\
                      To: <sip:echo@127.0.0.1>;tag=abc\r\nCall-ID: 17_5f2e@carrier.example\r\n\
                      CSeq: 102 INVITE\r\nContent-Length: 0\r\n\r\n";
        let heard = Heard { status: 200, number: 17, method: "INVITE", tag: "abc", audio: 0 };
        assert_eq!(Heard::read(answer), Some(heard));
        assert_eq!(Heard::read("BYE sip:a@b SIP/2.0\r\n\r\n"), None);
        assert_eq!(Heard::read("SIP/2.0 200 OK\r\nCall-ID: none\r\n\r\n"), None);
    }
}
