//! The mouth of a call: turns utterances into frames, in order, one second ahead of what is heard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use super::crew::Crew;
use crate::agent::event::{Input, Progress, Utterance, UtteranceId};
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::call::event;
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
use crate::engine::media_shard::{MediaHandle, Order as MediaOrder, PortId, Spoken};
use crate::providers::error::ProviderError;
use crate::providers::voice::Voice;

/// What the call orders of its mouth.
#[derive(Debug)]
pub enum Order {
    /// Another agent takes over; what waits is still spoken by whom it was given to.
    Engage(Arc<Crew>),
    /// The port is open; this is the rate of its codec and the ring that it plays from.
    Open(PortId, Rate, rtrb::Producer<Spoken>),
    /// Speak, after what waits.
    Speak(Utterance),
    /// What is held up to here may be heard.
    Release(UtteranceId),
    /// Drop everything up to here.
    Flush(UtteranceId),
}

/// Speaks for one call; ends when the call's orders end.
pub struct Mouth {
    mailbox: Mailbox,
    media: MediaHandle,
    voice: Option<Arc<dyn Voice>>,
    port: Option<(PortId, Rate, rtrb::Producer<Spoken>)>,
    jobs: VecDeque<Job>,
}

/// An utterance being spoken or waiting.
struct Job {
    id: UtteranceId,
    held: bool,
    text: String,
    voice: Arc<dyn Voice>,
    state: State,
    /// At the rate of the port, 20 ms each.
    ready: VecDeque<Frame>,
    voiced: bool,
    /// Whether some of it stands in the ring already.
    heard: bool,
}

enum State {
    Waiting,
    Voicing(BoxStream<'static, Result<Frame, ProviderError>>, Option<Resampler>, Vec<i16>),
    Voiced,
}

impl Mouth {
    /// Makes a mouth that reports to `mailbox` and plays through `media`.
    pub fn new(mailbox: Mailbox, media: MediaHandle) -> Self {
        Self { mailbox, media, voice: None, port: None, jobs: VecDeque::new() }
    }

    /// Runs until the call closes the orders.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let rest = self.feed();
            let voicing = self.voicing();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                frame = next(voicing) => self.voiced(frame).await,
                () = tokio::time::sleep(rest.unwrap_or_default()), if rest.is_some() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Engage(crew) => self.voice = Some(crew.voice.clone()),
            Order::Open(port, rate, ring) => self.port = Some((port, rate, ring)),
            Order::Speak(Utterance { id, spoken: text, held, .. }) => {
                let Some(voice) = self.voice.clone() else { return };
                let ready = VecDeque::new();
                let state = State::Waiting;
                let (voiced, heard) = (false, false);
                self.jobs.push_back(Job { id, held, text, voice, state, ready, voiced, heard });
            }
            Order::Release(through) => {
                for job in self.jobs.iter_mut().filter(|job| job.id <= through) {
                    job.held = false;
                }
            }
            Order::Flush(through) => self.jobs.retain(|job| job.id > through),
        }
    }

    /// The stream that gives the next samples: that of the first job that is not yet voiced, if
    /// not too much waits already.
    fn voicing(&mut self) -> Option<&mut BoxStream<'static, Result<Frame, ProviderError>>> {
        let (_, rate, _) = self.port.as_ref()?;
        let waiting: usize = self.jobs.iter().map(|job| job.ready.len()).sum();
        if waiting > MOST_READY {
            return None;
        }
        let job = self.jobs.iter_mut().find(|job| !matches!(job.state, State::Voiced))?;
        if matches!(job.state, State::Waiting) {
            let room = Vec::with_capacity(rate.samples_in(FRAME));
            job.state = State::Voicing(job.voice.speak(&job.text), None, room);
        }
        match &mut job.state {
            State::Voicing(stream, _, _) => Some(stream),
            State::Waiting | State::Voiced => None,
        }
    }

    /// Takes what the voice gave: samples, a failure, or the end.
    async fn voiced(&mut self, frame: Option<Result<Frame, ProviderError>>) {
        let Some((_, rate, _)) = &self.port else { return };
        let rate = *rate;
        let Some(job) = self.jobs.iter_mut().find(|job| matches!(job.state, State::Voicing(..)))
        else {
            return;
        };
        let id = job.id;
        let progress = match frame {
            Some(Ok(frame)) => {
                job.take(&frame, rate);
                let first = !std::mem::replace(&mut job.voiced, true);
                first.then(|| Progress::Voiced { at: clock::now() })
            }
            Some(Err(why)) => {
                tracing::warn!(%why, "the voice failed");
                job.close(rate);
                Some(Progress::Failed)
            }
            None => {
                job.close(rate);
                None
            }
        };
        if let Some(progress) = progress {
            let input = Input::Spoken { utterance: id, progress };
            self.mailbox.deliver(event::Input::Mind(input)).await.ok();
        }
    }

    /// Moves ready frames into the ring; tells when to come again if it has no room for what waits.
    fn feed(&mut self) -> Option<Duration> {
        let (port, _, ring) = self.port.as_mut()?;
        let mut fed = false;
        let mut rest = None;
        while let Some(job) = self.jobs.front_mut() {
            if job.held {
                break;
            }
            while !ring.is_full() {
                let Some(frame) = job.ready.pop_front() else { break };
                ring.push(Spoken::Frame(job.id, frame)).expect("the ring has room");
                (fed, job.heard) = (true, true);
            }
            let full = ring.is_full();
            if full {
                rest = Some(if job.heard { REST } else { MOMENT });
            }
            if full || !job.ready.is_empty() || !matches!(job.state, State::Voiced) {
                break;
            }
            ring.push(Spoken::Finish(job.id)).expect("the ring has room");
            fed = true;
            self.jobs.pop_front();
        }
        if fed {
            self.media.order(MediaOrder::Feed(*port));
        }
        rest
    }
}

impl Job {
    /// Takes samples of the voice, brings them to the port's rate and cuts them into frames.
    fn take(&mut self, frame: &Frame, rate: Rate) {
        let State::Voicing(_, resampler, rest) = &mut self.state else { return };
        if frame.rate == rate {
            rest.extend_from_slice(&frame.samples);
        } else {
            let resampler = resampler.get_or_insert_with(|| Resampler::new(frame.rate, rate));
            resampler.push(&frame.samples, rest);
        }
        let length = rate.samples_in(FRAME);
        while rest.len() >= length {
            let tail = rest.split_off(length);
            self.ready.push_back(Frame::new(rate, std::mem::replace(rest, tail)));
        }
    }

    fn close(&mut self, rate: Rate) {
        if let State::Voicing(_, resampler, rest) = &mut self.state {
            if let Some(resampler) = resampler {
                resampler.finish(rest);
            }
            if !rest.is_empty() {
                self.ready.push_back(Frame::new(rate, std::mem::take(rest)));
            }
        }
        self.state = State::Voiced;
    }
}

/// The next item of a stream, or never without one.
async fn next<T>(stream: Option<&mut BoxStream<'static, T>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// How long a frame lasts.
const FRAME: Duration = Duration::from_millis(20);

/// How long a ring lasts that holds what was said a moment ago: it is full, and with the port there
/// is a second to play.
const REST: Duration = Duration::from_millis(100);

/// How long until the port drops what was flushed, when something new is to be heard.
const MOMENT: Duration = Duration::from_millis(10);

/// How many frames may wait: ten seconds; then the voice waits.
const MOST_READY: usize = 500;
