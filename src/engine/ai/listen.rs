//! The ear of a call: takes the frames of the media thread and the orders of the call, and drives
//! a transcriber with them. When it fails, another one hears the caller's turn from its beginning.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep, timeout};

use super::crew::Crew;
use super::judge::Judge;
use super::shift::{Attempt, Shift, Tried};
use crate::agent::event::{Input, PauseId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::base::price::{Amount, Unit};
use crate::call::event;
use crate::engine::mailbox::Mailbox;
use crate::providers::denoiser::Denoiser;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};

/// What the call orders of its ear.
#[derive(Debug)]
pub enum Order {
    /// Another agent takes over.
    Engage(Arc<Crew>),
    /// The caller's turn begins.
    Begin,
    /// The caller paused: a final text is wanted.
    Finalize(PauseId),
    /// Does the turn sound complete at this pause?
    Judge(PauseId),
    /// The turn was taken.
    Forget,
}

/// Listens for one call; ends when the call's orders end.
pub struct Ear {
    mailbox: Mailbox,
    desk: Option<Desk>,
    hearing: Option<Hearing>,
    /// What was heard just before a turn began.
    before: VecDeque<Frame>,
    turn: Option<Turn>,
    judge: Judge,
    /// Takes noise off what is heard, if the agent wants that.
    denoiser: Option<Denoiser>,
}

/// Who can hear for the agent, what they should know, and how long each may take.
struct Desk {
    transcribers: Shift<dyn Transcriber>,
    context: Context,
    patience: Duration,
}

/// Who hears.
struct Hearing {
    attempt: Attempt<dyn Transcriber>,
    listening: Box<dyn Listening>,
    texts: mpsc::Receiver<Heard>,
    /// How much it has heard that was not told yet.
    heard: Duration,
}

/// The caller's turn.
#[derive(Default)]
struct Turn {
    /// As another transcriber would have to hear it, if there is one.
    samples: Vec<i16>,
    /// The pause whose text is still to come.
    asked: Option<PauseId>,
    /// When it is late.
    due: Option<Pin<Box<Sleep>>>,
    /// Who has failed to hear it.
    tried: Tried,
}

/// What is left of a transcriber that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It may come back by itself.
    Something,
    /// Nothing.
    Nothing,
}

impl Ear {
    /// Makes an ear that reports to `mailbox`.
    pub fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox,
            desk: None,
            hearing: None,
            before: VecDeque::new(),
            turn: None,
            judge: Judge::default(),
            denoiser: None,
        }
    }

    /// Runs until the call closes the orders.
    pub async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut frames: mpsc::Receiver<Frame>,
    ) {
        loop {
            tokio::select! {
                // Frames first: an order speaks of everything that was heard before it.
                biased;
                Some(frame) = frames.recv() => self.hear(frame),
                heard = next(&mut self.hearing) => match heard {
                    Some(heard) => self.heard(heard).await,
                    None => self.failed(Left::Nothing, "it hears no longer").await,
                },
                Some(judgement) = self.judge.answer() => {
                    self.report(Input::Judged(judgement)).await;
                }
                () = lateness(&mut self.turn) => {
                    self.failed(Left::Something, "no text in time").await;
                }
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return self.count().await,
                },
            }
        }
    }

    fn hear(&mut self, frame: Frame) {
        let frame = match &mut self.denoiser {
            Some(denoiser) => denoiser.clean(&frame),
            None => frame,
        };
        let Some(turn) = &mut self.turn else {
            self.before.push_back(frame);
            if self.before.len() > PRE_ROLL {
                self.before.pop_front();
            }
            return;
        };
        self.judge.hear(&frame);
        if let Some(hearing) = &mut self.hearing {
            hearing.hear(&frame);
        }
        if self.desk.as_ref().is_some_and(|desk| !desk.transcribers.is_alone()) {
            turn.keep(&frame.samples);
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Engage(crew) => self.engage(&crew).await,
            Order::Begin => self.begin().await,
            Order::Finalize(pause) => self.finalize(pause).await,
            Order::Judge(pause) => self.judge.ask(pause),
            Order::Forget => {
                if let Some(hearing) = &mut self.hearing {
                    hearing.listening.forget();
                }
                self.count().await;
                if self.turn.take().is_some() {
                    self.judge.forget();
                }
                self.relieve().await;
            }
        }
    }

    /// Between turns, lets another one hear when whoever hears may cost no more today.
    async fn relieve(&mut self) {
        if self.hearing.as_ref().is_some_and(|hearing| hearing.attempt.refusal().is_some()) {
            self.open(&mut Tried::default()).await;
        }
    }

    async fn engage(&mut self, crew: &Crew) {
        self.count().await;
        (self.desk, self.hearing, self.turn) = (None, None, None);
        self.judge.engage(crew.turn_model.as_ref());
        self.denoiser = crew.denoises.then(|| self.denoiser.take().unwrap_or_default());
        let Some((lineup, context)) = &crew.transcribers else { return };
        self.desk = Some(Desk {
            transcribers: Shift::new(lineup.clone(), self.mailbox.clone()),
            context: context.clone(),
            patience: crew.patience.transcript,
        });
        self.open(&mut Tried::default()).await;
    }

    async fn begin(&mut self) {
        if self.desk.is_none() {
            return;
        }
        let mut turn = Turn::default();
        if self.hearing.is_none() {
            // Nobody could be had before: somebody may be there now.
            self.open(&mut turn.tried).await;
        }
        if let Some(hearing) = &mut self.hearing {
            turn.tried.add(&hearing.attempt);
            hearing.listening.begin();
        }
        self.turn = Some(turn);
        for frame in std::mem::take(&mut self.before) {
            self.hear(frame);
        }
    }

    async fn finalize(&mut self, pause: PauseId) {
        match (&self.desk, &mut self.hearing, &mut self.turn) {
            (Some(desk), Some(hearing), Some(turn)) => {
                hearing.listening.finalize(pause);
                turn.ask(pause, desk);
            }
            (Some(_), None, _) => self.no_text(pause).await,
            // Nobody is to hear: the text of every turn is empty, and keys still work.
            (None, _, _) => {
                let text = String::new();
                let transcript = Transcript::Final { text, confidence: None, complete: false };
                self.report(Input::Transcript { pause, transcript }).await;
            }
            (Some(_), Some(_), None) => {}
        }
    }

    /// Lets the next one hear who was not tried; nobody hears when none of them opens.
    async fn open(&mut self, tried: &mut Tried) {
        self.hearing = None;
        let Some(desk) = &self.desk else { return };
        while let Some(mut attempt) = desk.transcribers.ask(tried) {
            let (sender, texts) = mpsc::channel(TEXTS);
            let opening = async {
                match attempt.refusal() {
                    Some(why) => Err(why),
                    None => attempt.who().open(desk.context.clone(), sender).await,
                }
            };
            let why = match timeout(OPEN_WITHIN, opening).await {
                Ok(Ok(listening)) => {
                    let heard = Duration::ZERO;
                    self.hearing = Some(Hearing { attempt, listening, texts, heard });
                    return;
                }
                Ok(Err(why)) => why,
                Err(_) => attempt.passing("it does not open in time"),
            };
            desk.transcribers.failed(&mut attempt, &why, tried).await;
        }
    }

    /// A transcriber gave a text, or said that it cannot.
    async fn heard(&mut self, heard: Heard) {
        let (pause, transcript) = (heard.pause, heard.transcript);
        let is_whole = matches!(transcript, Transcript::Final { .. } | Transcript::Judged { .. });
        match &transcript {
            Transcript::Failed => return self.failed(Left::Something, "it could not say").await,
            Transcript::Partial { .. } => {
                if let (Some(desk), Some(turn)) = (&self.desk, &mut self.turn) {
                    turn.be_patient(desk);
                }
            }
            Transcript::Final { .. } | Transcript::Judged { .. } => {
                if let Some(turn) = &mut self.turn {
                    (turn.asked, turn.due) = (turn.asked.filter(|asked| *asked != pause), None);
                }
                if let (Some(desk), Some(hearing)) = (&self.desk, &mut self.hearing) {
                    desk.transcribers.served(&mut hearing.attempt).await;
                }
            }
        }
        self.report(Input::Transcript { pause, transcript }).await;
        if is_whole {
            self.count().await;
        }
    }

    /// Whoever hears has failed: another one hears the turn again. Without one, it is kept if it
    /// may come back.
    async fn failed(&mut self, left: Left, what: &str) {
        self.count().await;
        let (Some(desk), Some(hearing)) = (&self.desk, &mut self.hearing) else { return };
        let mut tried =
            self.turn.as_mut().map(|turn| std::mem::take(&mut turn.tried)).unwrap_or_default();
        let why = hearing.listening.trouble().unwrap_or_else(|| hearing.attempt.passing(what));
        let is_followed = desk.transcribers.failed(&mut hearing.attempt, &why, &mut tried).await;
        if is_followed {
            self.open(&mut tried).await;
        } else if left == Left::Nothing {
            self.hearing = None;
        }
        let Some(turn) = &mut self.turn else { return };
        (turn.tried, turn.due) = (tried, None);
        if is_followed && self.hearing.is_some() {
            return self.hear_again();
        }
        if let Some(pause) = turn.asked.take() {
            self.no_text(pause).await;
        }
    }

    /// Tells whoever hears now everything that was said in the turn.
    fn hear_again(&mut self) {
        let (Some(desk), Some(hearing), Some(turn)) =
            (&self.desk, &mut self.hearing, &mut self.turn)
        else {
            return;
        };
        hearing.listening.begin();
        for samples in turn.samples.chunks(Rate::WIDE.samples_in(FRAME)) {
            hearing.hear(&Frame::new(Rate::WIDE, samples.to_vec()));
        }
        if let Some(pause) = turn.asked {
            hearing.listening.finalize(pause);
            turn.ask(pause, desk);
        }
    }

    /// Tells how much whoever hears has heard: it may cost something.
    async fn count(&mut self) {
        let (Some(desk), Some(hearing)) = (&self.desk, &mut self.hearing) else { return };
        let heard = std::mem::take(&mut hearing.heard);
        if let Some(count) = u64::try_from(heard.as_millis()).ok().filter(|count| *count > 0) {
            let amounts = vec![Amount { unit: Unit::AudioMillis, count }];
            let model = hearing.attempt.who().name().map(Arc::from);
            desk.transcribers.used(&hearing.attempt, None, model, amounts).await;
        }
    }

    async fn no_text(&mut self, pause: PauseId) {
        self.report(Input::Transcript { pause, transcript: Transcript::Failed }).await;
    }

    async fn report(&mut self, input: Input) {
        self.mailbox.deliver(event::Input::Mind(input)).await.ok();
    }
}

impl Hearing {
    fn hear(&mut self, frame: &Frame) {
        self.heard += frame.duration();
        self.listening.hear(frame);
    }
}

impl Turn {
    fn keep(&mut self, samples: &[i16]) {
        self.samples.extend_from_slice(samples);
        if self.samples.len() > LONGEST_TURN {
            self.samples.drain(..self.samples.len() - LONGEST_TURN / 2);
        }
    }

    /// A text is wanted; when it is late, another transcriber hears the turn, if there is one.
    fn ask(&mut self, pause: PauseId, desk: &Desk) {
        self.asked = Some(pause);
        let another = desk.transcribers.has_another(&self.tried);
        self.due = another.then(|| Box::pin(sleep(desk.patience)));
    }

    /// Whoever says something is at work.
    fn be_patient(&mut self, desk: &Desk) {
        self.due = self.due.take().map(|_| Box::pin(sleep(desk.patience)));
    }
}

/// The next text of whoever hears, or never without anybody.
async fn next(hearing: &mut Option<Hearing>) -> Option<Heard> {
    match hearing {
        Some(hearing) => hearing.texts.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until the text that was asked for is late.
async fn lateness(turn: &mut Option<Turn>) {
    match turn.as_mut().and_then(|turn| turn.due.as_mut()) {
        Some(due) => due.await,
        None => std::future::pending().await,
    }
}

/// How many frames before the edge belong to a turn: the gate needs some windows to be sure.
const PRE_ROLL: usize = 20;

/// How long a transcriber may take to open.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// How many texts may wait for the ear.
const TEXTS: usize = 32;

/// How much of a turn another transcriber would hear, in samples: a minute.
const LONGEST_TURN: usize = 60 * 16_000;

/// The frames in which it would.
const FRAME: Duration = Duration::from_millis(20);
