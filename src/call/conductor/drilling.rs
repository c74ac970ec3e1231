//! A test destination has the call.

use std::time::Instant;

use super::{Conductor, Work};
use crate::call::cause::Cause;
use crate::call::drill::Action;
use crate::media::event::{Attention, Command};
use crate::media::link::Links;
use crate::sip::event;

impl Conductor {
    pub(super) fn drain_drill(&mut self, now: Instant) {
        while let Work::Drill(drill) = &mut self.work
            && let Some(action) = drill.poll()
        {
            self.act(now, action);
        }
    }

    fn act(&mut self, now: Instant, action: Action) {
        let near = self.near;
        match action {
            Action::Ring => {
                self.with(near, |leg, out| leg.ring(out));
            }
            Action::EarlyTone => {
                let offer = self.incoming.body.clone();
                match self.with(near, |leg, out| leg.ring_early(&offer, None, out)) {
                    Some(Ok(agreement)) => {
                        self.agreed(near, agreement);
                        self.play_tone();
                    }
                    Some(Err(refusal)) => self.end_as(now, Cause::IncompatibleMedia, refusal),
                    None => {}
                }
            }
            Action::Answer => {
                self.answer_near(now);
                self.media(Command::Attend(Attention::Keys));
            }
            Action::Echo => {
                self.with(near, |leg, out| leg.connect(Links::with(leg.port()), out));
            }
            Action::Tone => self.play_tone(),
            Action::Dial(digits) => self.media(Command::Dial(digits)),
            Action::Refer(target) => {
                self.sip(event::Command::Refer { session: near, target });
            }
            Action::HangUp => self.end(now, Cause::MaxDuration),
        }
    }

    fn play_tone(&mut self) {
        self.media(Command::Attend(Attention::Keys));
        self.media(Command::Music(self.briefing.tapes.tone.clone()));
    }
}
