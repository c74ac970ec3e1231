//! The mouth of a call: turns utterances into frames, in order, one second ahead of what is heard.
//! When a voice fails, the next one says what the caller has not heard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::clause::Clause;
use super::crew::Crew;
use super::shift::{Attempt, Shift, Tried};
use crate::agent::event::{Input, Progress, Utterance, UtteranceId};
use crate::audio::frame::{Frame, Rate};
use crate::base::price::{Amount, Unit};
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
    /// The port is open, and what is said is heard there from now on; this is the rate of its codec
    /// and the ring that it plays from.
    Open(PortId, Rate, rtrb::Producer<Spoken>),
    /// What is said is heard at this port again.
    Turn(PortId),
    /// The port is no more.
    Shut(PortId),
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
    desk: Option<Arc<Desk>>,
    /// Where what is said is heard.
    port: Option<(PortId, Rate, rtrb::Producer<Spoken>)>,
    /// Where it was heard before, and may be again.
    others: Vec<(PortId, Rate, rtrb::Producer<Spoken>)>,
    jobs: VecDeque<Job>,
}

/// Who can speak for the agent, and how long each may take.
struct Desk {
    voices: Shift<dyn Voice>,
    patience: Duration,
}

/// An utterance being spoken or waiting.
struct Job {
    id: UtteranceId,
    held: bool,
    /// The utterance, as long as nobody was asked for its sound.
    utterance: Option<Utterance>,
    desk: Arc<Desk>,
    clause: Clause,
    state: State,
    voiced: bool,
    /// Whether some of it stands in the ring already.
    heard: bool,
    tried: Tried,
}

enum State {
    Waiting,
    Voicing(Voicing),
    Voiced,
}

/// A voice at work.
struct Voicing {
    attempt: Manner,
    stream: BoxStream<'static, Result<Frame, ProviderError>>,
}

/// How a voice came to speak.
enum Manner {
    /// It was asked.
    Asked(Attempt<dyn Voice>),
    /// It says what it thought itself.
    Own,
    /// It says what it knows by heart.
    ByHeart,
}

/// What came of waiting for a voice.
enum Piece {
    Sound(Frame),
    End,
    Failure(ProviderError),
    Late,
}

impl Mouth {
    /// Makes a mouth that reports to `mailbox` and plays through `media`.
    pub fn new(mailbox: Mailbox, media: MediaHandle) -> Self {
        Self { mailbox, media, desk: None, port: None, others: Vec::new(), jobs: VecDeque::new() }
    }

    /// Runs until the call closes the orders.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let rest = self.feed();
            self.begin().await;
            let voicing = self.voicing();
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                piece = next(voicing) => self.voiced(piece).await,
                () = tokio::time::sleep(rest.unwrap_or_default()), if rest.is_some() => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Engage(crew) => {
                let voices = Shift::new(crew.voices.clone(), self.mailbox.clone());
                self.desk = Some(Arc::new(Desk { voices, patience: crew.patience.audio }));
            }
            Order::Open(port, rate, ring) => {
                self.others.extend(self.port.replace((port, rate, ring)));
            }
            Order::Turn(port) => {
                let known = self.others.iter().position(|(other, ..)| *other == port);
                if let Some(known) = known {
                    let turned = self.others.swap_remove(known);
                    self.others.extend(self.port.replace(turned));
                }
            }
            Order::Shut(port) => {
                self.others.retain(|(other, ..)| *other != port);
                self.port.take_if(|(own, ..)| *own == port);
            }
            Order::Speak(utterance) => {
                let Some(desk) = self.desk.clone() else { return };
                self.jobs.push_back(Job::new(utterance, desk));
            }
            Order::Release(through) => {
                for job in self.jobs.iter_mut().filter(|job| job.id <= through) {
                    job.held = false;
                }
            }
            Order::Flush(through) => self.jobs.retain(|job| job.id > through),
        }
    }

    /// Gives the first job that is not yet voiced its voice, if not too much waits already.
    async fn begin(&mut self) {
        let waiting: usize = self.jobs.iter().map(|job| job.clause.frames()).sum();
        if self.port.is_none() || waiting > MOST_READY {
            return;
        }
        while let Some(job) = self.jobs.iter_mut().find(|job| !matches!(job.state, State::Voiced)) {
            if matches!(job.state, State::Voicing(_)) {
                return;
            }
            if job.begin() {
                return job.count().await;
            }
            job.state = State::Voiced;
            let utterance = job.id;
            self.report(Input::Spoken { utterance, progress: Progress::Failed }).await;
        }
    }

    /// The stream that gives the next samples, and how long it is waited for.
    fn voicing(
        &mut self,
    ) -> Option<(&mut BoxStream<'static, Result<Frame, ProviderError>>, Option<Duration>)> {
        let waiting: usize = self.jobs.iter().map(|job| job.clause.frames()).sum();
        if waiting > MOST_READY {
            return None;
        }
        let job = self.jobs.iter_mut().find(|job| !matches!(job.state, State::Voiced))?;
        let patience = job.desk.voices.has_another(&job.tried).then_some(job.desk.patience);
        match &mut job.state {
            State::Voicing(voicing) => Some((&mut voicing.stream, patience)),
            State::Waiting | State::Voiced => None,
        }
    }

    /// Takes what the voice gave: samples, a failure, or the end.
    async fn voiced(&mut self, piece: Piece) {
        let Some((_, rate, _)) = self.port else { return };
        let Some(job) = self.jobs.iter_mut().find(|job| matches!(job.state, State::Voicing(_)))
        else {
            return;
        };
        let progress = job.voiced(piece, rate).await;
        let utterance = job.id;
        if let Some(progress) = progress {
            self.report(Input::Spoken { utterance, progress }).await;
        }
    }

    async fn report(&mut self, input: Input) {
        self.mailbox.deliver(event::Input::Mind(input)).await.ok();
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
                let Some(frame) = job.clause.frame() else { break };
                ring.push(Spoken::Frame(job.id, frame)).expect("the ring has room");
                (fed, job.heard) = (true, true);
            }
            let full = ring.is_full();
            if full {
                rest = Some(if job.heard { REST } else { MOMENT });
            }
            if full || job.clause.frames() > 0 || !matches!(job.state, State::Voiced) {
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
    fn new(utterance: Utterance, desk: Arc<Desk>) -> Self {
        Self {
            id: utterance.id,
            held: utterance.held,
            clause: Clause::new(utterance.spoken.clone()),
            utterance: Some(utterance),
            desk,
            state: State::Waiting,
            voiced: false,
            heard: false,
            tried: Tried::default(),
        }
    }

    /// Lets the next voice speak; `false` when there is none.
    fn begin(&mut self) -> bool {
        let voices = &self.desk.voices;
        let text = self.clause.left();
        let own = self.utterance.take();
        let own = own.and_then(|utterance| voices.pick(|voice| voice.own(&utterance)));
        let (attempt, stream) = if let Some(stream) = own {
            (Manner::Own, stream)
        } else if let Some(voice) = voices.find(|voice| voice.remembers(text)) {
            (Manner::ByHeart, voice.speak(text))
        } else {
            let Some(attempt) = voices.ask(&mut self.tried) else { return false };
            let stream = match attempt.refusal() {
                Some(why) => stream::once(async { Err(why) }).boxed(),
                None => attempt.who().speak(text),
            };
            (Manner::Asked(attempt), stream)
        };
        self.state = State::Voicing(Voicing { attempt, stream });
        true
    }

    /// Tells how much a voice was asked to say: it may cost something.
    async fn count(&mut self) {
        let count = self.clause.left().chars().count() as u64;
        let State::Voicing(Voicing { attempt: Manner::Asked(attempt), .. }) = &mut self.state
        else {
            return;
        };
        if attempt.refusal().is_some() {
            return;
        }
        let amounts = vec![Amount { unit: Unit::Characters, count }];
        let model = attempt.who().name().map(Arc::from);
        self.desk.voices.used(attempt, None, model, amounts).await;
    }

    /// Takes what the voice gave; gives how the utterance moved by that.
    async fn voiced(&mut self, piece: Piece, rate: Rate) -> Option<Progress> {
        // Where a clause of its own ends, a voice only guesses: nothing is wrong with a short one.
        let is_own = self.is_own();
        let another = self.desk.voices.has_another(&self.tried) && !is_own;
        let why = match piece {
            Piece::Sound(frame) => {
                self.clause.take(&frame, rate);
                let flaw = self.clause.flaw().filter(|flaw| flaw.ends_it() && !is_own || another);
                match flaw {
                    None => return self.sounded().await,
                    Some(flaw) => self.passing(flaw.what()),
                }
            }
            Piece::End if self.clause.is_dumb() && another => self.passing("it gives no sound"),
            Piece::End => {
                self.clause.close(rate);
                if let State::Voicing(Voicing { attempt: Manner::Asked(mut attempt), .. }) =
                    std::mem::replace(&mut self.state, State::Voiced)
                {
                    self.desk.voices.served(&mut attempt).await;
                }
                return None;
            }
            Piece::Late => self.passing("no sound in time"),
            Piece::Failure(why) => why,
        };
        self.failed(&why, rate).await
    }

    async fn sounded(&mut self) -> Option<Progress> {
        if let State::Voicing(Voicing { attempt: Manner::Asked(attempt), .. }) = &self.state
            && self.clause.is_loud()
        {
            self.desk.voices.tell_who_serves(attempt).await;
        }
        let first = !std::mem::replace(&mut self.voiced, true);
        first.then(|| Progress::Voiced { at: clock::now() })
    }

    /// The next voice says what was not heard, if there is one.
    async fn failed(&mut self, why: &ProviderError, rate: Rate) -> Option<Progress> {
        self.clause.close(rate);
        let state = std::mem::replace(&mut self.state, State::Voiced);
        let State::Voicing(Voicing { attempt, .. }) = state else { return Some(Progress::Failed) };
        match attempt {
            Manner::ByHeart => return Some(Progress::Failed),
            // Its thought has failed, and whoever speaks may still say the words.
            Manner::Own => {}
            Manner::Asked(mut attempt) => {
                let is_followed = self.desk.voices.failed(&mut attempt, why, &mut self.tried).await;
                if self.clause.is_over() {
                    return None;
                }
                if !is_followed {
                    return Some(Progress::Failed);
                }
            }
        }
        self.clause.go_on();
        if self.clause.left().contains(char::is_alphanumeric) {
            self.state = State::Waiting;
        }
        None
    }

    fn is_own(&self) -> bool {
        matches!(self.state, State::Voicing(Voicing { attempt: Manner::Own, .. }))
    }

    fn passing(&self, reason: &str) -> ProviderError {
        match &self.state {
            State::Voicing(Voicing { attempt: Manner::Asked(attempt), .. }) => {
                attempt.passing(reason)
            }
            State::Voicing(_) | State::Waiting | State::Voiced => {
                ProviderError::passing("memory", reason)
            }
        }
    }
}

/// The next piece of a stream, or never without one.
async fn next(
    voicing: Option<(&mut BoxStream<'static, Result<Frame, ProviderError>>, Option<Duration>)>,
) -> Piece {
    let Some((stream, patience)) = voicing else { return std::future::pending().await };
    // A piece without any sample is no sign of life.
    let piece = async {
        loop {
            match stream.next().await {
                Some(Ok(frame)) if frame.samples.is_empty() => {}
                piece => return piece,
            }
        }
    };
    let piece = match patience {
        Some(patience) => timeout(patience, piece).await,
        None => Ok(piece.await),
    };
    match piece {
        Ok(Some(Ok(frame))) => Piece::Sound(frame),
        Ok(Some(Err(why))) => Piece::Failure(why),
        Ok(None) => Piece::End,
        Err(_) => Piece::Late,
    }
}

/// How long a ring lasts that holds what was said a moment ago: it is full, and with the port there
/// is a second to play.
const REST: Duration = Duration::from_millis(100);

/// How long until the port drops what was flushed, when something new is to be heard.
const MOMENT: Duration = Duration::from_millis(10);

/// How many frames may wait: ten seconds; then the voice waits.
const MOST_READY: usize = 500;
