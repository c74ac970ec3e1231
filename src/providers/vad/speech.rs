//! Speech for the tests of the detectors: real people where their recordings stand beside the
//! checkout, and what espeak-ng says.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::audio::frame::{Frame, Rate};
use crate::audio::{resample, wav};

/// Where the set-up puts the model.
pub fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/silero_vad.onnx")
}

/// A few seconds each of several speakers with their names, at 16 kHz.
pub fn spoken() -> Vec<(String, Vec<f32>)> {
    let mut found = recorded();
    found.extend(synthesised());
    assert!(!found.is_empty(), "no speech to test with: run ./dev setup, it installs espeak-ng");
    found.into_iter().map(|(name, frame)| (name, floats(&frame))).collect()
}

/// The samples at 16 kHz as a detector wants them.
pub fn floats(frame: &Frame) -> Vec<f32> {
    let wide = resample::convert(frame, Rate::WIDE);
    wide.samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

/// Recordings of people, where they stand.
pub fn recorded() -> Vec<(String, Frame)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/audio/sentences");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, wav::read(&std::fs::read(&path).ok()?).ok()?))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(entry.path())).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What espeak-ng says in several voices.
pub fn synthesised() -> Vec<(String, Frame)> {
    let text = "Good morning. I would like to book a table for three people on Friday evening.";
    ["en-us", "en-gb", "de", "en-us+f3"]
        .into_iter()
        .filter_map(|voice| {
            let said = Command::new("espeak-ng").args(["-v", voice, "--stdout", text]).output();
            Some((voice.to_owned(), wav::read(&said.ok()?.stdout).ok()?))
        })
        .collect()
}
