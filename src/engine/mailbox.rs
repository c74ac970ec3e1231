//! The mailbox of a call: bounded; a call that does not empty it is stuck and is ended.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::call::event::Input;

/// The end into which shards and tasks post.
#[derive(Debug, Clone)]
pub struct Mailbox {
    inputs: mpsc::Sender<Input>,
    stuck: CancellationToken,
}

/// The end that the call's task reads.
#[derive(Debug)]
pub struct Inbox {
    /// What was posted.
    pub inputs: mpsc::Receiver<Input>,
    /// Cancelled when the mailbox was full.
    pub stuck: CancellationToken,
}

/// The call did not empty its mailbox, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered;

/// Makes a mailbox and its inbox.
pub fn pair() -> (Mailbox, Inbox) {
    let (sender, inputs) = mpsc::channel(CAPACITY);
    let stuck = CancellationToken::new();
    (Mailbox { inputs: sender, stuck: stuck.clone() }, Inbox { inputs, stuck })
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

    /// Posts and waits for room: for the tasks of the one call.
    ///
    /// # Errors
    /// When the call is gone.
    pub async fn deliver(&self, input: Input) -> Result<(), Undelivered> {
        self.inputs.send(input).await.map_err(|_| Undelivered)
    }
}

/// How many inputs may wait.
const CAPACITY: usize = 64;
