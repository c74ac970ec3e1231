//! The ear of a simulated call: takes the frames that the port heard and understands their tones.

use std::collections::VecDeque;
use std::time::Instant;

use voxtrunk::agent::event::{Input, PauseId, Transcript};
use voxtrunk::audio::frame::Frame;

use super::actor::Transcriber;
use super::tongue::{Hearing, Tongue};

/// Listens for one call, in the manner of the server's own ear.
#[derive(Debug, Default)]
pub struct Ear {
    transcriber: Option<Transcriber>,
    /// Which agent it hears for, counted; texts for one before are not told.
    pub agent: usize,
    before: VecDeque<(Instant, Frame)>,
    hearing: Option<Hearing>,
    pause: PauseId,
    told: usize,
}

impl Ear {
    /// Another agent takes over.
    pub fn engage(&mut self, transcriber: Transcriber) {
        self.transcriber = Some(transcriber);
        self.agent += 1;
        self.hearing = None;
    }

    /// Takes a frame; gives a partial text when there are new words and somebody wants them.
    pub fn hear(&mut self, now: Instant, frame: Frame, tongue: &Tongue) -> Option<Input> {
        let Some(hearing) = &mut self.hearing else {
            self.before.push_back((now, frame));
            if self.before.len() > PRE_ROLL {
                self.before.pop_front();
            }
            return None;
        };
        hearing.hear(now, &frame, tongue);
        if !self.transcriber.is_some_and(|it| it.partials) {
            return None;
        }
        let count = hearing.words(tongue).len();
        if std::mem::replace(&mut self.told, count) == count {
            return None;
        }
        let text = hearing.text(tongue);
        Some(Input::Transcript { pause: self.pause, transcript: Transcript::Partial { text } })
    }

    /// The caller's turn begins.
    pub fn listen(&mut self, tongue: &Tongue) {
        let mut hearing = Hearing::default();
        for (at, frame) in self.before.drain(..) {
            hearing.hear(at, &frame, tongue);
        }
        (self.hearing, self.told) = (Some(hearing), 0);
    }

    /// The caller paused: gives the text so far and how long it takes.
    pub fn finalize(&mut self, pause: PauseId, tongue: &Tongue) -> Option<(Input, Transcriber)> {
        self.pause = pause;
        let text = self.hearing.as_ref().map(|it| it.text(tongue)).unwrap_or_default();
        let transcript = Transcript::Final { text, confidence: None, complete: false };
        Some((Input::Transcript { pause, transcript }, self.transcriber?))
    }

    /// The turn was taken.
    pub fn forget(&mut self) {
        self.hearing = None;
    }
}

/// How many frames before the edge belong to a turn.
const PRE_ROLL: usize = 20;
