//! What remains to be done when a recording is closed: its sum. A thread of its own reads the file
//! back, so that a long one does not hold up those that are being written.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::engine::recorder::sidecar::{Sidecar, State};

/// A recording that is closed.
#[derive(Debug)]
pub struct Closed {
    /// The note beside it, when it is the recording of a call.
    pub sidecar: Option<Sidecar>,
    /// How it ended.
    pub state: State,
    /// How long it lasts, and how much of it was lost.
    pub lengths: (Duration, Duration),
    /// Who waits for its end.
    pub watch: Option<oneshot::Sender<()>>,
}

/// The thread that writes the last word on recordings. It ends when this is gone.
#[derive(Debug)]
pub struct Closer {
    waiting: SyncSender<Job>,
    /// Tells whenever the recording of a call is closed.
    told: Arc<Notify>,
}

#[derive(Debug)]
enum Job {
    Close(Box<Closed>),
    /// Say when everything before was done.
    Settle(SyncSender<()>),
}

impl Closer {
    /// Starts the thread; `told` hears of each recording of a call that is closed.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start(told: Arc<Notify>) -> io::Result<Self> {
        let (waiting, jobs) = sync_channel(WAITING);
        let own = told.clone();
        let thread = std::thread::Builder::new().name("recorder-sums".to_owned());
        thread.spawn(move || run(&jobs, &own))?;
        Ok(Self { waiting, told })
    }

    /// Closes a recording.
    pub fn close(&self, closed: Closed) {
        let sent = self.waiting.try_send(Job::Close(Box::new(closed)));
        // Too many have ended at once: then it is done here, and that takes its time.
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = sent {
            job.run(&self.told);
        }
    }

    /// Lets `done` know when everything before is done.
    pub fn settle(&self, done: SyncSender<()>) {
        self.waiting.send(Job::Settle(done)).ok();
    }
}

impl Job {
    fn run(self, told: &Notify) {
        match self {
            Self::Close(closed) => {
                let Closed { sidecar, state, lengths, watch } = *closed;
                if let Some(mut sidecar) = sidecar {
                    sidecar.end(state, lengths);
                    told.notify_one();
                }
                watch.map(|watch| watch.send(()).ok());
            }
            Self::Settle(done) => {
                done.try_send(()).ok();
            }
        }
    }
}

fn run(jobs: &Receiver<Job>, told: &Notify) {
    while let Ok(job) = jobs.recv() {
        job.run(told);
    }
}

/// So many recordings may wait for their sums.
const WAITING: usize = 1_024;
