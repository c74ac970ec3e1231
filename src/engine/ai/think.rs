//! A thought at work: streams a model's answer into the call. When the first word is late, another
//! model is asked beside it; when an answer breaks off, another one goes on.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::select_all;
use futures_util::stream::{self, BoxStream};
use tokio::time::{sleep, timeout};

use super::shift::{Attempt, Shift, Tried};
use crate::agent::assistant::Patience;
use crate::agent::conversation::Request;
use crate::agent::event::{Delta, Input, ThoughtId};
use crate::base::price::Amount;
use crate::call::event;
use crate::engine::mailbox::Mailbox;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;

/// One thought.
pub struct Thinking {
    /// Who can think.
    pub models: Arc<Shift<dyn Model>>,
    /// How long each may take.
    pub patience: Patience,
    /// Which thought it is.
    pub thought: ThoughtId,
    /// What about.
    pub request: Request,
    /// Whom it is told.
    pub mailbox: Mailbox,
}

/// One model that was asked.
struct Asked {
    attempt: Attempt<dyn Model>,
    answer: BoxStream<'static, Result<Delta, ProviderError>>,
}

impl Thinking {
    /// Thinks until the answer is complete or failed; dropping the future abandons the thought.
    pub async fn run(self) {
        let mut tried = Tried::default();
        let last = match timeout(self.patience.answer, self.answer(&mut tried)).await {
            Ok(last) => last,
            Err(_) => {
                tracing::warn!("the answer takes too long");
                Delta::Failed
            }
        };
        self.tell(last).await;
    }

    /// Streams the answer; gives the last of it.
    async fn answer(&self, tried: &mut Tried) -> Delta {
        let Some((mut asked, first)) = self.first_word(tried).await else {
            return if self.models.is_hopeless(tried) { Delta::Down } else { Delta::Failed };
        };
        self.models.tell_who_serves(&asked.attempt).await;
        let mut next = Ok(first);
        let mut tools = false;
        loop {
            match next {
                Ok(Delta::Done) => {
                    self.models.served(&mut asked.attempt).await;
                    return Delta::Done;
                }
                Ok(Delta::Used(amounts)) => self.used(&asked.attempt, amounts).await,
                Ok(delta) => {
                    tools |= matches!(delta, Delta::Tool(_));
                    self.tell(delta).await;
                }
                Err(why) => {
                    let is_followed = self.models.failed(&mut asked.attempt, &why, tried).await;
                    return match (tools, is_followed) {
                        // What the tool gives is thought about by whoever is asked then.
                        (true, _) => Delta::Done,
                        (false, true) => Delta::BrokeOff,
                        (false, false) => Delta::Failed,
                    };
                }
            }
            next = self.next_word(&mut asked, tried).await;
        }
    }

    /// Asks until somebody answers. Whoever gives the first word goes on.
    async fn first_word(&self, tried: &mut Tried) -> Option<(Asked, Delta)> {
        let mut racing: Vec<Asked> = Vec::new();
        let mut late = Box::pin(sleep(self.patience.first_word));
        loop {
            if racing.is_empty() {
                racing.push(self.ask(tried)?);
                late.set(sleep(self.patience.first_word));
            }
            let may_hedge = racing.len() < MOST_BESIDE && self.models.has_another(tried);
            let words = racing.iter_mut().map(|asked| asked.answer.next());
            let (word, at) = tokio::select! {
                biased;
                (word, at, _) = select_all(words) => (word, at),
                () = &mut late, if may_hedge => {
                    racing.extend(self.ask(tried));
                    late.set(sleep(self.patience.first_word));
                    continue;
                }
            };
            let mut asked = racing.swap_remove(at);
            let why = match word {
                // What it has read by now is no word yet.
                Some(Ok(Delta::Used(amounts))) => {
                    self.used(&asked.attempt, amounts).await;
                    racing.push(asked);
                    continue;
                }
                // Nothing is no answer, as long as there is somebody else to ask.
                Some(Ok(Delta::Done)) if !racing.is_empty() || self.models.has_another(tried) => {
                    asked.attempt.passing("it answers nothing")
                }
                Some(Ok(word)) => {
                    self.were_slow(racing, &asked.attempt, tried).await;
                    return Some((asked, word));
                }
                Some(Err(why)) => why,
                None => asked.attempt.passing("the answer broke off"),
            };
            self.models.failed(&mut asked.attempt, &why, tried).await;
        }
    }

    /// Those who were asked before the one that answered first have failed.
    async fn were_slow(&self, racing: Vec<Asked>, winner: &Attempt<dyn Model>, tried: &mut Tried) {
        for mut slow in racing {
            if tried.was_before(&slow.attempt, winner) {
                let patience = self.patience.first_word;
                let why = format!("no first word within {} ms", patience.as_millis());
                let why = slow.attempt.passing(why);
                self.models.failed(&mut slow.attempt, &why, tried).await;
            }
        }
    }

    fn ask(&self, tried: &mut Tried) -> Option<Asked> {
        let attempt = self.models.ask(tried)?;
        let answer = match attempt.refusal() {
            Some(why) => stream::once(async { Err(why) }).boxed(),
            None => attempt.who().think(self.request.clone()),
        };
        Some(Asked { attempt, answer })
    }

    async fn next_word(&self, asked: &mut Asked, tried: &Tried) -> Result<Delta, ProviderError> {
        let word = if self.models.has_another(tried) {
            timeout(self.patience.next_word, asked.answer.next()).await
        } else {
            Ok(asked.answer.next().await)
        };
        match word {
            Ok(Some(word)) => word,
            // A stream that ends without a word about it was cut.
            Ok(None) => Err(asked.attempt.passing("the answer broke off")),
            Err(_) => Err(asked.attempt.passing("the answer stopped in the middle")),
        }
    }

    /// Tells what an answer took so far.
    async fn used(&self, attempt: &Attempt<dyn Model>, amounts: Vec<Amount>) {
        let model = attempt.who().name().map(Arc::from);
        self.models.used(attempt, Some(self.thought), model, amounts).await;
    }

    async fn tell(&self, delta: Delta) {
        let input = Input::Thought { thought: self.thought, delta };
        // A call that is gone abandons its thoughts.
        self.mailbox.deliver(event::Input::Mind(input)).await.ok();
    }
}

/// How many models are asked at once.
const MOST_BESIDE: usize = 2;
