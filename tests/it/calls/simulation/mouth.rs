//! The mouth of a simulated call: turns utterances into frames, in order, not far ahead of what is
//! heard.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use voxtrunk::agent::event::{Input, Progress, Utterance, UtteranceId};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::media::event::Command;

use super::actor::{Voice, Works};
use super::tongue::Tongue;

/// Speaks for one call, in the manner of the server's own mouth.
#[derive(Debug, Default)]
pub struct Mouth {
    voice: Option<Voice>,
    /// The rate of the port, when it is open.
    rate: Option<Rate>,
    jobs: VecDeque<Job>,
    /// What stands in the ring to the port.
    ring: VecDeque<Command>,
    /// When the ring may have room again.
    retry: Option<Instant>,
}

#[derive(Debug)]
struct Job {
    id: UtteranceId,
    text: String,
    held: bool,
    voice: Voice,
    state: State,
    frames: VecDeque<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Voicing { ready: Instant },
    Voiced,
}

impl Mouth {
    /// Another agent takes over; what waits is spoken by whom it was given to.
    pub fn engage(&mut self, voice: Voice) {
        self.voice = Some(voice);
    }

    /// The port is open.
    pub fn open(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }

    /// Speaks, after what waits.
    pub fn speak(&mut self, utterance: Utterance) {
        let Some(voice) = self.voice else { return };
        let Utterance { id, spoken: text, held, .. } = utterance;
        let (state, frames) = (State::Waiting, VecDeque::new());
        self.jobs.push_back(Job { id, text, held, voice, state, frames });
    }

    /// What is held up to here may be heard.
    pub fn release(&mut self, through: UtteranceId) {
        for job in self.jobs.iter_mut().filter(|job| job.id <= through) {
            job.held = false;
        }
    }

    /// Drops everything up to here; what stands in the ring is the port's to drop.
    pub fn flush(&mut self, through: UtteranceId) {
        self.jobs.retain(|job| job.id > through);
    }

    /// Works on: gives what is to be told, and whether new audio stands in the ring.
    pub fn work(&mut self, now: Instant, tongue: &mut Tongue) -> (Vec<Input>, bool) {
        let mut told = Vec::new();
        while let Some(input) = self.voice_next(now, tongue) {
            told.push(input);
        }
        let fed = self.feed(now);
        (told, fed)
    }

    /// When `work` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let ready = self.jobs.iter().filter_map(|job| match job.state {
            State::Voicing { ready } => Some(ready),
            State::Waiting | State::Voiced => None,
        });
        ready.chain(self.retry).min()
    }

    /// Takes what the port may play next.
    pub fn take(&mut self) -> Option<Command> {
        self.ring.pop_front()
    }

    fn voice_next(&mut self, now: Instant, tongue: &mut Tongue) -> Option<Input> {
        let rate = self.rate?;
        let job = self.jobs.iter_mut().find(|job| job.state != State::Voiced)?;
        if job.state == State::Waiting {
            job.state = State::Voicing { ready: now + job.voice.takes };
        }
        match (job.state, job.voice.works) {
            (State::Voicing { ready }, Works::Yes | Works::Fails) if ready <= now => {}
            (State::Voicing { .. }, Works::Hangs) => {
                // Nothing ever comes; the far time keeps it from being a deadline.
                job.state = State::Voicing { ready: now + Duration::from_secs(3_600) };
                return None;
            }
            (State::Voicing { .. } | State::Waiting | State::Voiced, _) => return None,
        }
        job.state = State::Voiced;
        let progress = match job.voice.works {
            Works::Yes => {
                let whole = tongue.say(&job.text, rate);
                let length = rate.samples_in(FRAME);
                let frames = whole.samples.chunks(length);
                job.frames = frames.map(|samples| Frame::new(rate, samples.to_vec())).collect();
                Progress::Voiced { at: now }
            }
            Works::Fails | Works::Hangs => Progress::Failed,
        };
        Some(Input::Spoken { utterance: job.id, progress })
    }

    /// Moves ready frames into the ring.
    fn feed(&mut self, now: Instant) -> bool {
        self.retry = None;
        let mut fed = false;
        while let Some(job) = self.jobs.front_mut().filter(|job| !job.held) {
            let utterance = job.id;
            while self.ring.len() < RING {
                let Some(frame) = job.frames.pop_front() else { break };
                self.ring.push_back(Command::Play { utterance, frame });
                fed = true;
            }
            if self.ring.len() >= RING {
                self.retry = Some(now + Duration::from_millis(10));
                break;
            }
            if job.state != State::Voiced {
                break;
            }
            self.ring.push_back(Command::Finish { utterance });
            fed = true;
            self.jobs.pop_front();
        }
        fed
    }
}

/// How long a frame lasts.
const FRAME: Duration = Duration::from_millis(20);

/// How many frames stand in the ring.
const RING: usize = 30;
