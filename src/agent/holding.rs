//! The caller puts the agent on hold: nobody hears it, and it hears nobody.

use std::time::Instant;

use super::event::{Output, Over};
use super::floor::{Event, Presence, State};
use super::session::{Life, Session};

impl Session {
    /// Stops at the next frame; what the caller was saying counts as said.
    pub(super) fn be_held(&mut self, now: Instant) {
        if self.line == Presence::Held {
            return;
        }
        self.line = Presence::Held;
        if matches!(self.turn.state(), State::Hearing(_)) {
            self.turn.handle(now, Event::SpeechEnded { last_voiced: now });
        }
        self.speech.pause(now);
        self.out.push_back(Output::Pause);
    }

    /// Goes on where it stopped; the silence while nobody listened was none.
    pub(super) fn be_taken_back(&mut self, now: Instant) {
        if self.line == Presence::Here {
            return;
        }
        self.line = Presence::Here;
        self.turn.resumes(now);
        // Who had just begun to speak over the agent is not there any more: the turn lets it go on.
        if !matches!(self.turn.state(), State::Yielding(_)) {
            self.speech.resume(now);
            self.out.push_back(Output::Resume);
        }
    }

    /// Whether a goodbye would be said to nobody; then the conversation is over without it.
    pub(super) fn ends_unheard(&mut self, now: Instant, why: Over) -> bool {
        let unheard = self.line == Presence::Held && self.life != Life::Over;
        if unheard {
            self.end(now, why);
        }
        unheard
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::super::assistant::Assistant;
    use super::super::event::{Input, Note, Output, Over, Progress};
    use super::super::session::{Opening, Session};

    fn session(first: Option<&str>, now: Instant) -> Session {
        let opening = Opening { first_message: first.map(str::to_owned), ..Opening::default() };
        let mut session = Session::new(Arc::new(Assistant::default()), opening, now);
        session.handle(now, Input::Began);
        session
    }

    fn drain(session: &mut Session) -> Vec<Output> {
        std::iter::from_fn(|| session.poll()).collect()
    }

    /// Lets everything happen that is due within `span`.
    fn wait(session: &mut Session, now: &mut Instant, span: Duration) -> Vec<Output> {
        let until = *now + span;
        let mut out = Vec::new();
        while let Some(at) = session.deadline().filter(|at| *at <= until) {
            *now = at;
            session.tick(at);
            out.extend(drain(session));
            if out.len() > 1_000 {
                panic!("it never rests: {out:?}");
            }
        }
        *now = until;
        out
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn nobody_is_reminded_of_a_silence_on_hold() {
        let mut now = Instant::now();
        let mut session = session(None, now);
        drain(&mut session);
        session.handle(now, Input::Held);
        assert_eq!(drain(&mut session), [Output::Pause]);
        assert!(wait(&mut session, &mut now, MINUTE * 5).is_empty());
        session.handle(now, Input::Resumed);
        assert_eq!(drain(&mut session), [Output::Resume]);
        assert!(wait(&mut session, &mut now, Duration::from_secs(3)).is_empty(), "not at once");
        let said = wait(&mut session, &mut now, MINUTE);
        assert!(matches!(said.first(), Some(Output::Speak(_))), "{said:?}");
    }

    #[test]
    fn what_was_being_said_goes_on_after_the_hold() {
        let mut now = Instant::now();
        let mut session = session(Some("Hello there, how are you?"), now);
        let said = drain(&mut session);
        let Some(Output::Speak(utterance)) = said.first() else { panic!("{said:?}") };
        let utterance = utterance.id;
        let started = Progress::Started { at: now };
        session.handle(now, Input::Spoken { utterance, progress: started });
        session.handle(now, Input::Held);
        session.handle(now, Input::Held);
        assert_eq!(drain(&mut session), [Output::Pause]);
        // A voice that waits is not stuck.
        assert!(wait(&mut session, &mut now, MINUTE * 3).is_empty());
        session.handle(now, Input::Resumed);
        assert_eq!(drain(&mut session), [Output::Resume]);
        let finished = Progress::Finished { at: now };
        session.handle(now, Input::Spoken { utterance, progress: finished });
        let noted = drain(&mut session);
        assert!(matches!(noted.first(), Some(Output::Note(_))), "{noted:?}");
    }

    #[test]
    fn what_was_said_to_one_who_holds_and_is_replaced_is_kept() {
        let mut now = Instant::now();
        let mut session = session(Some("Hello there, how are you?"), now);
        let said = drain(&mut session);
        let Some(Output::Speak(utterance)) = said.first() else { panic!("{said:?}") };
        let utterance = utterance.id;
        let started = Progress::Started { at: now };
        session.handle(now, Input::Spoken { utterance, progress: started });
        now += Duration::from_secs(1);
        session.handle(now, Input::Held);
        session.handle(now, Input::Replaced);
        assert_eq!(drain(&mut session), [Output::Pause, Output::Flush { through: utterance }]);
        let heard = (utterance, Duration::from_secs(1), Some(Duration::from_secs(2)));
        session.handle(now, Input::Flushed { heard: vec![heard] });
        let noted = drain(&mut session);
        let cut =
            |it: &Output| matches!(it, Output::Note(Note::AgentSaid { interrupted: true, .. }));
        assert!(noted.iter().any(cut), "{noted:?}");
        session.handle(now, Input::Resumed);
        assert!(!drain(&mut session).contains(&Output::Pause), "nothing is paused any more");
    }

    #[test]
    fn a_goodbye_to_nobody_is_not_said() {
        let now = Instant::now();
        let mut session = session(None, now);
        session.handle(now, Input::Held);
        drain(&mut session);
        session.handle(now, Input::WindUp);
        assert_eq!(drain(&mut session), [Output::Over(Over::WoundUp)]);
    }
}
