//! The ear of a call: takes the frames of the media thread and the orders of the call, and drives
//! a transcriber with them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::crew::Crew;
use super::judge::Judge;
use crate::agent::event::{Input, PauseId, Transcript};
use crate::audio::frame::Frame;
use crate::call::event;
use crate::engine::mailbox::Mailbox;
use crate::providers::denoiser::Denoiser;
use crate::providers::transcriber::{Heard, Listening};

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
    listening: Option<Box<dyn Listening>>,
    /// What was heard just before a turn began.
    before: VecDeque<Frame>,
    in_turn: bool,
    judge: Judge,
    /// Takes noise off what is heard, if the agent wants that.
    denoiser: Option<Denoiser>,
}

impl Ear {
    /// Makes an ear that reports to `mailbox`.
    pub fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox,
            listening: None,
            before: VecDeque::new(),
            in_turn: false,
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
        let (mut sender, mut texts) = mpsc::channel::<Heard>(32);
        loop {
            tokio::select! {
                // Frames first: an order speaks of everything that was heard before it.
                biased;
                Some(frame) = frames.recv() => self.hear(frame),
                Some(heard) = texts.recv() => {
                    let (pause, transcript) = (heard.pause, heard.transcript);
                    report(&self.mailbox, Input::Transcript { pause, transcript }).await;
                }
                Some(judgement) = self.judge.answer() => {
                    report(&self.mailbox, Input::Judged(judgement)).await;
                }
                order = orders.recv() => match order {
                    Some(Order::Engage(crew)) => {
                        (sender, texts) = mpsc::channel(32);
                        self.engage(&crew, sender.clone()).await;
                    }
                    Some(order) => self.obey(order, &sender).await,
                    None => return,
                },
            }
        }
    }

    async fn engage(&mut self, crew: &Crew, texts: mpsc::Sender<Heard>) {
        self.listening = None;
        self.in_turn = false;
        self.judge.engage(crew.turn_model.as_ref());
        self.denoiser = crew.denoises.then(|| self.denoiser.take().unwrap_or_default());
        let Some((transcriber, context)) = &crew.transcriber else { return };
        let opened = tokio::time::timeout(OPEN_WITHIN, transcriber.open(context.clone(), texts));
        match opened.await {
            Ok(Ok(listening)) => self.listening = Some(listening),
            Ok(Err(why)) => tracing::warn!(%why, "the transcriber does not open"),
            Err(_) => tracing::warn!("the transcriber does not open in time"),
        }
    }

    fn hear(&mut self, frame: Frame) {
        let frame = match &mut self.denoiser {
            Some(denoiser) => denoiser.clean(&frame),
            None => frame,
        };
        if self.in_turn {
            self.judge.hear(&frame);
            if let Some(listening) = &mut self.listening {
                listening.hear(&frame);
            }
            return;
        }
        self.before.push_back(frame);
        if self.before.len() > PRE_ROLL {
            self.before.pop_front();
        }
    }

    async fn obey(&mut self, order: Order, texts: &mpsc::Sender<Heard>) {
        match (order, &mut self.listening) {
            (Order::Begin, Some(listening)) => {
                listening.begin();
                for frame in self.before.drain(..) {
                    self.judge.hear(&frame);
                    listening.hear(&frame);
                }
                self.in_turn = true;
            }
            (Order::Finalize(pause), Some(listening)) => listening.finalize(pause),
            (Order::Judge(pause), _) => self.judge.ask(pause),
            (Order::Forget, Some(listening)) => {
                listening.forget();
                self.judge.forget();
                self.in_turn = false;
            }
            // Nobody hears: the text of every turn is empty, and keys still work.
            (Order::Finalize(pause), None) => {
                let text = String::new();
                let transcript = Transcript::Final { text, confidence: None, complete: false };
                texts.send(Heard { pause, transcript }).await.ok();
            }
            (Order::Begin | Order::Forget | Order::Engage(_), _) => {}
        }
    }
}

async fn report(mailbox: &Mailbox, input: Input) {
    mailbox.deliver(event::Input::Mind(input)).await.ok();
}

/// How many frames before the edge belong to a turn: the gate needs some windows to be sure.
const PRE_ROLL: usize = 20;

/// How long a transcriber may take to open.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
