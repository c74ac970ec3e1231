//! The recorder: one thread that writes the files of all recorded calls, the caller on the left
//! and the agent on the right. The media thread hands it frames and never waits for a disk.

pub mod closing;
pub mod container;
pub mod mend;
pub mod peaks;
pub mod shelf;
pub mod sidecar;
pub mod tape;
pub mod unseal;
pub mod verify;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::audio::frame::{Frame, Rate};
use crate::audio::library::Libraries;
use crate::base::id::{CallId, PortId};
use crate::base::random::Random;
use crate::base::sealed::Key;
use crate::engine::clock;
use crate::engine::recorder::closing::{Closed, Closer};
use crate::engine::recorder::container::{Format, Voices};
use crate::engine::recorder::sidecar::{Sidecar, State};
use crate::engine::recorder::tape::Tape;

/// How recordings are written.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In which form.
    pub format: Format,
    /// What encodes them.
    pub libraries: Libraries,
    /// What they are sealed with, if they are.
    pub key: Option<Key>,
}

/// How others reach the recorder.
#[derive(Debug, Clone)]
pub struct Recorder {
    items: SyncSender<Item>,
    plan: Arc<Plan>,
    lost: Arc<AtomicU64>,
    closed: Arc<Notify>,
}

/// The recording of one call. Dropping it closes the file.
#[derive(Debug)]
pub struct Track {
    port: PortId,
    items: SyncSender<Item>,
    /// How many samples came so far, written or not: what is lost is silence of its length.
    position: AtomicU64,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Open(Box<Opening>),
    Add(PortId, Box<(Frame, Frame, u64)>),
    Close(PortId),
    /// Say when everything before was done.
    Settle(SyncSender<()>),
}

#[derive(Debug)]
struct Opening {
    port: PortId,
    path: PathBuf,
    rate: Rate,
    voices: Voices,
    /// What stands beside it, when it is the recording of a call.
    sidecar: Option<Sidecar>,
    /// Who waits for its end.
    watch: Option<oneshot::Sender<()>>,
}

/// A recording that is being written.
struct Reel {
    tape: Tape,
    sidecar: Option<Sidecar>,
    watch: Option<oneshot::Sender<()>>,
}

impl Recorder {
    /// Starts the thread for plain WAV files; it ends when every handle and track is gone.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start() -> io::Result<Self> {
        Self::with(Plan::default())
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn with(plan: Plan) -> io::Result<Self> {
        let (items, waiting) = sync_channel(WAITING);
        let (plan, closed) = (Arc::new(plan), Arc::new(Notify::new()));
        let desk = Desk {
            plan: plan.clone(),
            reels: HashMap::new(),
            random: clock::random(),
            looked: clock::now(),
            closer: Closer::start(closed.clone())?,
        };
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || desk.run(&waiting))?;
        Ok(Self { items, plan, lost: Arc::default(), closed })
    }

    /// Opens a recording at `path`; frames come at `rate`. Also gives what is told when the
    /// file is closed.
    pub fn open(&self, port: PortId, path: PathBuf, rate: Rate) -> (Track, oneshot::Receiver<()>) {
        let (watch, closed) = oneshot::channel();
        let (voices, sidecar, watch) = (Voices::Both, None, Some(watch));
        (self.begin(Opening { port, path, rate, voices, sidecar, watch }), closed)
    }

    /// Opens a recording of the caller alone at `path`, as WAV; frames come at `rate`. Also gives
    /// what is told when the file is closed.
    pub fn open_voice(
        &self,
        port: PortId,
        path: PathBuf,
        rate: Rate,
    ) -> (Track, oneshot::Receiver<()>) {
        let (watch, closed) = oneshot::channel();
        let (voices, sidecar, watch) = (Voices::Caller, None, Some(watch));
        (self.begin(Opening { port, path, rate, voices, sidecar, watch }), closed)
    }

    /// With what recordings are sealed, if they are.
    pub fn key(&self) -> Option<&Key> {
        self.plan.key.as_ref()
    }

    /// Opens the recording of a call on the shelf `root`, in the folder of its day, with a note
    /// beside it that says how it stands.
    pub fn open_call(&self, port: PortId, (call, root): (CallId, &Path), rate: Rate) -> Track {
        let sealed = self.plan.key.as_ref().map(Key::name);
        let place = (call, shelf::folder_of(root, call));
        let sidecar = Sidecar::new(place, self.plan.format, sealed);
        let (path, sidecar) = (sidecar.recording(), Some(sidecar));
        let voices = Voices::Both;
        self.begin(Opening { port, path, rate, voices, sidecar, watch: None })
    }

    /// Waits until everything that was handed in before is done, but no longer than `patience`.
    pub fn settle(&self, patience: Duration) {
        let (done, waiting) = sync_channel(1);
        if self.items.send(Item::Settle(done)).is_ok() {
            waiting.recv_timeout(patience).ok();
        }
    }

    /// How many frames were lost, because the disk was too far behind.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Tells whenever the recording of a call is closed.
    pub fn closed(&self) -> Arc<Notify> {
        self.closed.clone()
    }

    fn begin(&self, opening: Opening) -> Track {
        let port = opening.port;
        if self.items.try_send(Item::Open(Box::new(opening))).is_err() {
            tracing::error!("the recorder is too far behind to begin a recording");
        }
        let (items, lost) = (self.items.clone(), self.lost.clone());
        Track { port, items, position: AtomicU64::new(0), lost }
    }
}

impl Track {
    /// Appends the same time of both sides. Never waits: what a recorder that is seconds behind
    /// does not take is counted, and is silence in the file.
    pub fn add(&self, caller: Frame, agent: Frame) {
        let at = self.position.fetch_add(caller.samples.len() as u64, Ordering::Relaxed);
        let item = Item::Add(self.port, Box::new((caller, agent, at)));
        if self.items.try_send(item).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Track {
    /// Appends what the caller says, to a recording of the caller alone.
    pub fn hear(&self, caller: Frame) {
        let nobody = Frame::new(caller.rate, Vec::new());
        self.add(caller, nobody);
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        // A file that is not closed is whole all the same; it is mended at the next start.
        self.items.try_send(Item::Close(self.port)).ok();
    }
}

/// The thread at work.
struct Desk {
    plan: Arc<Plan>,
    reels: HashMap<PortId, Reel>,
    random: Random,
    /// When it was last looked what is to be written.
    looked: Instant,
    closer: Closer,
}

impl Desk {
    fn run(mut self, items: &Receiver<Item>) {
        loop {
            // Nobody is recorded: there is nothing to look after.
            let next = match self.reels.is_empty() {
                true => items.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => items.recv_timeout(PATIENCE),
            };
            match next {
                Ok(item) => self.take(item),
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.flush();
        }
        let ports: Vec<PortId> = self.reels.keys().copied().collect();
        ports.into_iter().for_each(|port| self.close(port));
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Open(opening) => {
                let Opening { port, path, rate, voices, sidecar, watch } = *opening;
                let tape = Tape::new(path, (rate, voices), (&*self.plan, &mut self.random));
                self.reels.insert(port, Reel { tape, sidecar, watch });
            }
            Item::Add(port, samples) => {
                let (caller, agent, at) = *samples;
                let Some(reel) = self.reels.get_mut(&port) else { return };
                reel.tape.add(&caller, &agent, at);
                if let Some(sidecar) = &mut reel.sidecar {
                    sidecar.begin();
                }
            }
            Item::Close(port) => self.close(port),
            Item::Settle(done) => self.closer.settle(done),
        }
    }

    /// Writes what is due.
    fn flush(&mut self) {
        let now = clock::now();
        if now.saturating_duration_since(self.looked) < LOOK_EACH {
            return;
        }
        self.looked = now;
        for reel in self.reels.values_mut().filter(|reel| reel.tape.due() <= now) {
            reel.tape.flush(now);
        }
    }

    /// Nothing waits: there is time for a disk.
    fn sync(&mut self) {
        self.reels.values_mut().any(|reel| reel.tape.sync());
    }

    fn close(&mut self, port: PortId) {
        let Some(Reel { mut tape, sidecar, watch }) = self.reels.remove(&port) else { return };
        let whole = tape.finish();
        let (lasts, lost) = tape.lengths();
        if !whole {
            let path = tape.path().display();
            tracing::warn!(%path, lost_ms = lost.as_millis() as u64, "a recording has holes");
        }
        let state = if whole { State::Complete } else { State::Incomplete };
        self.closer.close(Closed { sidecar, state, lengths: (lasts, lost), watch });
    }
}

/// So many frames may wait for the disk: ten minutes of one call, or six seconds of a hundred.
const WAITING: usize = 32_768;

/// When nothing came for so long, there is time for a disk.
const PATIENCE: Duration = Duration::from_millis(10);

/// Looks so often whether something is to be written.
const LOOK_EACH: Duration = Duration::from_millis(50);
