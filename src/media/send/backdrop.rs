//! What is heard instead of a voice and behind it: music for who waits, the sounds of the room in
//! which an agent seems to sit.

use std::sync::Arc;

use crate::audio::frame::Rate;
use crate::media::music::Tape;

/// What plays at a port.
#[derive(Debug, Default)]
pub struct Backdrop {
    music: Option<Playing>,
    ambience: Option<Playing>,
}

/// A tape and how far it was played.
#[derive(Debug)]
struct Playing {
    tape: Arc<Tape>,
    position: u64,
}

impl Backdrop {
    /// Plays music from its beginning wherever nothing else is heard, or no more.
    pub fn entertain(&mut self, tape: Option<Arc<Tape>>) {
        self.music = tape.map(Playing::new);
    }

    /// Plays a tape from its beginning beneath everything that we send, or no more.
    pub fn surround(&mut self, tape: Option<Arc<Tape>>) {
        self.ambience = tape.map(Playing::new);
    }

    /// Whether anything plays.
    pub fn plays(&self) -> bool {
        self.music.is_some() || self.ambience.is_some()
    }

    /// Adds what is heard where nobody of ours speaks.
    pub fn fill(&mut self, frame: &mut [i16], rate: Rate) {
        for playing in [&mut self.music, &mut self.ambience].into_iter().flatten() {
            playing.add_to(frame, rate);
        }
    }

    /// Adds what is heard behind a voice; music waits.
    pub fn underlay(&mut self, frame: &mut [i16], rate: Rate) {
        if let Some(playing) = &mut self.ambience {
            playing.add_to(frame, rate);
        }
    }
}

impl Playing {
    fn new(tape: Arc<Tape>) -> Self {
        Self { tape, position: 0 }
    }

    fn add_to(&mut self, frame: &mut [i16], rate: Rate) {
        self.tape.add_to(frame, rate, self.position);
        self.position = self.position.wrapping_add(frame.len() as u64);
    }
}
