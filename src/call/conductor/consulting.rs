//! A warm transfer: whoever answers is told who is calling and why, and says whether it takes the
//! call. Meanwhile the caller hears music; its agent waits, and takes it back when nobody wants it.

use std::time::{Duration, Instant};

use super::transferring::by_agent;
use super::{Conductor, Timer, Work};
use crate::agent::introduction::{self, Answer};
use crate::agent::session::Opening;
use crate::agent::tool::ToolCall;
use crate::call::briefing::Post;
use crate::call::cause::Cause;
use crate::call::desk::Desk;
use crate::call::dial::Purpose;
use crate::call::event::Output;
use crate::call::record::Manner;
use crate::call::transfer::Brief;
use crate::media::event::{Attention, Command};
use crate::sip::event::SessionId;

/// Somebody is asked whether it takes the caller. It is the near side for that long.
#[derive(Debug)]
pub(super) struct Consult {
    /// Why it was called.
    purpose: Purpose,
    /// Who waits.
    caller: SessionId,
    /// The desk that has the caller.
    desk: Desk,
}

impl Conductor {
    /// Whoever answered is told of the caller, and asked.
    pub(super) fn consult(&mut self, now: Instant, session: SessionId, (purpose, brief): Told) {
        let Some(casting) = self.desk.casting().and_then(|casting| {
            self.briefing.agents.get(&introduction::introducer(&casting.name)).cloned()
        }) else {
            return self.connect_with(now, session, purpose);
        };
        if purpose == Purpose::Queue {
            // What is just said of its place in the line is cut.
            self.leave_desk(now);
        }
        let is_german = casting.assistant.spoken_language().is_german();
        let question = casting.assistant.first_message.as_deref().unwrap_or_default();
        let opening = Opening {
            first_message: Some(format!("{} {question}", self.told_of_caller(brief, is_german))),
            today: self.chronicle.today(),
            ..Opening::default()
        };
        let caller = std::mem::replace(&mut self.near, session);
        self.out.push_back(Output::Engage(casting.clone()));
        self.attend_near();
        self.media(Command::Attend(Attention::Speech));
        let asking = self.desk.stand_in(now, Post { casting, squad: None }, opening);
        let desk = std::mem::replace(&mut self.desk, asking);
        self.work = Work::Consulting(Box::new(Consult { purpose, caller, desk }));
        self.timers.set(Timer::Consult, now + ASKED_FOR);
    }

    /// What is said of the caller.
    fn told_of_caller(&self, brief: Brief, is_german: bool) -> String {
        let words = match brief {
            Brief::Words(words) => words,
            Brief::Template(text) => self.rendered(&text),
            Brief::Plain => {
                let record = self.chronicle.record();
                let caller = record.name.as_deref().unwrap_or(&record.from);
                introduction::plainly(caller, is_german)
            }
        };
        let words = words.trim();
        if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
    }

    /// Takes a call of a tool that is the answer of whoever is asked.
    pub(super) fn is_of_consult(&mut self, now: Instant, call: &ToolCall) -> bool {
        if self.is_consulting() {
            self.consulted(now, Answer::of(call).unwrap_or(Answer::Unclear));
            return true;
        }
        false
    }

    /// Whoever was asked has answered, or will not.
    pub(super) fn consulted(&mut self, now: Instant, answer: Answer) {
        let Some((consult, asked)) = self.take_back(now) else { return };
        if answer == Answer::Taken {
            return self.connect_with(now, asked, consult.purpose);
        }
        let cause = match answer {
            Answer::Declined => Cause::Rejected(603),
            Answer::HungUp => Cause::CalleeHangup,
            Answer::Taken | Answer::Unclear => Cause::NoAnswer,
        };
        let to = self.written_destination(asked);
        self.asked = Some((asked, cause));
        self.drop_leg(asked, cause);
        if let Some(casting) = self.desk.casting().cloned() {
            self.out.push_back(Output::Engage(casting));
        }
        self.attend_near();
        match consult.purpose {
            Purpose::Transfer(call, kind) => {
                let try_of = by_agent(to, Manner::Bridge, kind);
                self.came_back(now, (try_of, cause), (call.id, answer.in_words().to_owned()));
                self.tell_of_hold(now);
            }
            _ => {
                // It hears music all the time.
                self.work = Work::Queued;
                self.media(Command::Attend(Attention::Keys));
                self.not_taken();
            }
        }
    }

    /// The caller is the near side again, and its desk that of the call. Nobody is served yet.
    pub(super) fn take_back(&mut self, now: Instant) -> Option<(Consult, SessionId)> {
        if !self.is_consulting() {
            return None;
        }
        // What is being said there is cut.
        self.leave_desk(now);
        self.timers.clear(Timer::Consult);
        let Work::Consulting(consult) = std::mem::replace(&mut self.work, Work::Agent) else {
            return None;
        };
        let mut consult = *consult;
        let asked = std::mem::replace(&mut self.near, consult.caller);
        let stood_in = std::mem::replace(&mut self.desk, std::mem::take(&mut consult.desk));
        self.desk.come_back(&stood_in);
        Some((consult, asked))
    }

    /// The caller talks with whoever answered.
    fn connect_with(&mut self, now: Instant, session: SessionId, purpose: Purpose) {
        match purpose {
            Purpose::Transfer(_, kind) => self.transfer_answered(now, session, kind),
            _ => self.member_answered(now, session),
        }
    }

    /// The caller is gone while somebody else is asked.
    pub(super) fn left_consult(&mut self, now: Instant, session: SessionId) {
        if !matches!(&self.work, Work::Consulting(consult) if consult.caller == session) {
            return;
        }
        let Some((consult, asked)) = self.take_back(now) else { return };
        self.asked = Some((asked, Cause::CallerHangup));
        if let Purpose::Transfer(_, kind) = consult.purpose {
            let to = self.written_destination(asked);
            let try_of = by_agent(to, Manner::Bridge, kind);
            let fact = self.chronicle.transferred(now, try_of, Some(Cause::CallerHangup));
            self.out.push_back(Output::Fact(fact));
        }
    }

    /// Whoever is called now is told of the caller before both are connected.
    pub(super) fn is_warm(&self) -> bool {
        self.dial.as_ref().is_some_and(|dial| dial.brief().is_some())
    }

    /// Whether somebody is asked whether it takes the caller.
    pub(super) fn is_consulting(&self) -> bool {
        matches!(self.work, Work::Consulting(_))
    }

    /// The desk that has the caller.
    pub(super) fn desk_of_caller(&self) -> &Desk {
        match &self.work {
            Work::Consulting(consult) => &consult.desk,
            _ => &self.desk,
        }
    }

    /// Why somebody who was asked has not got the caller, if it has not.
    pub(super) fn why_not_taken(&self, session: SessionId) -> Option<Cause> {
        self.asked.filter(|(asked, _)| *asked == session).map(|(_, cause)| cause)
    }
}

/// Why somebody was called, and what it is told.
pub(super) type Told = (Purpose, Brief);

/// How long somebody may be asked before it counts as nobody.
const ASKED_FOR: Duration = Duration::from_secs(45);
