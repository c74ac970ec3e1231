//! How answers are asked for: what the vendor is told before, and what is taken back of them.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::event::{cancel, message, put, take_out, truncate};
use super::items;
use super::session::{Answer, Ending, Line, MOST_LINES, Session};
use super::track::Track;
use super::turn::{Turn, rate};
use crate::agent::conversation::{self, Request};
use crate::agent::event::{Delta, Portion, ThoughtId};
use crate::providers::error::ProviderError;

impl Session {
    /// Asks for the answer that waits, if nothing stands in its way.
    pub(super) fn go_on(&mut self) {
        let is_unnamed = self.asked_about().is_some_and(Turn::has_unnamed);
        if self.active.is_some() || is_unnamed {
            return;
        }
        let Some(wanted) = self.waiting.take() else { return };
        if wanted.words.is_closed() {
            return;
        }
        let request = &wanted.request;
        self.instruct(&wanted.request);
        self.inform(request);
        self.taken = None;
        self.take_back();
        self.active = Some(request.thought);
        let name = format!("thought_{}", request.thought.0);
        let response = json!({ "metadata": { "asked": name } });
        self.out.push(message(
            &json!({ "type": "response.create", "event_id": name, "response": response }),
        ));
        if self.answers.len() >= MOST_ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(Answer {
            wanted,
            response: None,
            items: Vec::new(),
            format: self.format,
            half: None,
            length: 0,
            ending: Ending::Letters(0),
            has_begun: false,
            is_over: false,
            is_abandoned: false,
            cut: None,
            is_told: false,
        });
    }

    /// The turn that the answer that waits is about.
    pub(super) fn asked_about(&self) -> Option<&Turn> {
        self.taken.as_ref().or(self.turn.as_ref())
    }

    pub(super) fn instruct(&mut self, request: &Request) {
        let tools = items::tools(&request.tools);
        if self.told.0 != request.instructions || self.told.1 != tools {
            self.told = (request.instructions.clone(), tools);
            let (instructions, tools) = self.told.clone();
            self.update(json!({ "instructions": instructions, "tools": tools }));
        }
    }

    /// Tells what the vendor cannot know of the conversation, before what it heard of this turn.
    pub(super) fn inform(&mut self, request: &Request) {
        let heard = self.asked_about().and_then(|turn| turn.commits.front());
        let is_heard = heard.is_some();
        let before = heard.and_then(|commit| commit.item.clone()).map(|(_, before)| before);
        let before = before.map(|before| before.unwrap_or_else(|| "root".to_owned()));
        let last = match request.messages.last() {
            Some(conversation::Message::Caller { text, keys }) => Some((text, keys)),
            _ => None,
        };
        let mut news = if self.is_fresh {
            self.said.clear();
            let count = request.messages.len() - usize::from(last.is_some());
            request.messages[..count].iter().map(items::of_message).collect()
        } else {
            self.news(request)
        };
        let mut after = before;
        for item in &mut news {
            self.items += 1;
            let id = format!("ours_{}", self.items);
            item["id"] = json!(id);
            self.out.push(put(item, after.as_deref()));
            after = after.map(|_| id);
        }
        let Some((text, keys)) = last else { return self.is_fresh = false };
        let is_same = !self.is_fresh && self.typed.0 == request.messages.len();
        let known = if is_same { self.typed.1.as_str() } else { "" };
        let keys_left = keys.strip_prefix(known).unwrap_or(keys);
        let typed = if is_heard || is_same { "" } else { text.as_str() };
        if !typed.is_empty() || !keys_left.is_empty() || !(is_heard || is_same) {
            self.items += 1;
            let mut item = items::caller(typed, keys_left);
            item["id"] = json!(format!("ours_{}", self.items));
            self.out.push(put(&item, None));
        }
        self.typed = (request.messages.len(), keys.clone());
        self.is_fresh = false;
    }

    /// Lines of our own that were heard, and what tools gave.
    pub(super) fn news(&mut self, request: &Request) -> Vec<Value> {
        let is_known = |words: &str| {
            let said = |message: &conversation::Message| match message {
                conversation::Message::Agent { text, .. } => text.contains(words),
                _ => false,
            };
            !words.is_empty() && request.messages.iter().any(said)
        };
        let said = std::mem::take(&mut self.said);
        let lines = said.iter().filter(|(_, words)| is_known(words));
        let mut news: Vec<Value> = lines.map(|(_, words)| items::agent(words)).collect();
        for (call, item) in std::mem::take(&mut self.calls) {
            let result = request.messages.iter().find_map(|message| match message {
                conversation::Message::ToolResult(result) if result.id == call => Some(result),
                _ => None,
            });
            match result {
                Some(result) => news.push(items::of_result(result)),
                // It was a guess, and the guess was wrong.
                None => self.out.push(take_out(&item)),
            }
        }
        news
    }

    /// Takes back what of earlier answers nobody heard.
    pub(super) fn take_back(&mut self) {
        for answer in self.answers.iter_mut().filter(|it| it.is_over && !it.is_told) {
            let place = match (answer.cut, answer.is_abandoned) {
                (Some(place), _) => place,
                (None, true) => answer.wanted.track.taken(),
                // It was heard whole, or is still being heard.
                (None, false) => continue,
            };
            answer.is_told = true;
            self.out.extend(answer.cut_at(place));
        }
    }

    pub(super) fn abandon(&mut self, thought: ThoughtId) {
        if self.waiting.take_if(|wanted| wanted.request.thought == thought).is_some() {
            self.taken = None;
        }
        if let Some(turn) = &mut self.turn {
            turn.answered_by.take_if(|by| *by == thought);
        }
        let is_it = |answer: &&mut Answer| answer.wanted.request.thought == thought;
        let Some(answer) = self.answers.iter_mut().find(is_it) else { return };
        answer.wanted.track.void();
        if !std::mem::replace(&mut answer.is_abandoned, true) && !answer.is_over {
            self.out.push(cancel(answer.response.as_deref()));
        }
    }

    pub(super) fn cut(&mut self, portions: &[Portion]) {
        for portion in portions {
            if let Some(said) = self.said.iter_mut().find(|(id, _)| *id == portion.utterance) {
                said.1.clone_from(&portion.words);
            }
        }
        for answer in self.answers.iter_mut().filter(|it| it.cut.is_none()) {
            let thought = Some(answer.wanted.request.thought);
            let of_it: Vec<Portion> =
                portions.iter().filter(|it| it.thought == thought).cloned().collect();
            if of_it.is_empty() {
                continue;
            }
            let place = answer.wanted.track.heard(&of_it);
            answer.wanted.track.void();
            answer.cut = Some(place);
            if !answer.is_over && !std::mem::replace(&mut answer.is_abandoned, true) {
                self.out.push(cancel(answer.response.as_deref()));
            }
            // What nobody heard at all is taken out when it is complete.
            if place > 0 {
                answer.is_told = true;
                self.out.extend(answer.cut_at(place));
            }
        }
    }

    pub(super) fn say(&mut self, number: u64, text: &str, track: Arc<Track>) {
        let name = format!("line_{number}");
        let instructions = format!("{VERBATIM}\n\n{text}");
        let response = json!({ "conversation": "none", "input": [], "tools": [],
            "output_modalities": ["audio"], "instructions": instructions,
            "metadata": { "asked": name } });
        self.out.push(message(
            &json!({ "type": "response.create", "event_id": name, "response": response }),
        ));
        if self.lines.len() >= MOST_LINES {
            self.lines.remove(0);
        }
        self.lines.push(Line { number, response: None, track, format: self.format, half: None });
    }

    pub(super) fn hush(&mut self, number: u64) {
        let Some(at) = self.lines.iter().position(|line| line.number == number) else { return };
        if let Some(response) = self.lines.remove(at).response {
            self.out.push(cancel(Some(&response)));
        }
    }
}

impl Answer {
    pub(super) fn finish(&mut self, why: Option<ProviderError>) {
        self.is_over = true;
        let last = match why {
            Some(why) => {
                self.wanted.track.fail(why.clone());
                Err(why)
            }
            None => {
                self.wanted.track.close();
                Ok(Delta::Done)
            }
        };
        if !self.is_abandoned {
            self.wanted.words.try_send(last).ok();
        }
    }

    /// What the vendor is told when only so many samples were heard.
    pub(super) fn cut_at(&self, place: usize) -> Vec<Message> {
        let rate = u64::from(rate(self.format).0);
        let items = self.items.iter().enumerate().filter_map(|(at, (item, from))| {
            let end = self.items.get(at + 1).map_or(self.wanted.track.came(), |(_, next)| *next);
            if place >= end && end > *from {
                return None;
            }
            Some(match place.saturating_sub(*from) {
                0 => take_out(item),
                heard => truncate(item, heard as u64 * 1_000 / rate),
            })
        });
        items.collect()
    }
}

/// What makes a model say a line and nothing else.
const VERBATIM: &str = "Say the following line word for word, in its own language, in the voice of \
                        a friendly telephone agent. Add nothing, leave nothing out, and do not \
                        answer it:";

/// How many answers may still be cut.
const MOST_ANSWERS: usize = 8;
