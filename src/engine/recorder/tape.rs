//! One recording on its way to the disk: what is there is a whole file at any time. When the disk
//! refuses, the recording goes on where it broke off as soon as it takes again.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::audio::frame::{Frame, Rate};
use crate::audio::wav;
use crate::base::random::Random;
use crate::base::sealed::Sealer;
use crate::engine::recorder::Plan;
use crate::engine::recorder::container::{Container, Format, Voices};

/// One recording.
#[derive(Debug)]
pub struct Tape {
    path: PathBuf,
    rate: Rate,
    voices: Voices,
    container: Container,
    /// Whether the header of the file says how long it is.
    sized: bool,
    sealer: Option<Sealer>,
    file: Option<File>,
    /// What waits for the disk, and where it belongs.
    unwritten: Vec<u8>,
    offset: u64,
    /// Where the next samples belong, in samples since the first.
    position: Option<u64>,
    length: u64,
    lost: u64,
    flushed: Instant,
    /// Whether the kernel may still hold what the disk does not have.
    unsynced: bool,
    broken: bool,
}

impl Tape {
    /// Begins a recording at `path`; nothing is written before there is something to write.
    pub fn new(
        path: PathBuf,
        (rate, voices): (Rate, Voices),
        (plan, random): (&Plan, &mut Random),
    ) -> Self {
        let mut unwritten = Vec::new();
        let sealer = plan.key.as_ref().map(|key| {
            let (sealer, head) = Sealer::new(key, random);
            unwritten = head;
            sealer
        });
        Self {
            path,
            rate,
            container: Container::new(plan.format, (rate, voices), (&plan.libraries, random.u32())),
            voices,
            sized: (plan.format == Format::Wav || voices == Voices::Caller) && sealer.is_none(),
            sealer,
            file: None,
            unwritten,
            offset: 0,
            position: None,
            length: 0,
            lost: 0,
            flushed: crate::engine::clock::now(),
            unsynced: false,
            broken: false,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is, and how much of that is silence because it was lost.
    pub fn lengths(&self) -> (Duration, Duration) {
        let lasting =
            |samples: u64| self.rate.duration_of(usize::try_from(samples).unwrap_or(usize::MAX));
        (lasting(self.length), lasting(self.lost))
    }

    /// Takes the same time of both sides, which begins `at` so many samples.
    pub fn add(&mut self, caller: &Frame, agent: &Frame, at: u64) {
        let missed = at.saturating_sub(self.position.unwrap_or(at)).min(self.longest_gap());
        if self.unwritten.len() > MOST_UNWRITTEN {
            // The disk takes nothing: what is said now becomes silence when it does again.
            return;
        }
        self.position = Some(at + caller.samples.len() as u64);
        self.lost += missed;
        let silence = [0; 160];
        let mut left = usize::try_from(missed).unwrap_or(0);
        while left > 0 {
            let count = left.min(silence.len());
            self.container.add(&silence[..count], &silence[..count]);
            left -= count;
        }
        self.container.add(&caller.samples, &agent.samples);
        self.length += missed + caller.samples.len() as u64;
    }

    /// When it is to be written again.
    pub fn due(&self) -> Instant {
        self.flushed + EACH
    }

    /// Writes what came since the last time.
    pub fn flush(&mut self, now: Instant) {
        self.flushed = now;
        let octets = self.container.take();
        self.keep(&octets);
        let written = self.write();
        self.tell(written);
    }

    /// Writes the end; false when not all of it could be written.
    pub fn finish(&mut self) -> bool {
        let octets = self.container.finish();
        self.keep(&octets);
        if self.length == 0 {
            // Nothing was ever said: there is no file.
            return true;
        }
        if let Some(sealer) = self.sealer.take() {
            sealer.finish(&mut self.unwritten);
        }
        let written =
            self.write().and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_data));
        let whole = written.is_ok();
        self.tell(written);
        whole && self.lost == 0
    }

    /// Brings to the disk what the kernel holds; false when it holds nothing.
    pub fn sync(&mut self) -> bool {
        let Some(file) = self.file.as_ref().filter(|_| self.unsynced) else { return false };
        let synced = file.sync_data();
        self.unsynced = false;
        self.tell(synced);
        true
    }

    fn keep(&mut self, octets: &[u8]) {
        match &mut self.sealer {
            _ if octets.is_empty() => {}
            Some(sealer) => sealer.seal(octets, &mut self.unwritten),
            None => self.unwritten.extend_from_slice(octets),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.length == 0 || self.unwritten.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.path)?),
        };
        file.write_all_at(&self.unwritten, self.offset)?;
        self.offset += self.unwritten.len() as u64;
        self.unwritten.clear();
        self.unsynced = true;
        if self.sized {
            let octets = self.offset.saturating_sub(wav::HEADER as u64);
            let octets = u32::try_from(octets).unwrap_or(wav::ENDLESS);
            file.write_all_at(&wav::header(self.voices.channels(), self.rate, octets), 0)?;
        }
        Ok(())
    }

    /// Says once that the disk refuses, and once that it takes again.
    fn tell(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) if self.broken => {
                self.broken = false;
                tracing::info!(path = %self.path.display(), "a recording goes on");
            }
            Err(why) if !self.broken => {
                self.broken = true;
                tracing::error!(%why, path = %self.path.display(), "a recording cannot be written");
            }
            Ok(()) | Err(_) => {}
        }
    }

    fn longest_gap(&self) -> u64 {
        self.rate.samples_in(LONGEST_GAP) as u64
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // What was said is nobody's business but the operator's.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// How often a recording is written: a crash loses no more.
const EACH: Duration = Duration::from_millis(500);

/// So many octets may wait for a disk that takes nothing: two minutes of WAV at 16 kHz.
const MOST_UNWRITTEN: usize = 8 << 20;

/// A longer time is not filled with silence.
const LONGEST_GAP: Duration = Duration::from_secs(3_600);
