//! One agent hands the conversation over to another: what goes along, and who goes on.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::agent::answer::Given;
use crate::agent::conversation::{Request, Wanted};
use crate::agent::event::{Delta, Output, ThoughtId};
use crate::agent::floor::{Aside, thinking};
use crate::agent::session::Session;
use crate::agent::squad::{Carry, Handoff, Inheritance, Summing};
use crate::agent::tool::{ToolCall, leads_on, names};
use crate::agent::turn::Turn;

impl Turn {
    /// The caller's words are there already: an answer is owed.
    pub(super) fn takes_over(&mut self, now: Instant, patience: Duration) {
        self.answer_moved(now);
        self.state = thinking(now + patience, Aside::Quiet);
    }
}

impl Session {
    /// Goes on with a conversation that somebody else began.
    pub(super) fn go_on_with(&mut self, now: Instant, inheritance: &Inheritance) {
        self.conversation = inheritance.conversation.clone();
        let words = self.conversation.callers_last_words().to_owned();
        self.follow(now, &words);
        self.turn.takes_over(now, self.assistant.fallback.hold_after);
        self.think(now);
    }

    /// Does nothing but say its first message, where that is wanted.
    pub(super) fn announces(&mut self) {
        self.answer.handover = self.opening.then.take();
        if self.answer.handover.is_some() {
            self.answer.given = Given::Worded;
        }
    }

    /// The way that a call of a tool asks for.
    fn way(&self, call: &ToolCall) -> Option<&Handoff> {
        let to = call.argument("to")?;
        self.opening.handoffs.iter().find(|way| way.to == to)
    }

    /// Why the caller is not handed over, if there is a reason.
    pub(super) fn keeps(&self, call: &ToolCall) -> Option<String> {
        if call.name != names::HAND_OVER {
            return None;
        }
        let Some(way) = self.way(call) else {
            let names: Vec<&str> = self.opening.handoffs.iter().map(|it| it.to.as_str()).collect();
            return Some(format!("there is only: {}", names.join(", ")));
        };
        // Who has had these words and handed them on would do so again.
        self.seen().contains(&way.to).then(|| {
            format!(
                "`{}` has had these words of the caller and handed them on: answer them yourself, \
                 or ask the caller",
                way.to
            )
        })
    }

    /// Who has had the caller's last words, with this agent.
    fn seen(&self) -> Vec<String> {
        let before = self.opening.inherits.as_ref().filter(|_| !self.was_spoken_to());
        let before = before.map(|inheritance| inheritance.seen.clone()).unwrap_or_default();
        before.into_iter().chain([self.opening.name.clone()]).collect()
    }

    /// What is said before the caller goes; `None`: nothing.
    pub(super) fn announcement_of(&self, call: &ToolCall) -> Option<String> {
        if leads_on(&call.name) {
            return None;
        }
        if call.name == names::HAND_OVER {
            let say = self.way(call)?.say.clone();
            return say.filter(|say| !say.trim().is_empty());
        }
        self.announcement(&call.argument("to").unwrap_or_default())
    }

    /// How much of the conversation goes along.
    fn carried_by(&self, call: &ToolCall) -> Carry {
        if call.name == names::HAND_OVER {
            return self.way(call).map(|way| way.context).unwrap_or_default();
        }
        let to = call.argument("to").unwrap_or_default();
        let transfer = self.assistant.transfers.get(&to);
        transfer.map_or(Carry::Nothing, |transfer| transfer.context)
    }

    /// Who takes over will want to know it in short: a model words that while the caller still
    /// hears the announcement.
    pub(super) fn sum_up(&mut self, now: Instant, call: &ToolCall) {
        if self.carried_by(call) != Carry::Summary {
            return;
        }
        self.ask_beside(now, SUM_UP.to_owned());
    }

    /// Lets the model find out something of the conversation that this agent was given; nothing is
    /// said, and what it finds is the agent's only act.
    pub(super) fn judge(&mut self, now: Instant, question: String) {
        let inherited = self.opening.inherits.take();
        self.conversation = inherited.map(|it| it.conversation).unwrap_or_default();
        self.ask_beside(now, question);
    }

    fn ask_beside(&mut self, now: Instant, instructions: String) {
        let thought = self.answer.beside();
        let until = Some(now + SUMMARY_WITHIN);
        self.summing = Some(Summing { thought, text: String::new(), until });
        let request = Request {
            thought,
            instructions,
            messages: self.conversation.messages(),
            tools: Vec::new(),
            today: self.opening.today,
            inherited: self.conversation.inherited(),
            takes_over: false,
            wanted: Wanted::Summary,
        };
        self.out.push_back(Output::Think { thought, request });
    }

    /// Takes a piece of the summary, if it is one.
    pub(super) fn is_summed_up(&mut self, id: ThoughtId, delta: &Delta) -> bool {
        let Some(summing) = self.summing.as_mut().filter(|it| it.thought == id) else {
            return false;
        };
        match delta {
            Delta::Text(text) => {
                if summing.text.len() < LONGEST_SUMMARY {
                    summing.text.push_str(text);
                }
            }
            Delta::Done => summing.until = None,
            Delta::Clause | Delta::Tool(_) | Delta::Used(_) => {}
            Delta::BrokeOff | Delta::Failed | Delta::Down => self.summing = None,
        }
        self.has_judged();
        true
    }

    /// Tells what the model found, if it was asked for that; without its word, that is nothing.
    fn has_judged(&mut self) {
        if self.opening.judges.is_none() || self.summed_up_by().is_some() {
            return;
        }
        let found = self.summing.take().map(|it| it.text).unwrap_or_default();
        let arguments = json!({ "to": found.trim() }).to_string();
        let call =
            ToolCall { id: names::JUDGED.to_owned(), name: names::JUDGED.to_owned(), arguments };
        self.out.push_back(Output::Run(call));
    }

    /// Until when a summary is waited for.
    pub(super) fn summed_up_by(&self) -> Option<Instant> {
        self.summing.as_ref().and_then(|summing| summing.until)
    }

    /// Nobody waits for the summary any more.
    pub(super) fn drop_summary(&mut self) {
        if let Some(summing) = self.summing.take().filter(|it| it.until.is_some()) {
            self.out.push_back(Output::Abandon(summing.thought));
            self.has_judged();
        }
    }

    /// The conversation for the agent to which a call of a tool hands it over. `None`: it begins
    /// anew.
    pub fn bequeath(&self, call: &ToolCall) -> Option<Inheritance> {
        let summary = self.summing.as_ref().map(|summing| summing.text.trim().to_owned());
        let summary = summary.filter(|text| !text.is_empty());
        let carry = match (self.carried_by(call), &summary) {
            // Without a summary all of it goes along.
            (Carry::Summary, None) => Carry::All,
            (carry, _) => carry,
        };
        if carry == Carry::Nothing {
            return None;
        }
        let own = |name: &str| self.opening.tools.iter().any(|tool| tool.name == name);
        // The hand-over itself is nothing to go on with.
        let known = |name: &str| own(name) && name != call.name;
        Some(Inheritance {
            from: self.opening.name.clone(),
            conversation: self.conversation.handed_on(carry.most(), &known)?,
            told: self.conversation.last_words(),
            summary,
            seen: self.seen(),
        })
    }
}

/// What the model that hands over is asked at last.
const SUM_UP: &str = "Another agent takes over this telephone call. Write down for it what the \
                      caller wants and what was said and settled: names, numbers, dates, and what \
                      is still open. At most five short sentences, no greeting, no markup.";

/// How long a summary is waited for.
const SUMMARY_WITHIN: Duration = Duration::from_secs(4);

/// The longest summary, in octets.
const LONGEST_SUMMARY: usize = 4_000;
