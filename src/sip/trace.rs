//! The trace: what was said on the wire of late, within so many octets. The newest pushes out the
//! oldest; what strangers say has a place of its own, so that no flood washes away the calls.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::flow::Flow;
use crate::base::id::{CallId, SessionId};

/// The messages of late.
#[derive(Debug)]
pub struct Trace {
    most: usize,
    known: Ring,
    strangers: Ring,
    next: u64,
    /// Whose Call-ID that is: the sessions of late.
    dialogs: VecDeque<(Box<str>, SessionId)>,
    /// Which call the first session of each belongs to.
    calls: VecDeque<(SessionId, CallId)>,
    /// The session whose INVITE is sent next.
    expected: Option<SessionId>,
}

/// One message on the wire.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Counts up over all of them.
    pub number: u64,
    /// When it was received, or given to the socket.
    pub at: Instant,
    /// Which way it went.
    pub heading: Heading,
    /// Between whom.
    pub flow: Flow,
    /// The octets.
    pub bytes: Bytes,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heading {
    /// To us.
    In,
    /// From us.
    Out,
}

/// Who a message came from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A trunk, a phone, or somebody that we asked something.
    Known,
    /// Nobody we know.
    Stranger,
}

/// Everything that is in a trace, to be looked at elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Excerpt {
    /// The messages, the oldest first.
    pub entries: Vec<Entry>,
    /// Which call a Call-ID belongs to.
    pub calls: Vec<(Box<str>, CallId)>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    octets: usize,
}

impl Trace {
    /// Makes a trace that holds messages of at most so many octets; of none it holds nothing.
    pub fn holding(most: usize) -> Self {
        Self {
            most,
            known: Ring::default(),
            strangers: Ring::default(),
            next: 0,
            dialogs: VecDeque::new(),
            calls: VecDeque::new(),
            expected: None,
        }
    }

    /// Counts a message and makes an entry of it.
    pub fn entry(&mut self, at: Instant, heading: Heading, flow: Flow, bytes: &Bytes) -> Entry {
        self.next = self.next.saturating_add(1);
        if heading == Heading::Out
            && bytes.starts_with(b"INVITE ")
            && let Some(session) = self.expected.take()
            && let Some(call_id) = own_call_id(bytes)
        {
            self.relate(call_id, session);
        }
        Entry { number: self.next, at, heading, flow, bytes: bytes.clone() }
    }

    /// Keeps an entry.
    pub fn keep(&mut self, peer: Peer, entry: Entry) {
        let share = self.most.checked_div(STRANGERS_SHARE).unwrap_or_default();
        match peer {
            Peer::Known => self.known.push(entry, self.most.saturating_sub(share)),
            Peer::Stranger => self.strangers.push(entry, share),
        }
    }

    /// A Call-ID is that of this session.
    pub fn relate(&mut self, call_id: &str, session: SessionId) {
        if self.most > 0 {
            push(&mut self.dialogs, (call_id.into(), session));
        }
    }

    /// The next INVITE of ours is that of this session.
    pub fn expect(&mut self, session: SessionId) {
        self.expected = Some(session);
    }

    /// A session is the first of this call.
    pub fn name(&mut self, session: SessionId, call: CallId) {
        if self.most > 0 {
            push(&mut self.calls, (session, call));
        }
    }

    /// How many messages there are, and of how many octets.
    pub fn size(&self) -> (usize, usize) {
        let count = self.known.entries.len().saturating_add(self.strangers.entries.len());
        (count, self.known.octets.saturating_add(self.strangers.octets))
    }

    /// Everything, to be looked at elsewhere: the messages are shared and not copied.
    pub fn excerpt(&self) -> Excerpt {
        let both = self.known.entries.iter().chain(&self.strangers.entries);
        let mut entries: Vec<Entry> = both.cloned().collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        let named: HashMap<SessionId, CallId> = self.calls.iter().copied().collect();
        let begun: HashMap<u64, CallId> =
            self.calls.iter().map(|(_, call)| (call.session(0).0, *call)).collect();
        let call_of = |(call_id, session): &(Box<str>, SessionId)| {
            let own = || begun.get(&(session.0 & !ANY_LEG));
            Some((call_id.clone(), *named.get(session).or_else(own)?))
        };
        Excerpt { entries, calls: self.dialogs.iter().filter_map(call_of).collect() }
    }

    /// The call that a Call-ID belongs to.
    pub fn call_with(&self, call_id: &str) -> Option<CallId> {
        let dialog = self.dialogs.iter().rev().find(|(known, _)| **known == *call_id)?;
        self.call_of(dialog.1)
    }

    /// The call of a session: named so, or begun by the call itself.
    pub fn call_of(&self, session: SessionId) -> Option<CallId> {
        let is_of = |(first, call): &&(SessionId, CallId)| {
            *first == session || call.session(0).0 == session.0 & !ANY_LEG
        };
        self.calls.iter().rev().find(is_of).map(|(_, call)| *call)
    }
}

impl Ring {
    fn push(&mut self, entry: Entry, most: usize) {
        let size = entry.size();
        if size > most {
            return;
        }
        self.octets = self.octets.saturating_add(size);
        self.entries.push_back(entry);
        while self.octets > most {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.octets = self.octets.saturating_sub(oldest.size());
        }
    }
}

impl Entry {
    /// What it costs to keep it, in octets.
    fn size(&self) -> usize {
        self.bytes.len().saturating_add(size_of::<Self>())
    }
}

/// The Call-ID of a message that we wrote: its name is written out.
fn own_call_id(bytes: &[u8]) -> Option<&str> {
    let at = bytes.windows(CALL_ID.len()).position(|window| window == CALL_ID)?;
    let value = bytes.get(at.checked_add(CALL_ID.len())?..)?;
    let line = value.split(|octet| *octet == b'\r').next()?;
    std::str::from_utf8(line).ok()
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= MOST_RELATED {
        list.pop_front();
    }
    list.push_back(item);
}

const CALL_ID: &[u8] = b"\r\nCall-ID: ";

/// Which part of the room is for strangers.
const STRANGERS_SHARE: usize = 8;

/// How many dialogs are known to belong to a call.
const MOST_RELATED: usize = 4_096;

/// The number of a leg in the identity of a session that a call begins itself.
const ANY_LEG: u64 = 0xff;

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use proptest::prelude::*;
    use std::time::Duration;

    fn flow() -> Flow {
        let local = "192.0.2.1:5060".parse().expect("an address");
        Flow::udp(local, "192.0.2.9:5060".parse().expect("an address"))
    }

    fn note(trace: &mut Trace, (heading, peer): (Heading, Peer), octets: impl Into<Bytes>) {
        let entry = trace.entry(Instant::now(), heading, flow(), &octets.into());
        trace.keep(peer, entry);
    }

    fn texts(trace: &Trace) -> Vec<String> {
        let entries = trace.excerpt().entries;
        entries.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect()
    }

    #[test]
    fn a_flood_of_strangers_leaves_the_calls_where_they_are() {
        let mut trace = Trace::holding(16_000);
        for number in 0..10 {
            note(&mut trace, (Heading::In, Peer::Known), format!("good {number}"));
        }
        for number in 0..1_000 {
            note(&mut trace, (Heading::In, Peer::Stranger), format!("bad {number}"));
        }
        let texts = texts(&trace);
        assert_eq!(texts.iter().filter(|text| text.starts_with("good")).count(), 10);
        assert_eq!(texts.last().map(String::as_str), Some("bad 999"));
    }

    #[test]
    fn both_legs_of_a_call_are_known_as_its() {
        let mut trace = Trace::holding(16_000);
        let call = CallId::new(Duration::from_secs(9), &mut Random::repeatable(1));
        trace.relate("theirs", SessionId(1 << 63));
        trace.name(SessionId(1 << 63), call);
        trace.expect(call.session(1));
        let invite = &b"INVITE sip:a@b SIP/2.0\r\nCall-ID: ours\r\n\r\n"[..];
        note(&mut trace, (Heading::Out, Peer::Known), invite);
        trace.relate("of somebody else", SessionId(77));
        let calls = trace.excerpt().calls;
        assert_eq!(calls, [("theirs".into(), call), ("ours".into(), call)]);
        assert_eq!(trace.call_with("ours"), Some(call));
        assert_eq!(trace.call_with("of somebody else"), None);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut trace = Trace::holding(0);
        note(&mut trace, (Heading::In, Peer::Known), &b"x"[..]);
        trace.relate("x", SessionId(1));
        assert_eq!(trace.size(), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_holds_its_bound_and_the_newest_in_order(
            sizes in prop::collection::vec(0_usize..2_000, 1..100),
            most in 3_000_usize..40_000,
        ) {
            let mut trace = Trace::holding(most);
            for size in &sizes {
                note(&mut trace, (Heading::In, Peer::Known), vec![b'x'; *size]);
                prop_assert!(trace.size().1 <= most);
            }
            let kept: Vec<usize> =
                trace.excerpt().entries.iter().map(|entry| entry.bytes.len()).collect();
            prop_assert_eq!(&kept[..], &sizes[sizes.len() - kept.len()..]);
            prop_assert!(!kept.is_empty());
        }
    }
}
