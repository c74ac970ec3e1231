//! Looks whether recordings are what was written: each against the sum in its note.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::recorder::shelf;
use crate::engine::recorder::sidecar::{Sidecar, State};

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is as it was written.
    Sound,
    /// It is being written, or its server was killed and has not been started again.
    Open,
    /// Its note has no sum: an earlier version wrote it.
    Unsummed,
    /// It is not what was written.
    Changed,
    /// The note is there, the recording is not.
    Missing,
    /// The recording is there, its note is not, or is none any more.
    NoteMissing,
    /// The disk does not give it.
    Unreadable(String),
}

impl Verdict {
    /// Whether somebody should look after it.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Sound | Self::Open | Self::Unsummed => false,
            Self::Changed | Self::Missing | Self::NoteMissing | Self::Unreadable(_) => true,
        }
    }
}

/// Looks at a recording, at the one of a note, or at all in a folder and in the days below it.
///
/// # Errors
/// When there is nothing at `path`, or nothing that is a recording or its note.
pub fn verify(path: &Path) -> io::Result<Vec<(PathBuf, Verdict)>> {
    if std::fs::metadata(path)?.is_dir() {
        let folders = shelf::folders(path);
        return Ok(folders.iter().flat_map(|folder| all(folder)).collect());
    }
    if let Some(sidecar) = Sidecar::read(path) {
        return Ok(vec![judged(&sidecar)]);
    }
    let (_, note) = Sidecar::beside(path).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(vec![match Sidecar::read(&note).filter(|it| it.recording() == path) {
        Some(sidecar) => judged(&sidecar),
        None => (path.to_owned(), Verdict::NoteMissing),
    }])
}

/// All in this very folder, in the order of their names.
fn all(folder: &Path) -> Vec<(PathBuf, Verdict)> {
    let mut found: Vec<_> = Sidecar::all(folder).iter().map(judged).collect();
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let strays = files.map(|file| file.path()).filter(|path| is_stray(path));
    found.extend(strays.map(|path| (path, Verdict::NoteMissing)));
    found.sort();
    found
}

/// Whether a file is a recording without a note.
fn is_stray(path: &Path) -> bool {
    Sidecar::beside(path).is_some_and(|(_, note)| Sidecar::read(&note).is_none())
}

fn judged(sidecar: &Sidecar) -> (PathBuf, Verdict) {
    let verdict = match (sidecar.state, &sidecar.sha256) {
        (State::Open, _) if sidecar.recording().exists() => Verdict::Open,
        (_, was) => against(sidecar, was.as_deref()),
    };
    (sidecar.recording(), verdict)
}

fn against(sidecar: &Sidecar, was: Option<&str>) -> Verdict {
    match (sidecar.sum(), was) {
        (Err(why), _) if why.kind() == io::ErrorKind::NotFound => Verdict::Missing,
        (Err(why), _) => Verdict::Unreadable(why.to_string()),
        (Ok(_), None) => Verdict::Unsummed,
        (Ok(is), Some(was)) if is == was => Verdict::Sound,
        (Ok(_), Some(_)) => Verdict::Changed,
    }
}
