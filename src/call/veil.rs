//! The veil: what a call tells others goes through here, and leaves without what nobody may keep.
//! Every fact and every field of the record is named, so that a new one cannot leave unseen.

use serde_json::Value;

use crate::agent::after::Report;
use crate::agent::masking::kind::Masks;
use crate::agent::masking::redactor::{self, Redactor, Said, Side};
use crate::agent::masking::terms::Terms;
use crate::call::event::Fact;
use crate::call::record::{Callback, Line, Message, Record, Speaker, ToolUse};

/// Covers what a call tells.
#[derive(Debug, Clone)]
pub struct Veil {
    masks: Masks,
    terms: Terms,
    redactor: Redactor,
    /// How far what the caller says now is told.
    hush: Hush,
    /// What was said, and what was told of it.
    told: Vec<Told>,
}

/// A line that was told.
#[derive(Debug, Clone)]
struct Told {
    text: String,
    keys: String,
    covered: (String, String),
}

/// Whether what a caller says now is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Hush {
    /// It is.
    #[default]
    None,
    /// Digits and keys are not.
    Digits,
    /// Nothing is.
    Words,
}

impl Veil {
    /// One that covers these kinds.
    pub fn new(masks: Masks, terms: Terms) -> Self {
        Self {
            masks,
            terms,
            redactor: Redactor::new(masks, terms),
            hush: Hush::None,
            told: Vec::new(),
        }
    }

    /// Covers these kinds too from now on, as they are said so.
    pub fn widen(&mut self, masks: Masks, terms: Terms) {
        self.masks = self.masks.and(masks);
        self.terms = terms;
        self.redactor.widen(self.masks, terms);
    }

    /// From now on what the caller says is told so far.
    pub fn hush(&mut self, hush: Hush) {
        self.hush = hush;
    }

    /// What of a turn of the caller may be told at all; what may not is hidden from now on wherever
    /// it is said again.
    pub fn heard(&mut self, text: String, keys: String) -> (String, String) {
        if self.hush == Hush::None {
            return (text, keys);
        }
        let (covered, digits) = redactor::without_digits(&text, self.terms);
        digits.into_iter().for_each(|digits| self.redactor.hide(digits));
        self.redactor.hide(keys.chars().filter(char::is_ascii_digit).collect());
        let keys = if keys.is_empty() { keys } else { redactor::DIGITS.to_owned() };
        match self.hush {
            Hush::Words if !text.is_empty() => (WITHHELD.to_owned(), keys),
            Hush::None | Hush::Digits | Hush::Words => (covered, keys),
        }
    }

    /// What the agent said while the caller was asked so: it reads back what it heard.
    pub fn repeated(&self, hush: Hush, text: String) -> String {
        match hush {
            Hush::None | Hush::Digits => text,
            Hush::Words => redactor::without_digits(&text, self.terms).0,
        }
    }

    /// What a tool is given while the caller is asked something that is nobody's business: its
    /// names without their values.
    pub fn given(&mut self, arguments: &str) -> String {
        match serde_json::from_str::<Value>(arguments) {
            Ok(Value::Object(mut fields)) => {
                fields.values_mut().for_each(|value| {
                    let digits = value.to_string().chars().filter(char::is_ascii_digit).collect();
                    self.redactor.hide(digits);
                    *value = Value::String(WITHHELD.to_owned());
                });
                Value::Object(fields).to_string()
            }
            Ok(_) | Err(_) => "{}".to_owned(),
        }
    }

    /// A fact as it may be told.
    pub fn cover(&mut self, fact: Fact) -> Fact {
        if self.redactor.is_idle() {
            return fact;
        }
        match fact {
            Fact::CallerSaid { at, text, keys } => {
                let (text, keys) = self.lines(Side::Caller, text, keys);
                Fact::CallerSaid { at, text, keys }
            }
            Fact::AgentSaid { at, text, interrupted } => {
                let (text, _) = self.lines(Side::Agent, text, String::new());
                Fact::AgentSaid { at, text, interrupted }
            }
            Fact::MessageTaken { message } => Fact::MessageTaken { message: self.message(message) },
            Fact::CallbackWanted { callback } => {
                Fact::CallbackWanted { callback: self.callback(callback) }
            }
            Fact::ProviderFailed { stage, provider, reason, next } => {
                let reason = self.redactor.text(&reason);
                Fact::ProviderFailed { stage, provider, reason, next }
            }
            Fact::Analyzed(report, uses) => Fact::Analyzed(Box::new(self.report(*report)), uses),
            Fact::Ended { cause, record } => {
                Fact::Ended { cause, record: Box::new(self.record(*record)) }
            }
            // Who calls whom is what a call is known by, and names are the operator's own.
            fact @ (Fact::Verified(_)
            | Fact::Started { .. }
            | Fact::Answered
            | Fact::AnswererKnown { .. }
            | Fact::AgentChanged { .. }
            | Fact::ToolCalled { .. }
            | Fact::VoicemailReceived { .. }
            | Fact::Dialled { .. }
            | Fact::Bridged { .. }
            | Fact::Transferred { .. }
            | Fact::Queued { .. }
            | Fact::Decided { .. }
            | Fact::Streams { .. }
            | Fact::Streamed { .. }
            | Fact::LeftQueue { .. }
            | Fact::Held { .. }
            | Fact::Resumed { .. }
            | Fact::Disclosed
            | Fact::RecordingAgreed
            | Fact::RecordingRefused { .. }
            | Fact::RecordingPaused
            | Fact::RecordingResumed { .. }
            | Fact::TurnTimed { .. }) => fact,
        }
    }

    fn lines(&mut self, side: Side, text: String, keys: String) -> (String, String) {
        let covered = (self.line(side, text.clone()), self.line(side, keys.clone()));
        self.told.push(Told { text, keys, covered: covered.clone() });
        covered
    }

    fn line(&mut self, side: Side, text: String) -> String {
        if text.is_empty() { text } else { self.redactor.line(Said { side, text }) }
    }

    /// The record of a call that is over: its lines are looked at together.
    fn record(&self, mut record: Record) -> Record {
        self.besides(&mut record);
        record.transcript = self.transcript(record.transcript);
        record
    }

    /// The record of a call that is up: its lines are those that were told.
    pub fn so_far(&self, mut record: Record) -> Record {
        if self.redactor.is_idle() {
            return record;
        }
        self.besides(&mut record);
        let mut told = self.told.iter();
        for line in &mut record.transcript {
            // Some were told and corrected later, and some are about to be told.
            let mut ahead = told.clone();
            let known = ahead.find(|it| (&it.text, &it.keys) == (&line.text, &line.keys));
            (line.text, line.keys) = match known {
                Some(known) => {
                    told = ahead;
                    known.covered.clone()
                }
                None => (self.redactor.begun(&line.text), self.redactor.begun(&line.keys)),
            };
        }
        record
    }

    /// All of a record but its lines.
    fn besides(&self, record: &mut Record) {
        let Record {
            flow_failed,
            transcript: _,
            failures,
            tools,
            messages,
            callbacks,
            // Who called whom, when, by what, and how well: the record of the connection.
            call: _,
            began: _,
            is_ours: _,
            from: _,
            name: _,
            to: _,
            trunk: _,
            tenant: _,
            verification: _,
            route: _,
            agents: _,
            took_over: _,
            nodes: _,
            legs: _,
            turns: _,
            thoughts: _,
            answerer: _,
            voicemail: _,
            bridges: _,
            holds: _,
            queues: _,
            streams: _,
            transfers: _,
            false_interruptions: _,
            interruptions: _,
            answered: _,
            lasted: _,
            cause: _,
            recorded: _,
            consent: _,
            disclosure: _,
            pauses: _,
            trace: _,
            uses: _,
        } = record;
        *flow_failed = flow_failed.take().map(|why| self.redactor.text(&why));
        failures.iter_mut().for_each(|it| it.reason = self.redactor.text(&it.reason));
        *tools = std::mem::take(tools).into_iter().map(|it| self.tool(it)).collect();
        *messages = std::mem::take(messages).into_iter().map(|it| self.message(it)).collect();
        *callbacks = std::mem::take(callbacks).into_iter().map(|it| self.callback(it)).collect();
    }

    fn transcript(&self, lines: Vec<Line>) -> Vec<Line> {
        let said = |line: &Line| {
            let side = match line.speaker {
                Speaker::Caller => Side::Caller,
                Speaker::Agent => Side::Agent,
            };
            [&line.text, &line.keys].map(|text| Said { side, text: text.clone() })
        };
        let said: Vec<Said> = lines.iter().flat_map(said).collect();
        let mut covered = self.redactor.lines(&said).into_iter();
        let mut next = || covered.next().unwrap_or_default();
        let line = |line: Line| {
            let (text, keys) = (next(), next());
            Line { text, keys, ..line }
        };
        lines.into_iter().map(line).collect()
    }

    fn tool(&self, used: ToolUse) -> ToolUse {
        let given = serde_json::from_str::<Value>(&used.arguments);
        let arguments = match given {
            Ok(given) => {
                let covered = self.value("", given.clone());
                // As the model wrote it, if nothing is to be covered.
                if covered == given { used.arguments } else { covered.to_string() }
            }
            Err(_) => self.redactor.text(&used.arguments),
        };
        ToolUse { arguments, ..used }
    }

    /// A value; the name under which it stands tells what it is.
    fn value(&self, name: &str, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.named(name, &text)),
            Value::Number(number) => {
                let (text, covered) = (number.to_string(), self.named(name, &number.to_string()));
                if covered == text { Value::Number(number) } else { Value::String(covered) }
            }
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| self.value(name, value)).collect())
            }
            Value::Object(fields) => {
                let covered = fields.into_iter().map(|(name, value)| {
                    let value = self.value(&name, value);
                    (name, value)
                });
                Value::Object(covered.collect())
            }
            Value::Null | Value::Bool(_) => value,
        }
    }

    fn named(&self, name: &str, text: &str) -> String {
        let name = name.replace(['_', '-'], " ");
        let covered = self.redactor.text(&format!("{name}: {text}"));
        let own = covered.strip_prefix(&format!("{name}: ")).map(str::to_owned);
        own.unwrap_or_else(|| self.redactor.text(text))
    }

    fn message(&self, message: Message) -> Message {
        Message {
            name: message.name.map(|name| self.redactor.text(&name)),
            whom: message.whom.map(|whom| self.redactor.text(&whom)),
            number: self.redactor.text(&message.number),
            text: self.redactor.text(&message.text),
            ..message
        }
    }

    fn callback(&self, callback: Callback) -> Callback {
        Callback {
            number: self.redactor.text(&callback.number),
            reason: callback.reason.map(|reason| self.redactor.text(&reason)),
            ..callback
        }
    }

    fn report(&self, report: Report) -> Report {
        let extracted = report.extracted.into_iter();
        let covered = extracted.map(|(name, value)| {
            let value = self.value(&name, value);
            (name, value)
        });
        Report {
            summary: report.summary.map(|text| self.redactor.text(&text)),
            extracted: covered.collect(),
            ..report
        }
    }
}

/// What stands in the place of words that are told to nobody.
const WITHHELD: &str = "[withheld]";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::masking::kind::Kind;

    fn said(veil: &mut Veil, text: &str, keys: &str) -> (String, String) {
        let (text, keys) = (text.to_owned(), keys.to_owned());
        match veil.cover(Fact::CallerSaid { at: Duration::ZERO, text, keys }) {
            Fact::CallerSaid { text, keys, .. } => (text, keys),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_go_on_where_words_ended() {
        let mut veil = Veil::new([Kind::Card].into_iter().collect(), Terms::default());
        let told = said(&mut veil, "vier eins eins eins", "111111111111");
        // Nobody knew what the words would become.
        assert_eq!(told, ("[digits]".to_owned(), "[card]".to_owned()));
        assert_eq!(said(&mut veil, "und tsch\u{fc}ss", "1").1, "1");
    }

    #[test]
    fn what_is_nobodys_business_comes_back_nowhere() {
        let mut veil = Veil::new(Masks::default(), Terms::default());
        veil.hush(Hush::Words);
        let told = veil.heard("vier sieben eins eins".to_owned(), "5566".to_owned());
        assert_eq!(told, ("[withheld]".to_owned(), "[digits]".to_owned()));
        assert_eq!(veil.repeated(Hush::Words, "4711 also?".to_owned()), "[digits] also?");
        let given = veil.given(r#"{"pin": 918273}"#);
        assert_eq!(given, r#"{"pin":"[withheld]"}"#);
        veil.hush(Hush::Digits);
        let told = veil.heard("Zimmer 204 bitte".to_owned(), String::new());
        assert_eq!(told, ("Zimmer [digits] bitte".to_owned(), String::new()));
        veil.hush(Hush::None);
        let told = veil.heard("Zimmer 12".to_owned(), "1".to_owned());
        assert_eq!(told, ("Zimmer 12".to_owned(), "1".to_owned()));
        assert_eq!(
            said(&mut veil, "ja, 4711 und 5566 und 918273", ""),
            ("ja, [digits]".to_owned(), String::new())
        );
    }

    #[test]
    fn arguments_of_tools_are_told_by_their_names() {
        let veil = Veil::new(Masks::all(), Terms::default());
        let used = |arguments: &str| {
            let used = ToolUse {
                at: Duration::ZERO,
                name: "pay".to_owned(),
                arguments: arguments.to_owned(),
                id: "1".to_owned(),
                outcome: None,
            };
            veil.tool(used).arguments
        };
        let untouched = r#"{ "nights": 12, "day": "2026-12-24" }"#;
        assert_eq!(used(untouched), untouched);
        assert_eq!(
            used(
                r#"{"card": 4111111111111111, "cvc": "123", "who": {"birth_date": "1985-03-12"}}"#
            ),
            r#"{"card":"[card]","cvc":"[card]","who":{"birth_date":"[birth date]"}}"#
        );
        assert_eq!(used("no JSON 4111111111111111"), "no JSON [card]");
    }
}
