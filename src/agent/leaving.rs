//! The line is gone: nothing is said any more, and what the caller said last still counts. Who
//! leaves a number and hangs up at once has said it all the same.

use std::mem;
use std::time::{Duration, Instant};

use crate::agent::event::{Input, Note, Output, PauseId, Transcript, Verdict};
use crate::agent::floor::{
    Aside, Deciding, Last, Order, Sound, Speaking, State, Text, Thinking, Yielding,
};
use crate::agent::session::{Life, Session};
use crate::agent::speech::Sent;
use crate::agent::turn::Turn;

impl Turn {
    /// The caller is gone. Tells what it said last, and whether the words of that are still to come.
    pub(super) fn ends(&mut self, now: Instant) -> Option<(Last, Text)> {
        match mem::take(&mut self.state) {
            State::Listening => self.late.take().map(|taken| (Last::Late(taken), Text::Asked)),
            State::Hearing(_) => self.breaks_off(now, Last::Turn),
            State::Deciding(Deciding { text, .. }) => Some((Last::Turn, text)),
            State::Thinking(Thinking { aside, .. }) | State::Speaking(Speaking { aside, .. }) => {
                match aside {
                    Aside::Quiet => None,
                    Aside::Late(taken) => Some((Last::Late(taken), Text::Asked)),
                    Aside::Talking => self.breaks_off(now, Last::Aside),
                    Aside::Asked(_) => Some((Last::Aside, Text::Asked)),
                    Aside::Kept => Some((Last::Turn, Text::Here)),
                }
            }
            State::Yielding(Yielding { sound: Sound::Going { .. }, .. }) => {
                self.breaks_off(now, Last::Aside)
            }
            State::Yielding(Yielding { sound: Sound::Over { .. }, .. }) => {
                Some((Last::Aside, Text::Asked))
            }
        }
    }

    fn breaks_off(&mut self, now: Instant, last: Last) -> Option<(Last, Text)> {
        self.caller.stops(now, now);
        self.finalize();
        Some((last, Text::Asked))
    }

    /// Whether this pause is the one whose words are to come.
    fn asked_at(&self, pause: PauseId) -> bool {
        self.pause == pause
    }
}

impl Session {
    /// Says nothing more, and waits for the words of the caller that are still to come.
    pub(super) fn hung_up(&mut self, now: Instant) {
        self.drop_answer(now);
        let last = self.turn.ends(now);
        while let Some(order) = self.turn.poll() {
            if let Order::Finalize(pause) = order {
                self.out.push_back(Output::Finalize(pause));
            }
        }
        match last {
            Some((last, Text::Asked)) => {
                self.life = Life::Leaving { until: now + LAST_WORDS, last };
            }
            Some((last, Text::Here)) => self.note_last(now, &last),
            None => self.life = Life::Left,
        }
    }

    /// Takes what still counts.
    pub(super) fn take_last(&mut self, now: Instant, input: Input) {
        match (input, &self.life) {
            (Input::Flushed { heard }, _) => self.account(now, Sent::Known(&heard)),
            (Input::Transcript { pause, transcript }, Life::Leaving { last, .. }) => {
                let last = last.clone();
                match transcript {
                    Transcript::Partial { text }
                    | Transcript::Judged { text, verdict: Verdict::Open | Verdict::Likely } => {
                        self.turn.caller.may_have_said(&text);
                    }
                    Transcript::Final { text, .. }
                    | Transcript::Judged { text, verdict: Verdict::Over }
                        if self.turn.asked_at(pause) =>
                    {
                        self.turn.caller.may_have_said(&text);
                        self.note_last(now, &last);
                    }
                    Transcript::Failed => self.note_last(now, &last),
                    Transcript::Final { .. } | Transcript::Judged { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// Whether words of a caller who is gone are still to come.
    pub fn wants_last_words(&self) -> bool {
        matches!(self.life, Life::Leaving { .. })
    }

    /// Waits no longer: what is known of the caller's last words is all.
    pub fn close(&mut self, now: Instant) {
        if let Life::Leaving { last, .. } = &self.life {
            let last = last.clone();
            self.note_last(now, &last);
        }
    }

    /// Notes what the caller said last, as far as it is known.
    fn note_last(&mut self, now: Instant, last: &Last) {
        self.life = Life::Left;
        self.turn.caller.close_keys(self.turn.terminator());
        let text = self.turn.caller.text();
        let says_more = match last {
            Last::Turn => !self.turn.caller.is_wordless(),
            Last::Aside => self.turn.is_substantial() || !self.turn.caller.keys().is_empty(),
            Last::Late(taken) => !text.is_empty() && text != *taken,
        };
        if !says_more {
            return;
        }
        if !matches!(last, Last::Late(_)) {
            self.answer.begin(self.turn.caller.times);
        }
        let since = self.answer.times.began.unwrap_or(now);
        let (turn, keys) = (self.answer.turn, self.turn.caller.keys().to_owned());
        self.note(Note::CallerSaid { turn, since, text, keys });
    }
}

/// How long the words of a caller who is gone are waited for. Transcribers answer within a second;
/// one of this machine that hears a crowd takes longer.
const LAST_WORDS: Duration = Duration::from_secs(5);
