//! The mailbox of a call: bounded; a call that does not empty it is stuck and is ended.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::call::event::Input;
use crate::call::overview::Overview;

/// The end into which shards and tasks post.
#[derive(Debug, Clone)]
pub struct Mailbox {
    inputs: mpsc::Sender<Input>,
    inquiries: mpsc::Sender<Inquiry>,
    stuck: CancellationToken,
}

/// The end that the call's task reads.
#[derive(Debug)]
pub struct Inbox {
    /// What was posted.
    pub inputs: mpsc::Receiver<Input>,
    /// Operators who ask how the call stands.
    pub inquiries: mpsc::Receiver<Inquiry>,
    /// Cancelled when the mailbox was full.
    pub stuck: CancellationToken,
}

/// The place for the answer to an operator.
pub type Inquiry = oneshot::Sender<Overview>;

/// The call did not empty its mailbox, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered;

/// Makes a mailbox and its inbox.
pub fn pair() -> (Mailbox, Inbox) {
    let (sender, inputs) = mpsc::channel(CAPACITY);
    let (asker, inquiries) = mpsc::channel(INQUIRIES);
    let stuck = CancellationToken::new();
    let mailbox = Mailbox { inputs: sender, inquiries: asker, stuck: stuck.clone() };
    (mailbox, Inbox { inputs, inquiries, stuck })
}

impl Mailbox {
    /// Posts without waiting: for shards, which own many calls.
    ///
    /// # Errors
    /// When the mailbox is full (the call is then told to end) or the call is gone.
    pub fn post(&self, input: Input) -> Result<(), Undelivered> {
        self.inputs.try_send(input).map_err(|why| {
            if matches!(why, mpsc::error::TrySendError::Full(_)) {
                self.stuck.cancel();
            }
            Undelivered
        })
    }

    /// Asks how the call stands; nothing when it is gone, or is asked by too many at once.
    pub async fn inquire(&self) -> Option<Overview> {
        let (asker, answer) = oneshot::channel();
        self.inquiries.try_send(asker).ok()?;
        answer.await.ok()
    }

    /// Whether the call is over.
    pub fn is_gone(&self) -> bool {
        self.inputs.is_closed()
    }

    /// Waits until the call is over.
    pub async fn gone(&self) {
        self.inputs.closed().await;
    }

    /// Posts and waits for room: for the tasks of the one call.
    ///
    /// # Errors
    /// When the call is gone.
    pub async fn deliver(&self, input: Input) -> Result<(), Undelivered> {
        self.inputs.send(input).await.map_err(|_| Undelivered)
    }
}

/// How many operators may ask at once.
const INQUIRIES: usize = 4;

/// How many inputs may wait.
const CAPACITY: usize = 64;
