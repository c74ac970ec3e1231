//! A JSON file for each call, written when it ends.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::agent::after::Report;
use crate::agent::judgement::{Judged, Likelihood};
use crate::base::id::CallId;
use crate::base::price::{Cost, Unit};
use crate::call::cause::Cause;
use crate::call::record::{
    Answerer, Bridge, Callback, Consent, Disclosed, Failure, Hold, Latency, LeftQueue, Leg, Line,
    Message, NodeEntered, Pause, Queued, Record, Role, Streamed, ToolUse, Transfer, Turn,
    Voicemail,
};
use crate::call::stir::{Flaw, Verification};
use crate::call::stream::End;
use crate::call::uses::{Item, Uses};
use crate::call::voicemail::Fate;
use crate::store::call_archive::Document;

/// Writes records below a folder.
#[derive(Debug, Clone)]
pub struct CallFiles {
    folder: PathBuf,
}

/// A record that is written, but may not have reached the disk.
#[derive(Debug)]
struct Draft {
    file: fs::File,
    partial: PathBuf,
    path: PathBuf,
}

impl CallFiles {
    /// Takes the folder and makes it when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Writes a record, whole or not at all, and gives its path.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, record: &Record) -> io::Result<PathBuf> {
        let draft = self.draft(record)?;
        draft.file.sync_data()?;
        draft.publish()
    }

    /// Writes the records of several calls, each whole or not at all, and has the disk take all of
    /// them at once: one by one they would wait for it much longer than calls take to end. Gives the
    /// path of each.
    ///
    /// # Errors
    /// Of each record that the disk does not take.
    pub fn write_all(
        &self,
        records: impl IntoIterator<Item = (CallId, Document)>,
    ) -> Vec<io::Result<PathBuf>> {
        let records = records.into_iter();
        let draft = |(call, document)| self.put(self.path(call), &document);
        let drafts: Vec<_> = records.map(draft).collect();
        let mut written = drafts.iter().flatten();
        let synced = match (written.next(), written.next()) {
            (Some(one), None) => one.file.sync_data(),
            (Some(first), Some(_)) => rustix::fs::syncfs(&first.file).map_err(io::Error::from),
            (None, _) => Ok(()),
        };
        let refused = synced.err().map(|why| why.kind());
        let publish = |draft: Draft| match refused {
            Some(kind) => Err(kind.into()),
            None => draft.publish(),
        };
        drafts.into_iter().map(|draft| draft.and_then(publish)).collect()
    }

    /// Writes the record of a call that a server left behind when it was killed.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_late(&self, call: CallId, document: &Document) -> io::Result<()> {
        let draft = self.put(self.path(call), document)?;
        draft.file.sync_data()?;
        draft.publish().map(|_| ())
    }

    /// Adds what was found out to the record of a call that is there.
    ///
    /// # Errors
    /// When there is no such record, or the disk does not take it.
    pub fn add(&self, call: CallId, key: &str, value: Value) -> io::Result<()> {
        self.change(call, |document| {
            document.insert(key.to_owned(), value);
        })
    }

    /// Changes the record of a call that is there, as a whole or not at all.
    ///
    /// # Errors
    /// When there is no such record, or the disk does not take it.
    pub fn change(
        &self,
        call: CallId,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> io::Result<()> {
        let path = self.path(call);
        let mut document: Map<String, Value> = serde_json::from_slice(&fs::read(&path)?)?;
        change(&mut document);
        let draft = self.put(path, &document)?;
        draft.file.sync_data()?;
        draft.publish().map(|_| ())
    }

    /// Whether a call has a record.
    pub fn has(&self, call: CallId) -> bool {
        self.path(call).exists()
    }

    fn path(&self, call: CallId) -> PathBuf {
        self.folder.join(format!("{call}.json"))
    }

    /// Writes a record beside the place where it is to be.
    fn draft(&self, record: &Record) -> io::Result<Draft> {
        self.put(self.path(record.call), &document(record))
    }

    fn put(&self, path: PathBuf, document: &Document) -> io::Result<Draft> {
        let partial = path.with_extension("json.part");
        // What was said is nobody's business but the operator's.
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&partial)?;
        let mut text = serde_json::to_vec_pretty(document)?;
        text.push(b'\n');
        file.write_all(&text)?;
        Ok(Draft { file, partial, path })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Draft {
    /// Puts it where it is to be.
    fn publish(self) -> io::Result<PathBuf> {
        fs::rename(&self.partial, &self.path)?;
        Ok(self.path)
    }
}

/// The document of a record: the names are those of the call object of the API.
pub fn document(record: &Record) -> Document {
    let document = json!({
        "id": record.call.to_string(),
        "direction": if record.is_ours { "outbound" } else { "inbound" },
        "status": record.cause.final_state(record.answered.is_some()),
        "end_reason": record.cause.end_reason(),
        "q850": record.cause.q850(),
        "from": { "number": record.from, "name": record.name },
        "to": { "number": record.to },
        "trunk": record.trunk,
        "tenant": Some(&record.tenant).filter(|tenant| !tenant.is_empty()),
        "stir": record.verification.as_ref().map(stir),
        "route": record.route,
        "agents": record.agents,
        "nodes": record.nodes.iter().map(node).collect::<Vec<_>>(),
        "flow_failed": record.flow_failed,
        "started_at": timestamp(record.began),
        "answered_at": record.answered.map(|after| timestamp(record.began + after)),
        "ended_at": timestamp(record.began + record.lasted),
        "duration_ms": millis(record.lasted),
        "recorded": record.recorded,
        "recording_consent": record.consent.as_ref().map(consent),
        "ai_disclosure": record.disclosure.as_ref().map(disclosed),
        "recording_pauses": record.pauses.iter().map(pause).collect::<Vec<_>>(),
        "interruptions": record.interruptions,
        "false_interruptions": record.false_interruptions,
        "legs": record.legs.iter().map(leg).collect::<Vec<_>>(),
        "bridges": record.bridges.iter().map(bridge).collect::<Vec<_>>(),
        "holds": record.holds.iter().map(hold).collect::<Vec<_>>(),
        "queues": record.queues.iter().map(queued).collect::<Vec<_>>(),
        "streams": record.streams.iter().map(streamed).collect::<Vec<_>>(),
        "transfers": record.transfers.iter().map(transfer).collect::<Vec<_>>(),
        "transcript": record.transcript.iter().map(line).collect::<Vec<_>>(),
        "turns": record.turns.iter().map(turn).collect::<Vec<_>>(),
        "provider_failures": record.failures.iter().map(failure).collect::<Vec<_>>(),
        "tools": record.tools.iter().map(tool).collect::<Vec<_>>(),
        "messages": record.messages.iter().map(message).collect::<Vec<_>>(),
        "amd": record.answerer.as_ref().map(answerer),
        "voicemail": record.voicemail.as_ref().map(voicemail),
        "callbacks": record.callbacks.iter().map(callback).collect::<Vec<_>>(),
        "cost": cost(&record.uses),
    });
    match document {
        Value::Object(document) => document,
        _ => Document::new(),
    }
}

fn node(entered: &NodeEntered) -> Value {
    json!({ "at_ms": millis(entered.at), "flow": entered.flow, "node": entered.node })
}

fn leg(leg: &Leg) -> Value {
    json!({
        "sip": { "call_id": leg.sip_call_id, "peer": leg.peer, "user_agent": leg.user_agent },
        "to": leg.to,
        "role": leg.role.map(Role::name),
        "start_ms": millis(leg.began),
        "answered_ms": leg.answered.map(millis),
        "ended_ms": leg.ended.map(millis),
        "end_reason": leg.cause.map(Cause::end_reason),
        "q850": leg.cause.map(Cause::q850),
        "codec": leg.codec,
        "srtp": leg.srtp,
        "rtp": {
            "received": leg.quality.received,
            "sent": leg.quality.sent,
            "lost": leg.quality.lost,
            "discarded": leg.quality.discarded,
            "late": leg.quality.late,
            "refused": leg.quality.refused,
            "jitter_ms": leg.quality.jitter.as_secs_f64() * 1_000.0,
            "max_jitter_ms": leg.quality.max_jitter.as_secs_f64() * 1_000.0,
            "round_trip_ms": leg.quality.round_trip.map(millis),
            "mos": leg.quality.score.map(rounded),
            "far": leg.quality.far.map(|far| json!({
                "lost": far.lost,
                "mos": far.score.map(rounded),
            })),
        },
    })
}

/// What the check of a caller's signature said.
pub fn stir(verification: &Verification) -> Value {
    let said = verification.said.as_ref();
    let flaw = verification.flaw.as_ref();
    json!({
        "verstat": verification.verstat(),
        "attestation": said.map(|said| said.attestation.letter()),
        "origid": said.map(|said| said.origin.to_string()),
        "signer": said.map(|said| said.signer.as_str()),
        "status": flaw.map(Flaw::status),
        "reason": flaw.map(ToString::to_string),
    })
}

fn bridge(bridge: &Bridge) -> Value {
    json!({ "start_ms": millis(bridge.at), "legs": bridge.legs })
}

fn queued(queued: &Queued) -> Value {
    json!({
        "start_ms": millis(queued.at),
        "queue": queued.queue,
        "waited_ms": queued.waited.map(millis),
        "left": queued.why.map(LeftQueue::name),
    })
}

fn streamed(streamed: &Streamed) -> Value {
    json!({
        "start_ms": millis(streamed.at),
        "stream": streamed.stream,
        "fork": streamed.is_fork,
        "duration_ms": streamed.lasted.map(millis),
        "end": streamed.end.as_ref().map(End::name),
        "reason": streamed.end.as_ref().and_then(End::reason),
    })
}

fn hold(hold: &Hold) -> Value {
    json!({
        "start_ms": millis(hold.at),
        "leg": hold.leg,
        "by": if hold.by_us { "operator" } else { "peer" },
        "duration_ms": hold.lasted.map(millis),
    })
}

fn disclosed(disclosed: &Disclosed) -> Value {
    json!({
        "words": disclosed.words,
        "heard_ms": disclosed.heard.map(millis),
        "none_because": disclosed.none_because,
    })
}

fn consent(consent: &Consent) -> Value {
    json!({
        "mode": consent.mode,
        "notice": consent.notice,
        "agreed_ms": consent.agreed.map(millis),
        "refused_ms": consent.refused.map(|refused| millis(refused.at)),
        "answer": match (consent.agreed, consent.refused) {
            (Some(_), _) => Some("yes"),
            (None, Some(refused)) if refused.said_no => Some("no"),
            (None, Some(_) | None) => None,
        },
    })
}

fn pause(pause: &Pause) -> Value {
    json!({ "start_ms": millis(pause.at), "duration_ms": pause.lasted.map(millis) })
}

fn transfer(transfer: &Transfer) -> Value {
    json!({
        "at_ms": millis(transfer.at),
        "to": transfer.to,
        "manner": transfer.manner.name(),
        "kind": transfer.kind.name(),
        "by_leg": transfer.by,
        "outcome": if transfer.failed.is_none() { "worked" } else { "failed" },
        "reason": transfer.failed.map(Cause::end_reason),
        "q850": transfer.failed.map(Cause::q850),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "at_ms": millis(failure.at),
        "stage": failure.stage.name(),
        "provider": &*failure.provider,
        "reason": failure.reason,
        "next": failure.next.as_deref(),
    })
}

fn line(line: &Line) -> Value {
    json!({
        "role": line.speaker.name(),
        "start_ms": millis(line.at),
        "text": line.text,
        "keys": line.keys,
        "interrupted": line.interrupted,
    })
}

fn turn(turn: &Turn) -> Value {
    json!({
        "turn": turn.turn,
        "latency": latency(&turn.latency),
        "turn_model": turn.judged.as_ref().map(judged),
        "providers": {
            "stt": turn.served.heard.as_deref(),
            "llm": turn.served.thought.as_deref(),
            "tts": turn.served.spoken.as_deref(),
        },
        "use": used(&turn.uses),
        "cost": cost(&turn.uses),
    })
}

/// How much of what was done, whoever did it: `{ "output_tokens": 9, "characters": 29 }`.
fn used(uses: &Uses) -> Map<String, Value> {
    let units: BTreeSet<Unit> = uses.iter().map(|it| it.amount.unit).collect();
    units.into_iter().map(|it| (it.name().to_owned(), json!(uses.count(it)))).collect()
}

/// What providers did, and what it costs, as decimals. A total stands where all is in one currency.
pub fn cost(uses: &Uses) -> Option<Value> {
    if uses.is_empty() {
        return None;
    }
    let costs = uses.costs();
    let one = match costs.as_slice() {
        [cost] => Some(cost),
        _ => None,
    };
    let amount = |cost: &Cost| json!({ "amount": cost.amount(), "currency": cost.currency });
    Some(json!({
        "total": one.map(Cost::amount),
        "currency": one.map(|cost| cost.currency),
        "totals": costs.iter().map(amount).collect::<Vec<_>>(),
        "items": uses.iter().map(item).collect::<Vec<_>>(),
    }))
}

/// What was found out about a call, and what that cost.
pub fn analysis(report: &Report, uses: &Uses) -> Map<String, Value> {
    let mut told = report.json();
    told.extend(cost(uses).map(|cost| ("cost".to_owned(), cost)));
    told
}

fn item(item: &Item) -> Value {
    let cost = item.cost();
    json!({
        "stage": item.stage.name(),
        "provider": item.provider,
        "model": item.model,
        "unit": item.amount.unit.name(),
        "count": item.amount.count,
        "amount": cost.map(|cost| cost.amount()),
        "currency": cost.map(|cost| cost.currency),
    })
}

/// How often the turn model was asked, how likely it said the turn to be complete at its end, and
/// how many milliseconds it took for that.
fn judged(judged: &Judged) -> Value {
    json!({
        "asked": judged.asked,
        "complete": judged.complete.map(Likelihood::probability),
        "took_ms": judged.took.map(millis),
    })
}

/// Milliseconds after the caller's last voiced sample at which each stage was reached.
fn latency(latency: &Latency) -> Value {
    json!({
        "speech_ended_ms": latency.speech_ended.map(millis),
        "transcript_ms": latency.transcript.map(millis),
        "committed_ms": latency.committed.map(millis),
        "first_delta_ms": latency.first_delta.map(millis),
        "first_clause_ms": latency.first_clause.map(millis),
        "first_audio_ms": latency.first_audio.map(millis),
        "first_packet_ms": latency.first_packet.map(millis),
    })
}

fn tool(tool: &ToolUse) -> Value {
    json!({
        "at_ms": millis(tool.at),
        "name": tool.name,
        "arguments": tool.arguments,
        "outcome": tool.outcome.map(|outcome| if outcome.failed { "failed" } else { "done" }),
        "took_ms": tool.outcome.map(|outcome| millis(outcome.took)),
    })
}

/// A message that the caller left.
pub fn message(message: &Message) -> Value {
    json!({
        "at_ms": millis(message.at),
        "name": message.name,
        "for": message.whom,
        "number": message.number,
        "text": message.text,
    })
}

/// Who answered a call of ours.
fn answerer(answerer: &Answerer) -> Value {
    json!({
        "verdict": answerer.verdict.name(),
        "after_ms": millis(answerer.after),
        "message_left": answerer.message,
    })
}

/// What came of a message at a voicemail.
fn voicemail(left: &Voicemail) -> Value {
    let lasted = match left.fate {
        Fate::Kept(lasted) => Some(millis(lasted)),
        Fate::TooShort | Fate::Full => None,
    };
    json!({
        "at_ms": millis(left.at),
        "box": left.mailbox,
        "outcome": left.fate.name(),
        "duration_ms": lasted,
    })
}

/// When the caller wants to be called back.
pub fn callback(callback: &Callback) -> Value {
    json!({
        "at_ms": millis(callback.at),
        "when": timestamp(callback.when),
        "number": callback.number,
        "reason": callback.reason,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn rounded(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

/// A time since the Unix epoch, as records write it (RFC 3339).
pub fn timestamp(since_epoch: Duration) -> Option<String> {
    let millis = i64::try_from(since_epoch.as_millis()).ok()?;
    jiff::Timestamp::from_millisecond(millis).ok().map(|at| format!("{at:.3}"))
}
