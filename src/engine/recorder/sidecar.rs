//! The note beside the recording of a call: how it stands. It is written when the recording begins
//! and again when it ends; one that says `open` after a start belongs to a call that was killed.
//! What ended has the sum of its file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::CallId;
use crate::base::sealed::KeyName;
use crate::base::sum;
use crate::engine::recorder::container::Format;

/// How a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being written, or the server was killed while it was.
    Open,
    /// All of it is there.
    Complete,
    /// Some of it was lost and is silence.
    Incomplete,
    /// The server was killed; it was mended at the next start.
    Interrupted,
}

/// The note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sidecar {
    call: String,
    file: String,
    /// How it stands.
    pub state: State,
    format: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sealed_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    lost_ms: Option<u64>,
    /// The SHA-256 of the file, in hexadecimal digits, once it is closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    #[serde(skip)]
    folder: PathBuf,
    /// Whether it stands on the disk.
    #[serde(skip)]
    written: bool,
}

impl Sidecar {
    /// The note of a recording that begins, in this very folder.
    pub fn new((call, folder): (CallId, PathBuf), format: Format, sealed: Option<KeyName>) -> Self {
        let (call, format) = (call.to_string(), format.suffix().to_owned());
        let end = if sealed.is_some() { SEALED } else { "" };
        Self {
            file: format!("{call}.{format}{end}"),
            call,
            state: State::Open,
            format,
            sealed_with: sealed.map(|name| name.to_string()),
            duration_ms: None,
            lost_ms: None,
            sha256: None,
            folder,
            written: false,
        }
    }

    /// Reads a note; nothing, when it is none of ours.
    pub fn read(path: &Path) -> Option<Self> {
        let mut sidecar: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let has_name = sidecar.call.parse::<CallId>().is_ok()
            && sidecar.file.strip_prefix(&sidecar.call).is_some_and(|it| FILES.contains(&it))
            && path.file_stem() == Some(sidecar.call.as_ref());
        sidecar.folder = path.parent()?.to_owned();
        sidecar.written = true;
        has_name.then_some(sidecar)
    }

    /// All notes in this very folder.
    pub fn all(folder: &Path) -> Vec<Self> {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let notes =
            files.map(|file| file.path()).filter(|it| it.extension() == Some(JSON.as_ref()));
        notes.filter_map(|path| Self::read(&path)).collect()
    }

    /// Whose recording it is.
    pub fn call(&self) -> Option<CallId> {
        self.call.parse().ok()
    }

    /// Whose recording a file is by its name, and the path of the note that belongs beside it.
    pub fn beside(recording: &Path) -> Option<(CallId, PathBuf)> {
        let name = recording.file_name()?.to_str()?;
        let (call, end) = name.split_at_checked(name.find('.')?)?;
        let call = FILES.contains(&end).then(|| call.parse::<CallId>().ok())??;
        Some((call, recording.with_file_name(format!("{call}.{JSON}"))))
    }

    /// The folder in which both are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the recording is.
    pub fn recording(&self) -> PathBuf {
        self.folder.join(&self.file)
    }

    /// Where the note itself is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.{JSON}", self.call))
    }

    /// Whether the recording is sealed.
    pub fn is_sealed(&self) -> bool {
        self.sealed_with.is_some()
    }

    /// Whether it is WAV.
    pub fn is_wav(&self) -> bool {
        self.format == Format::Wav.suffix()
    }

    /// The recording begins: the note is written, once.
    pub fn begin(&mut self) {
        if !self.written {
            self.written = true;
            self.write();
        }
    }

    /// The recording ended so; it lasts so long, and so much of it was lost. All of the file is
    /// read for its sum.
    pub fn end(&mut self, state: State, (lasts, lost): (Duration, Duration)) {
        if !self.written {
            // Nothing was ever recorded.
            return;
        }
        self.state = state;
        let millis = |it: Duration| u64::try_from(it.as_millis()).ok();
        self.duration_ms = millis(lasts).filter(|lasts| *lasts > 0);
        self.lost_ms = millis(lost).filter(|lost| *lost > 0);
        self.sha256 = self.sum().ok();
        self.write();
    }

    /// The SHA-256 of the file as it is now, in hexadecimal digits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sum(&self) -> io::Result<String> {
        sum::sha256(File::open(self.recording())?).map(|(sum, _)| sum)
    }

    fn write(&self) {
        if let Err(why) = self.try_write() {
            let path = self.path();
            tracing::error!(%why, path = %path.display(), "the note of a recording is not written");
        }
    }

    fn try_write(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.path();
        let partial = path.with_extension("json.part");
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        std::fs::rename(&partial, &path)
    }
}

/// How the name of a sealed file ends.
pub const SEALED: &str = ".sealed";

const JSON: &str = "json";

/// How the names of recordings go on after that of the call.
const FILES: [&str; 4] = [".wav", ".opus", ".wav.sealed", ".opus.sealed"];
