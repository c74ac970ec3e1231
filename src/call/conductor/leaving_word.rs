//! The caller leaves a message: what the voicemail orders is done here, and what happens to the
//! caller is told to it.

use std::sync::Arc;
use std::time::Instant;

use super::{Conductor, Work};
use crate::agent::event::Input;
use crate::agent::mailbox::Line;
use crate::agent::session::Opening;
use crate::agent::tool::{ToolCall, names};
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::briefing::{Letterbox, Post};
use crate::call::cause::Cause;
use crate::call::event::{Output, Word};
use crate::call::leg::{Leg, State};
use crate::call::voicemail::{Action, Fate, Happening, Settings, Voicemail};
use crate::media::event::Command;
use crate::media::music::Tape;

/// A caller at a voicemail.
#[derive(Debug)]
pub(super) struct Leaving {
    letterbox: Arc<Letterbox>,
    pub(super) voicemail: Voicemail,
}

impl Conductor {
    /// The near side is to leave a message, once it is there.
    pub(super) fn leave_word(&mut self, now: Instant, name: &str) {
        let post = Destination::Voicemail(name.to_owned()).to_string();
        let letterbox = self.briefing.letterboxes.get(name).cloned();
        let casting = self.briefing.agents.get(&post).cloned();
        let Some((letterbox, casting)) = letterbox.zip(casting) else {
            return self.end(now, Cause::NoRoute);
        };
        self.end_flow();
        self.desk.leave(now);
        self.media(Command::Ambience(None));
        self.engage(Post { casting, squad: None });
        let terms = &letterbox.terms;
        let settings = Settings {
            speaks: self.greeting().is_some(),
            plays: letterbox.greeting.as_ref().map(|tape| tape.lasts()),
            max_length: terms.max_length,
            min_length: terms.min_length,
            silence: terms.silence,
        };
        self.out.push_back(Output::LookInto(letterbox.name.clone(), terms.max_messages));
        self.work = Work::Voicemail(Leaving { letterbox, voicemail: Voicemail::new(settings) });
        self.give_back_to_agent();
        self.ready_near(now);
    }

    /// The near side has a port: whoever is not answered yet is answered now.
    pub(super) fn ready_for_word(&mut self, now: Instant) {
        match self.leg(self.near).map(Leg::state) {
            Some(State::Up) => self.tell_voicemail(now, Happening::Up),
            // Its confirmation is on the way.
            Some(State::Answering) => {}
            _ => self.answer_near(now),
        }
    }

    pub(super) fn tell_voicemail(&mut self, now: Instant, happening: Happening) {
        if let Work::Voicemail(leaving) = &mut self.work {
            leaving.voicemail.handle(now, happening);
        }
    }

    /// Takes what the port of the near side says, if the caller is at a voicemail: it is not for
    /// whoever speaks there.
    pub(super) fn is_for_voicemail(&mut self, now: Instant, port: PortId, input: &Input) -> bool {
        if !matches!(self.work, Work::Voicemail(_)) || !self.is_near(port) {
            return false;
        }
        let happening = match *input {
            Input::SpeechStarted => Happening::SpeechStarted,
            Input::SpeechEnded { last_voiced } => Happening::SpeechEnded { last_voiced },
            Input::SpeechFaded | Input::SpeechReturned | Input::Digit(_) => return true,
            _ => return false,
        };
        self.tell_voicemail(now, happening);
        true
    }

    /// Takes the word that a line was heard, if the caller is at a voicemail.
    pub(super) fn is_of_voicemail(&mut self, now: Instant, call: &ToolCall) -> bool {
        let is_said = matches!(self.work, Work::Voicemail(_)) && call.name == names::SAID;
        if is_said {
            self.tell_voicemail(now, Happening::Said);
        }
        is_said
    }

    pub(super) fn drain_voicemail(&mut self, now: Instant) {
        while let Work::Voicemail(leaving) = &mut self.work
            && let Some(action) = leaving.voicemail.poll()
        {
            let letterbox = leaving.letterbox.clone();
            self.obey_voicemail(now, &letterbox, action);
        }
    }

    fn obey_voicemail(&mut self, now: Instant, letterbox: &Letterbox, action: Action) {
        match action {
            Action::Greet => self.say_at_voicemail(now, self.greeting().unwrap_or_default()),
            Action::Play => {
                self.hush(now);
                self.media_plays(letterbox.greeting.clone());
            }
            Action::Hush => {
                self.hush(now);
                self.media_plays(None);
            }
            Action::Beep => {
                self.hush(now);
                self.media_plays(Some(self.briefing.tapes.beep.clone()));
            }
            Action::Record => {
                let record = self.chronicle.record();
                let word = Word {
                    mailbox: letterbox.name.clone(),
                    from: record.from.clone(),
                    name: record.name.clone(),
                    at: self.chronicle.time(now),
                };
                self.out.push_back(Output::TakeDown(PortId(self.near.0), Box::new(word)));
            }
            Action::Stop(fate) => self.word_is_left(now, letterbox, fate),
            Action::Say(line) => self.say_at_voicemail(now, self.words_of(line)),
            Action::HangUp => self.end(now, Cause::Voicemail),
        }
    }

    /// The call ends, whoever ended it: what was said is kept.
    pub(super) fn left_voicemail(&mut self, now: Instant, mut leaving: Leaving) {
        leaving.voicemail.handle(now, Happening::Gone);
        while let Some(action) = leaving.voicemail.poll() {
            if let Action::Stop(fate) = action {
                self.word_is_left(now, &leaving.letterbox, fate);
            }
        }
    }

    fn word_is_left(&mut self, now: Instant, letterbox: &Letterbox, fate: Fate) {
        if fate != Fate::Full {
            self.out.push_back(Output::TakenDown(PortId(self.near.0), fate));
        }
        let fact = self.chronicle.word_left(now, &letterbox.name, fate);
        self.out.extend(fact.map(Output::Fact));
    }

    /// What is said first: that the call is recorded where it is, and the greeting.
    fn greeting(&self) -> Option<String> {
        let casting = self.desk.casting()?;
        casting.assistant.first_message.clone().filter(|text| !text.is_empty())
    }

    fn words_of(&self, line: Line) -> String {
        let language = self.desk.casting().map(|casting| casting.assistant.spoken_language());
        language.map(|language| line.text(&language).to_owned()).unwrap_or_default()
    }

    fn say_at_voicemail(&mut self, now: Instant, line: String) {
        let name = names::SAID.to_owned();
        let said = ToolCall { id: name.clone(), name, arguments: "{}".to_owned() };
        let today = self.chronicle.today();
        let (first_message, then) = (Some(line), Some(said));
        self.desk.begin(now, Opening { first_message, then, today, ..Opening::default() });
    }

    /// Nobody speaks from now on.
    fn hush(&mut self, now: Instant) {
        self.desk.leave(now);
        self.silence_agent();
    }

    fn media_plays(&mut self, tape: Option<Arc<Tape>>) {
        self.media(tape.map_or(Command::NoMusic, Command::Music));
    }
}
