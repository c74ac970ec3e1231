//! What the vendor says, and what follows from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::event::{Incoming, Item, Problem, Response, Usage, cancel};
use super::session::{Answer, Ending, LONGEST_TEXT, Session};
use super::turn::{decode, rate};
use crate::agent::event::{Delta, ThoughtId};
use crate::agent::tool::ToolCall;
use crate::providers::error::ProviderError;

impl Session {
    /// Takes a message of the vendor.
    ///
    /// # Errors
    /// When nothing more is to be expected of this socket.
    pub fn received(&mut self, text: &str) -> Result<(), ProviderError> {
        let broken = |_| ProviderError::passing(&self.settings.name, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::Committed { item_id, previous_item_id } => {
                self.named(item_id, previous_item_id);
            }
            Incoming::Heard { item_id, delta } => self.heard(&item_id, &delta, false),
            Incoming::Transcribed { item_id, transcript } => {
                self.heard(&item_id, &transcript, true)
            }
            Incoming::Unheard { item_id } => {
                if self.turn.as_mut().is_some_and(|turn| turn.stretch(&item_id).is_some()) {
                    self.unheard();
                }
            }
            Incoming::Created { response } => self.created(response),
            Incoming::Added { response_id, item } => self.added(&response_id, item),
            Incoming::ItemDone { response_id, item } => self.item_done(&response_id, item),
            Incoming::Sound { response_id, item_id, delta } => {
                self.sounds(&response_id, &item_id, &delta);
            }
            Incoming::Words { response_id, delta } => self.words(&response_id, delta),
            Incoming::Done { response } => self.done(&response),
            Incoming::Error { error } => return self.failed(&error),
            Incoming::Other => {}
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, response: &str) -> Option<&mut Answer> {
        self.answers.iter_mut().find(|answer| answer.response.as_deref() == Some(response))
    }

    pub(super) fn created(&mut self, response: Response) {
        let asked = response.metadata.and_then(|it| it.asked).unwrap_or_default();
        if let Some(number) = asked.strip_prefix("line_").and_then(|it| it.parse::<u64>().ok()) {
            match self.lines.iter_mut().find(|line| line.number == number) {
                Some(line) => line.response = Some(response.id),
                None => self.out.push(cancel(Some(&response.id))),
            }
            return;
        }
        let active = self.active;
        let is_it = |answer: &&mut Answer| Some(answer.wanted.request.thought) == active;
        if let Some(answer) = self.answers.iter_mut().find(is_it) {
            answer.response = Some(response.id);
        }
    }

    pub(super) fn added(&mut self, response: &str, item: Item) {
        let Some(answer) = self.answer(response) else { return };
        if item.kind == "message" && answer.items.len() < MOST_ITEMS {
            let from = answer.wanted.track.came();
            answer.items.push((item.id, from));
        }
    }

    pub(super) fn item_done(&mut self, response: &str, item: Item) {
        let Some(answer) = self.answer(response) else { return };
        let (Some(id), Some(name)) = (item.call_id, item.name) else { return };
        let arguments = item.arguments.unwrap_or_default();
        if item.kind != "function_call" || arguments.len() > LONGEST_TEXT {
            return;
        }
        answer.has_begun = true;
        if !answer.is_abandoned {
            let call = ToolCall { id: id.clone(), name, arguments };
            answer.wanted.words.try_send(Ok(Delta::Tool(call))).ok();
        }
        if self.calls.len() < MOST_ITEMS {
            self.calls.push((id, item.id));
        }
    }

    pub(super) fn sounds(&mut self, response: &str, item: &str, delta: &str) {
        let Ok(octets) = STANDARD.decode(delta) else { return };
        if let Some(line) =
            self.lines.iter_mut().find(|it| it.response.as_deref() == Some(response))
        {
            let samples = decode(&octets, line.format, &mut line.half);
            if line.track.push(rate(line.format), &samples).is_err() {
                line.track.close();
            }
            return;
        }
        let Some(answer) = self.answer(response) else { return };
        if answer.is_abandoned || answer.is_over {
            return;
        }
        answer.has_begun = true;
        // Words run ahead of their sound: when it goes on, the sentence is complete.
        if std::mem::replace(&mut answer.ending, Ending::Letters(0)) == Ending::Sentence {
            answer.wanted.words.try_send(Ok(Delta::Clause)).ok();
        }
        if answer.items.last().is_none_or(|(known, _)| known != item) {
            let from = answer.wanted.track.came();
            answer.items.push((item.to_owned(), from));
        }
        let samples = decode(&octets, answer.format, &mut answer.half);
        if answer.wanted.track.push(rate(answer.format), &samples).is_err() {
            let thought = answer.wanted.request.thought;
            self.abandon(thought);
        }
    }

    pub(super) fn words(&mut self, response: &str, delta: String) {
        let Some(answer) = self.answer(response) else { return };
        answer.length += delta.len();
        if answer.is_abandoned || answer.length > LONGEST_TEXT {
            return;
        }
        answer.has_begun = true;
        answer.ending = answer.ending.after(&delta);
        answer.wanted.track.words(&delta);
        answer.wanted.words.try_send(Ok(Delta::Text(delta))).ok();
    }

    pub(super) fn done(&mut self, response: &Response) {
        let name = self.settings.name.clone();
        let problem = response.status_details.as_ref().and_then(|it| it.error.as_ref());
        let why = match response.status.as_deref() {
            Some("failed") => problem.map(|it| it.meaning(&name)),
            Some("cancelled") => Some(ProviderError::passing(&name, "took its answer back")),
            _ => None,
        };
        self.owe(response);
        if let Some(at) =
            self.lines.iter().position(|it| it.response.as_ref() == Some(&response.id))
        {
            let line = self.lines.remove(at);
            return match why {
                Some(why) => line.track.fail(why),
                None => line.track.close(),
            };
        }
        let owed = std::mem::take(&mut self.owed);
        let Some(answer) = self.answer(&response.id) else {
            self.owed = owed;
            return;
        };
        // Nobody hears what an answer took that was withdrawn: the next one tells it.
        let left = match owed.is_empty() || answer.is_abandoned {
            true => owed,
            false => {
                answer.wanted.words.try_send(Ok(Delta::Used(owed))).ok();
                Vec::new()
            }
        };
        let silent = || ProviderError::passing(&name, "answers nothing");
        let is_served = why.is_none();
        answer.finish(why.or_else(|| (!answer.has_begun).then(silent)));
        self.owed = left;
        self.has_served |= is_served;
        self.active = None;
        self.go_on();
    }

    /// Notes what an answer or a line took, as far as the vendor says it.
    fn owe(&mut self, response: &Response) {
        for amount in response.usage.as_ref().map(Usage::amounts).unwrap_or_default() {
            match self.owed.iter_mut().find(|it| it.unit == amount.unit) {
                Some(owed) => owed.count = owed.count.saturating_add(amount.count),
                None => self.owed.push(amount),
            }
        }
    }

    /// Most errors are about one message of ours; some end the socket.
    pub(super) fn failed(&mut self, problem: &Problem) -> Result<(), ProviderError> {
        let why = problem.meaning(&self.settings.name);
        if problem.is_fatal() {
            return Err(why);
        }
        tracing::debug!(%why, "a message was refused");
        let event = problem.event_id.as_deref().unwrap_or_default();
        let number = |kind: &str| event.strip_prefix(kind).and_then(|it| it.parse::<u64>().ok());
        if number("thought_").is_some_and(|it| Some(ThoughtId(it)) == self.active) {
            let active = self.active.take();
            let is_it = |answer: &&mut Answer| Some(answer.wanted.request.thought) == active;
            if let Some(answer) = self.answers.iter_mut().find(is_it) {
                answer.finish(Some(why));
            }
            self.go_on();
        } else if let Some(number) = number("line_") {
            if let Some(at) = self.lines.iter().position(|line| line.number == number) {
                self.lines.remove(at).track.fail(why);
            }
        } else if let Some(number) = number("commit_") {
            self.unnamed.retain(|unnamed| *unnamed != number);
            if let Some(turn) = &mut self.turn {
                turn.commits.retain(|commit| commit.number != number);
            }
            self.settle();
            self.go_on();
        }
        Ok(())
    }
}

/// How many things one answer may put into the conversation.
const MOST_ITEMS: usize = 32;
