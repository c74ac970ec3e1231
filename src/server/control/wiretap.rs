//! From the messages of a shard to those that an operator wants to see.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::base::id::CallId;
use crate::engine::sip_shard::{Question, SipHandle};
use crate::server::control::asking::{ask_shard, json};
use crate::server::control::protocol::{Fault, Wish};
use crate::server::control::times::When;
use crate::server::control::view::MessageView;
use crate::sip::address::NameAddr;
use crate::sip::message::Message;
use crate::sip::redact::redacted;
use crate::sip::trace::{Entry, Heading};

/// Sends the messages that are wanted; tells how many were missed.
pub async fn run(sip: &SipHandle, wish: Wish, out: mpsc::Sender<Value>) -> u64 {
    let mut tap = Wiretap::new(wish);
    let missed = tap.flow(sip, &out).await;
    missed.unwrap_or_default()
}

/// One operator who looks at messages.
#[derive(Debug)]
struct Wiretap {
    wish: Wish,
    /// How often each message was seen.
    seen: HashMap<u64, u32>,
    /// Who is where.
    names: HashMap<SocketAddr, Option<Arc<str>>>,
    /// Which call a Call-ID belongs to.
    calls: HashMap<String, Option<CallId>>,
    /// Groups that are wanted, while looking on.
    wanted: HashSet<String>,
    unwanted: HashSet<String>,
}

/// What belongs together.
#[derive(Debug, Default)]
struct Group {
    messages: Vec<MessageView>,
}

impl Wiretap {
    fn new(wish: Wish) -> Self {
        Self {
            wish,
            seen: HashMap::new(),
            names: HashMap::new(),
            calls: HashMap::new(),
            wanted: HashSet::new(),
            unwanted: HashSet::new(),
        }
    }

    async fn flow(&mut self, sip: &SipHandle, out: &mpsc::Sender<Value>) -> Result<u64, Fault> {
        // First the ear to the wire, then the past: nothing falls in between.
        let live = match self.wish.follow {
            true => Some(ask_shard(sip, Question::Follow).await?),
            false => None,
        };
        let mut newest = 0;
        for message in self.past(sip).await? {
            newest = newest.max(message.number);
            if out.send(json(&message)).await.is_err() {
                return Ok(0);
            }
        }
        let Some(mut live) = live else { return Ok(0) };
        let mut missed = 0_u64;
        loop {
            let entry = match live.recv().await {
                Ok(entry) => entry,
                Err(RecvError::Lagged(count)) => {
                    missed = missed.saturating_add(count);
                    continue;
                }
                Err(RecvError::Closed) => return Ok(missed),
            };
            if entry.number <= newest {
                continue;
            }
            let message = self.read(&entry, sip).await?;
            if self.wants_now(&message) && out.send(json(&message)).await.is_err() {
                return Ok(missed);
            }
        }
    }

    /// The messages of late that are wanted.
    async fn past(&mut self, sip: &SipHandle) -> Result<Vec<MessageView>, Fault> {
        let last = match (self.wish.last, self.wish.follow) {
            (Some(last), _) => last,
            // Who looks on wants to see what comes.
            (None, true) => 0,
            (None, false) => USUALLY_LAST,
        };
        let excerpt = ask_shard(sip, Question::Trace).await?;
        let remotes: HashSet<SocketAddr> =
            excerpt.entries.iter().map(|it| it.flow.remote).collect();
        let remotes: Vec<SocketAddr> = remotes.into_iter().collect();
        let names = ask_shard(sip, |asker| Question::Names(remotes.clone(), asker)).await?;
        self.names = remotes.into_iter().zip(names).collect();
        for (call_id, call) in excerpt.calls {
            self.calls.insert(call_id.into(), Some(call));
        }
        let when = When::now();
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for entry in &excerpt.entries {
            let message = self.view(entry, when);
            let group = groups.entry(message.group.clone()).or_default();
            if group.messages.is_empty() {
                order.push(message.group.clone());
            }
            group.messages.push(message);
        }
        order.retain(|name| groups.get(name).is_some_and(|group| self.wants(&group.messages)));
        let before = order.len().saturating_sub(last);
        let mut chosen: Vec<MessageView> = Vec::new();
        for name in order.split_off(before) {
            chosen.extend(groups.remove(&name).unwrap_or_default().messages);
            self.wanted.insert(name);
        }
        chosen.sort_by_key(|message| message.number);
        Ok(chosen)
    }

    /// A message that has just been said.
    async fn read(&mut self, entry: &Entry, sip: &SipHandle) -> Result<MessageView, Fault> {
        let remote = entry.flow.remote;
        // A peer may have got a name meanwhile: a phone that has just registered.
        if self.names.get(&remote).is_none_or(Option::is_none) {
            let found = ask_shard(sip, |asker| Question::Names(vec![remote], asker)).await?;
            remember(&mut self.names, remote, found.into_iter().next().flatten());
        }
        let message = self.view(entry, When::now());
        if message.call_id.is_empty()
            || self.calls.get(&message.call_id).is_some_and(Option::is_some)
        {
            return Ok(message);
        }
        let call_id: Box<str> = message.call_id.as_str().into();
        let call = ask_shard(sip, |asker| Question::CallOf(call_id, asker)).await?;
        let Some(call) = call else { return Ok(message) };
        remember(&mut self.calls, message.call_id.clone(), Some(call));
        // What was shown of it under its Call-ID goes on under the name of the call.
        let group = call.to_string();
        for list in [&mut self.wanted, &mut self.unwanted] {
            if list.remove(&message.group) {
                list.insert(group.clone());
            }
        }
        Ok(MessageView { group, ..message })
    }

    /// Whether what belongs together is wanted.
    fn wants(&self, messages: &[MessageView]) -> bool {
        let wish = &self.wish;
        let has = |wanted: &Option<String>, is: &dyn Fn(&MessageView, &str) -> bool| {
            wanted.as_ref().is_none_or(|text| messages.iter().any(|message| is(message, text)))
        };
        let is_call = messages.iter().any(|message| message.method == "INVITE");
        (is_call || wish.all || wish.call.is_some())
            && has(&wish.call, &|it, text| it.group.ends_with(text) || it.call_id.ends_with(text))
            && has(&wish.from, &|it, text| contains(&it.from, text))
            && has(&wish.to, &|it, text| contains(&it.to, text))
            && has(&wish.trunk, &|it, text| it.peer.as_deref() == Some(text))
    }

    /// Whether a message of now is wanted: once what it belongs to is, all of it.
    fn wants_now(&mut self, message: &MessageView) -> bool {
        if self.wanted.contains(&message.group) {
            return true;
        }
        // The other leg of a call may be the one that is looked for.
        let is_wanted = self.wants(std::slice::from_ref(message));
        let list = if is_wanted { &mut self.wanted } else { &mut self.unwanted };
        if list.len() >= MOST_REMEMBERED {
            list.clear();
        }
        list.insert(message.group.clone());
        is_wanted
    }

    /// How an operator sees a message.
    fn view(&mut self, entry: &Entry, when: When) -> MessageView {
        let repeat = self.repeats(entry);
        let message = Message::parse_datagram(&entry.bytes).ok();
        let read = message.as_ref();
        let method = match read.map(|it| (it.method(), it.cseq())) {
            Some((Some(method), _)) => method.as_str().to_owned(),
            Some((None, Ok(cseq))) => cseq.method.as_str().to_owned(),
            Some((None, Err(_))) | None => String::new(),
        };
        let status = read.and_then(Message::status);
        let call_id = read.and_then(|it| it.call_id().ok()).unwrap_or_default().to_owned();
        let call = self.calls.get(&call_id).copied().flatten();
        let group = match call {
            Some(call) => call.to_string(),
            None if call_id.is_empty() => entry.flow.remote.to_string(),
            None => call_id.clone(),
        };
        let party = |found: Option<NameAddr<'_>>| found.map(address).unwrap_or_default();
        let since_epoch = when.since_epoch(entry.at);
        MessageView {
            number: entry.number,
            at: micros(since_epoch),
            at_us: u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX),
            direction: match entry.heading {
                Heading::In => "in".to_owned(),
                Heading::Out => "out".to_owned(),
            },
            transport: entry.flow.transport.to_string(),
            local: entry.flow.local.to_string(),
            remote: entry.flow.remote.to_string(),
            peer: self.names.get(&entry.flow.remote).cloned().flatten().map(|it| it.to_string()),
            group,
            from: party(read.and_then(|it| it.from().ok())),
            to: party(read.and_then(|it| it.to().ok())),
            label: label(&entry.bytes, status, &method),
            sdp: entry.bytes.windows(SDP.len()).any(|it| it.eq_ignore_ascii_case(SDP)),
            call_id,
            method,
            status,
            repeat,
            octets: entry.bytes.len(),
            raw: self.wish.raw.then(|| redacted(&entry.bytes)),
        }
    }

    fn repeats(&mut self, entry: &Entry) -> u32 {
        let mut hasher = DefaultHasher::new();
        (entry.heading, entry.flow.remote, &entry.bytes).hash(&mut hasher);
        if self.seen.len() >= MOST_REMEMBERED {
            self.seen.clear();
        }
        let count = self.seen.entry(hasher.finish()).or_default();
        let before = *count;
        *count = count.saturating_add(1);
        before
    }
}

/// The first line in brief.
fn label(bytes: &[u8], status: Option<u16>, method: &str) -> String {
    let line = bytes.split(|octet| matches!(octet, b'\r' | b'\n')).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..LONGEST_LABEL.min(line.len())).unwrap_or(line));
    match status {
        Some(_) if matches!(method, "INVITE" | "") => {
            line.trim_start_matches("SIP/2.0 ").to_owned()
        }
        Some(_) => format!("{} ({method})", line.trim_start_matches("SIP/2.0 ")),
        None if method.is_empty() => format!("? {line}"),
        None => method.to_owned(),
    }
}

/// User and host of an address.
fn address(found: NameAddr<'_>) -> String {
    let uri = found.uri().as_str().to_owned();
    let bare = uri.split_once(':').map_or(uri.as_str(), |(_, rest)| rest);
    let bare = bare.split([';', '?']).next().unwrap_or_default();
    match bare.split_once('@') {
        // A password may stand there.
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => bare.to_owned(),
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(&wanted.to_lowercase())
}

fn micros(since_epoch: std::time::Duration) -> String {
    let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).map(|at| format!("{at:.6}")).unwrap_or_default()
}

fn remember<K: Eq + Hash, V>(table: &mut HashMap<K, V>, key: K, value: V) {
    if table.len() >= MOST_REMEMBERED {
        table.clear();
    }
    table.insert(key, value);
}

const SDP: &[u8] = b"application/sdp";

/// How many calls are shown when nobody says.
const USUALLY_LAST: usize = 5;

/// How many things are remembered while somebody looks on.
const MOST_REMEMBERED: usize = 10_000;

/// The most octets of a first line that are shown.
const LONGEST_LABEL: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::event::Flow;
    use bytes::Bytes;
    use std::time::Instant;

    fn entry(number: u64, heading: Heading, text: &str) -> Entry {
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow::udp(local, "192.0.2.9:5060".parse().unwrap());
        let bytes = Bytes::from(text.replace('\n', "\r\n"));
        Entry { number, at: Instant::now(), heading, flow, bytes }
    }

    const INVITE: &str = "INVITE sip:101@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n\
                          From: <sip:+4971:pw@h>;tag=1\nTo: <sip:101@h>\nCall-ID: a@h\n\
                          CSeq: 1 INVITE\nProxy-Authorization: Digest response=\"dead\"\n\
                          Content-Length: 0\n\n";

    #[test]
    fn a_message_is_shown_in_brief_and_its_repetition_is_marked() {
        let mut tap = Wiretap::new(Wish { raw: true, ..Wish::default() });
        let first = tap.view(&entry(1, Heading::In, INVITE), When::now());
        assert_eq!((first.label.as_str(), first.repeat), ("INVITE", 0));
        assert_eq!((first.from.as_str(), first.to.as_str()), ("+4971@h", "101@h"));
        assert_eq!((first.group.as_str(), first.direction.as_str()), ("a@h", "in"));
        assert!(!first.raw.unwrap().contains("dead"));
        assert_eq!(tap.view(&entry(2, Heading::In, INVITE), When::now()).repeat, 1);
        let bye = "SIP/2.0 200 OK\nCall-ID: a@h\nCSeq: 2 BYE\nContent-Length: 0\n\n";
        let bye = tap.view(&entry(3, Heading::Out, bye), When::now());
        assert_eq!((bye.label.as_str(), bye.method.as_str()), ("200 OK (BYE)", "BYE"));
        let garbage = tap.view(&entry(4, Heading::In, "\u{1b}[2J\n\n"), When::now());
        assert_eq!(garbage.group, "192.0.2.9:5060");
        assert!(garbage.label.starts_with("? "));
    }

    #[test]
    fn what_belongs_together_is_wanted_as_a_whole() {
        let from = Some("4971".to_owned());
        let mut tap = Wiretap::new(Wish { from, ..Wish::default() });
        let invite = tap.view(&entry(1, Heading::In, INVITE), When::now());
        assert!(tap.wants_now(&invite));
        let answer = MessageView { from: String::new(), ..invite.clone() };
        assert!(tap.wants_now(&answer), "it belongs to a call that is wanted");
        let other = MessageView { group: "b".to_owned(), ..answer };
        assert!(!tap.wants_now(&other));
        let options = MessageView { method: "OPTIONS".to_owned(), ..invite };
        assert!(!tap.wants(std::slice::from_ref(&options)));
        tap.wish.all = true;
        assert!(tap.wants(&[options]));
    }
}
