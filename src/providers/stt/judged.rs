//! The caller's turn as vendors tell it that judge by themselves when one is over. A turn of the
//! vendor may be shorter than one of ours: ours ends when it is taken.

use std::time::Duration;

use super::words::join;
use crate::agent::event::{PauseId, Transcript, Verdict};
use crate::providers::stt::socket::Out;
use crate::providers::transcriber::Heard;

/// What was heard of the turn. Places in the stream are counted in samples since the socket was
/// opened.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What was sent.
    sent: u64,
    /// Where our turn began, while there is one.
    began: u64,
    in_turn: bool,
    /// The words of the vendor's turns that ended within ours.
    text: String,
    /// Those of its turn that goes on.
    rest: String,
    /// The turn that ended last, and how long the words were before it: it may be told again.
    ended: Option<(u64, usize)>,
    /// How the vendor judges them, and what had been sent by then.
    verdict: Option<Verdict>,
    judged: u64,
    /// The number of the vendor's turn, and whether it goes on.
    turn: Option<u64>,
    open: bool,
    /// Turns of the vendor up to this one belong to turns of ours that were taken.
    taken: Option<u64>,
    pause: PauseId,
    /// Whether the pause waits for a word.
    asked: bool,
}

/// What the vendor says of its turn.
pub(super) struct News<'a> {
    /// Its number.
    pub turn: u64,
    /// Its words that were not said before a place.
    pub words: &'a dyn Fn(u64) -> String,
    /// How it judges the turn; `None` when it says so only with the next news.
    pub verdict: Option<Verdict>,
}

impl Judged {
    /// A new socket is open.
    pub fn opened(&mut self) {
        let (in_turn, pause) = (self.in_turn, self.pause);
        *self = Self { in_turn, pause, ..Self::default() };
    }

    /// Our turn begins.
    pub fn begin(&mut self) {
        self.began = self.sent;
        self.in_turn = true;
        self.forget_words();
    }

    /// So many samples were sent.
    pub fn sent(&mut self, samples: usize) {
        self.sent += samples as u64;
    }

    /// The caller paused.
    pub fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.pause = pause;
        let stands = matches!(self.verdict, Some(Verdict::Likely | Verdict::Over));
        if stands && self.sent - self.judged <= JUST_NOW {
            return self.answer(out);
        }
        self.asked = true;
        out.wake = Some(WORD_WITHIN);
    }

    /// Our turn was taken or came to nothing. Gives whether the vendor's goes on: it should be
    /// told.
    pub fn forget(&mut self) -> bool {
        self.in_turn = false;
        self.taken = self.turn;
        self.forget_words();
        self.open
    }

    /// The vendor says something of its turn.
    pub fn news(&mut self, news: &News<'_>, out: &mut Out) {
        self.turn = Some(news.turn);
        self.open = news.verdict != Some(Verdict::Over);
        if !self.in_turn || self.taken.is_some_and(|taken| news.turn <= taken) {
            return;
        }
        let before = self.words();
        self.rest = (news.words)(self.began);
        self.judged = self.sent;
        self.verdict = Some(news.verdict.unwrap_or(Verdict::Open));
        if news.verdict == Some(Verdict::Over) {
            self.end(news.turn);
        }
        let words = self.words();
        if words.is_empty() {
            return;
        }
        if news.verdict.is_some() {
            self.answer(out);
        } else if words != before {
            let transcript = Transcript::Partial { text: words };
            out.tell.push(Heard { pause: self.pause, transcript });
        }
    }

    /// The time for a word is over.
    pub fn wake(&mut self, out: &mut Out) {
        if self.asked {
            self.answer(out);
        }
    }

    /// The words of a turn that ended stay; of one that ended already they become others.
    fn end(&mut self, turn: u64) {
        match self.ended {
            Some((ended, length)) if ended == turn => self.text.truncate(length),
            _ => self.ended = Some((turn, self.text.len())),
        }
        let rest = std::mem::take(&mut self.rest);
        join(&mut self.text, &rest);
    }

    /// Says what was heard, and whether the turn is over.
    fn answer(&mut self, out: &mut Out) {
        self.asked = false;
        let verdict = self.verdict.unwrap_or(Verdict::Open);
        let transcript = Transcript::Judged { text: self.words(), verdict };
        out.tell.push(Heard { pause: self.pause, transcript });
    }

    fn words(&self) -> String {
        let mut text = self.text.clone();
        join(&mut text, &self.rest);
        text
    }

    fn forget_words(&mut self) {
        self.text.clear();
        self.rest.clear();
        self.ended = None;
        self.verdict = None;
        self.asked = false;
    }
}

/// A verdict stands as long as no more than this was sent since, in samples: 400 ms.
const JUST_NOW: u64 = 6_400;

/// How long a pause waits for a verdict before it gets the words without one.
pub(super) const WORD_WITHIN: Duration = Duration::from_millis(300);
