//! The bus: facts of all calls, to writers that must not miss one and to watchers that may.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::base::id::CallId;
use crate::call::event::Fact;
use crate::call::record::Record;

/// A fact and its call.
#[derive(Debug, Clone)]
pub struct Told {
    /// The call.
    pub call: CallId,
    /// What happened.
    pub fact: Arc<Fact>,
}

/// A fact for those who write down what happens, and how its call stands then.
#[derive(Debug)]
pub struct Noted {
    /// The fact.
    pub told: Told,
    /// The call.
    pub standing: Standing,
}

/// How a call stands when something happens in it.
#[derive(Debug)]
pub enum Standing {
    /// It is up, and this is its record.
    Up(Box<Record>),
    /// It is over; a model reads what was said, and may report.
    Read,
    /// It is over.
    Over,
}

/// Where calls tell their facts.
#[derive(Debug, Clone)]
pub struct Bus {
    writer: mpsc::Sender<Noted>,
    watchers: broadcast::Sender<Told>,
}

/// Lets others watch the facts of all calls, without being one who tells them.
#[derive(Debug, Clone)]
pub struct Watching(broadcast::Sender<Told>);

impl Watching {
    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }
}

impl Bus {
    /// Makes a bus and the end for the writer; who watches calls `watch`.
    pub fn new() -> (Self, mpsc::Receiver<Noted>) {
        let (writer, facts) = mpsc::channel(4_096);
        let (watchers, _) = broadcast::channel(1_024);
        (Self { writer, watchers }, facts)
    }

    /// Tells a fact: waits for the writer, never for watchers (a laggard is told that it missed
    /// some).
    pub async fn tell(&self, call: CallId, fact: Fact, standing: Standing) {
        let told = Told { call, fact: Arc::new(fact) };
        // Nobody watching is no error; nor is a writer that is gone at the very end.
        self.watchers.send(told.clone()).ok();
        self.writer.send(Noted { told, standing }).await.ok();
    }

    /// For those who watch later.
    pub fn watching(&self) -> Watching {
        Watching(self.watchers.clone())
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<Told> {
        self.watchers.subscribe()
    }
}
