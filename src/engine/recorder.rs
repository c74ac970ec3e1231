//! The recorder: one thread that writes the stereo WAV files of all recorded calls, the caller on
//! the left and the agent on the right.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::audio::frame::{Frame, Rate};
use crate::base::id::PortId;
use crate::engine::clock;

/// How others reach the recorder.
#[derive(Debug, Clone)]
pub struct Recorder {
    items: SyncSender<Item>,
}

/// The recording of one call. Dropping it closes the file.
#[derive(Debug)]
pub struct Track {
    port: PortId,
    items: SyncSender<Item>,
}

#[derive(Debug)]
enum Item {
    Open(PortId, PathBuf, Rate),
    Add(PortId, Frame, Frame),
    Close(PortId),
}

impl Recorder {
    /// Starts the thread; it ends when every handle and track is gone.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start() -> io::Result<Self> {
        let (sender, items) = sync_channel(8_192);
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || write(&items))?;
        Ok(Self { items: sender })
    }

    /// Opens a recording at `path`; frames come at `rate`.
    pub fn open(&self, port: PortId, path: PathBuf, rate: Rate) -> Track {
        if self.items.try_send(Item::Open(port, path, rate)).is_err() {
            tracing::error!("the recorder is too far behind to begin a recording");
        }
        Track { port, items: self.items.clone() }
    }
}

impl Track {
    /// Appends the same 20 ms of both sides. Never waits: a recorder that is seconds behind
    /// loses it.
    pub fn add(&self, caller: Frame, agent: Frame) {
        self.items.try_send(Item::Add(self.port, caller, agent)).ok();
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        self.items.try_send(Item::Close(self.port)).ok();
    }
}

struct Tape {
    file: hound::WavWriter<BufWriter<File>>,
    flushed: Instant,
}

fn write(items: &Receiver<Item>) {
    let mut tapes: HashMap<PortId, Tape> = HashMap::new();
    while let Ok(item) = items.recv() {
        match item {
            Item::Open(port, path, rate) => match open(&path, rate) {
                Ok(tape) => {
                    tapes.insert(port, tape);
                }
                Err(why) => tracing::error!(%why, "a recording could not be opened"),
            },
            Item::Add(port, caller, agent) => {
                let Some(tape) = tapes.get_mut(&port) else { continue };
                if let Err(why) = tape.add(&caller, &agent) {
                    tracing::error!(%why, "a recording broke off");
                    tapes.remove(&port);
                }
            }
            Item::Close(port) => {
                if let Some(Err(why)) = tapes.remove(&port).map(|tape| tape.file.finalize()) {
                    tracing::error!(%why, "a recording could not be closed");
                }
            }
        }
    }
}

fn open(path: &std::path::Path, rate: Rate) -> Result<Tape, hound::Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate.0,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    // What was said is nobody's business but the operator's.
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let file = hound::WavWriter::new(BufWriter::new(file), spec)?;
    Ok(Tape { file, flushed: clock::now() })
}

impl Tape {
    fn add(&mut self, caller: &Frame, agent: &Frame) -> Result<(), hound::Error> {
        for (left, right) in caller.samples.iter().zip(&agent.samples) {
            self.file.write_sample(*left)?;
            self.file.write_sample(*right)?;
        }
        // The header tells the length once a second, so that a crash loses no more than that.
        let now = clock::now();
        if now.saturating_duration_since(self.flushed) >= Duration::from_secs(1) {
            self.flushed = now;
            self.file.flush()?;
        }
        Ok(())
    }
}
