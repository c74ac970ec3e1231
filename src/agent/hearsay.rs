//! How a session takes what was heard: which words are expected, in which language, and how sure.

use std::time::Instant;

use crate::agent::assistant::Assistant;
use crate::agent::caller::Words;
use crate::agent::endpointing::Completeness;
use crate::agent::event::{Output, PauseId, Transcript};
use crate::agent::expectation::Expectation;
use crate::agent::floor::Event;
use crate::agent::phrases::Phrases;
use crate::agent::session::{Hearing, Session};

impl Session {
    /// The turn that begins is judged by what the agent asked for last.
    pub(super) fn expect(&mut self) {
        let context = self.assistant.context(&self.language);
        let asked = self.conversation.last_words();
        self.turn.expects(Expectation::of_question(&asked, context.locale), context);
    }

    /// Changes to the language of the caller, if the agent speaks it.
    /// An answer that was guessed in another one is not wanted.
    pub(super) fn follow(&mut self, now: Instant, text: &str) {
        let Some(language) = self.languages.hear(text) else { return };
        if self.answer.is_guess() {
            self.drop_answer(now);
        }
        let other = Assistant { language: Some(language.clone()), ..Assistant::default() };
        self.phrases = Phrases::of(&other);
        self.speech.speaks_as(self.assistant.speaker(&language));
        let interrupt = self.assistant.interrupt.clone();
        self.turn.changes_language(&Assistant { interrupt, ..other });
        self.language = language.clone();
        self.out.push_back(Output::Speaks(language));
    }

    /// Takes what was heard to the turn.
    pub(super) fn transcribed(&mut self, now: Instant, pause: PauseId, transcript: Transcript) {
        self.hearing = match transcript {
            Transcript::Failed => Hearing::Deaf,
            Transcript::Partial { .. } | Transcript::Final { .. } | Transcript::Judged { .. } => {
                Hearing::Well
            }
        };
        let event = match transcript {
            Transcript::Partial { text } => Event::Partial(text),
            Transcript::Final { text, complete, confidence: _ } => {
                let completeness =
                    if complete { Completeness::Whole } else { Completeness::Unknown };
                Event::Words(Words { pause, text, completeness })
            }
            Transcript::Judged { text, verdict } => {
                let completeness = Completeness::Judged(verdict);
                Event::Words(Words { pause, text, completeness })
            }
            Transcript::Failed => {
                let text = self.turn.words_so_far();
                Event::Words(Words { pause, text, completeness: Completeness::Unknown })
            }
        };
        self.turn.handle(now, event);
    }
}
