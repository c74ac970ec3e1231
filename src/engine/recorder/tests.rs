//! Tests of the recorder with files: forms, seals, crashes and full disks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::audio::tone::Tone;
use crate::audio::wav;
use crate::engine::recorder::mend::mend;
use crate::engine::recorder::unseal::unseal;
use crate::providers::opus::Opus;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("voxtrunk-recorder-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn plan(format: Format, sealed: bool) -> Plan {
    let key = sealed.then(|| key(7));
    Plan { format, libraries: Libraries::new(vec![Arc::new(Opus)]), key }
}

fn key(octet: u8) -> Key {
    Key::read(&format!("{octet:02x}").repeat(32)).expect("a key")
}

fn call() -> CallId {
    CallId::new(Duration::from_secs(1), &mut Random::repeatable(9))
}

/// What both sides say in 20 ms number `at`: the caller 400 Hz and the agent 1 kHz.
fn frames(at: usize) -> (Frame, Frame) {
    let tone = |hertz: f32| {
        let mut tone = Tone::dual(Rate::NARROW, [hertz, hertz]).at(0.4);
        let clip = tone.play(Duration::from_millis(100));
        let from = at % 5 * 160;
        Frame::new(Rate::NARROW, clip[from..from + 160].to_vec())
    };
    (tone(400.0), tone(1_000.0))
}

/// Records so many frames into the folder and closes.
fn record(plan: Plan, folder: &Path, count: usize) -> PathBuf {
    let recorder = Recorder::with(plan).expect("a thread");
    let track = recorder.open_call(PortId(1), (call(), folder), Rate::NARROW);
    for at in 0..count {
        let (caller, agent) = frames(at);
        track.add(caller, agent);
    }
    drop(track);
    recorder.settle(Duration::from_secs(30));
    shelf::notes(folder).pop().expect("a note").recording()
}

/// How strong a tone is in some samples, against all that is there.
fn share(samples: &[i16], rate: f64, hertz: f64) -> f64 {
    let (mut sin, mut cos, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let (angle, value) = (at as f64 * hertz / rate * std::f64::consts::TAU, f64::from(*sample));
        sin += value * angle.sin();
        cos += value * angle.cos();
        all += value * value;
    }
    (sin * sin + cos * cos) * 2.0 / (all * samples.len() as f64).max(1.0)
}

/// Both sides of a WAV file.
fn sides(bytes: &[u8]) -> (Vec<i16>, Vec<i16>) {
    let sample = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]);
    let frames = bytes[wav::HEADER..].chunks_exact(4);
    frames.map(|it| (sample(&it[..2]), sample(&it[2..]))).unzip()
}

/// Runs a program of others on a file and gives the WAV that it makes.
fn decoded(path: &Path) -> Vec<u8> {
    let out = path.with_extension("decoded.wav");
    let mut command = std::process::Command::new("opusdec");
    let done = command.args(["--quiet", "--rate", "48000"]).arg(path).arg(&out).output();
    let done = done.expect("opusdec: run ./dev setup");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    std::fs::read(out).expect("it wrote a file")
}

#[test]
fn a_wav_holds_the_caller_left_and_the_agent_right() {
    let folder = Folder::new("wav");
    let path = record(plan(Format::Wav, false), &folder.0, 100);
    let bytes = std::fs::read(&path).expect("a file");
    assert_eq!(bytes.len(), wav::HEADER + 100 * 160 * 4);
    assert_eq!(bytes[..wav::HEADER], wav::stereo_header(Rate::NARROW, 100 * 160 * 4));
    let (left, right) = sides(&bytes);
    assert!(share(&left, 8_000.0, 400.0) > 0.95 && share(&right, 8_000.0, 1_000.0) > 0.95);
    let note = std::fs::read_to_string(path.with_extension("json")).expect("a note");
    let note: serde_json::Value = serde_json::from_str(&note).expect("JSON");
    assert_eq!((&note["state"], &note["duration_ms"]), (&"complete".into(), &2_000.into()));
}

#[test]
fn other_programs_decode_the_opus_and_neither_voice_is_in_the_other() {
    let folder = Folder::new("opus");
    let path = record(plan(Format::Opus, false), &folder.0, 500);
    assert!(path.to_string_lossy().ends_with(".opus"));
    let size = std::fs::metadata(&path).expect("a file").len();
    assert!(size < 500 * 160 * 4 / 6, "{size}");
    let (left, right) = sides(&decoded(&path));
    // As long as it was, to the sample.
    assert_eq!(left.len(), 500 * 160 * 6);
    let (left, right) = (&left[48_000..400_000], &right[48_000..400_000]);
    assert!(share(left, 48_000.0, 400.0) > 0.9, "{}", share(left, 48_000.0, 400.0));
    assert!(share(right, 48_000.0, 1_000.0) > 0.9, "{}", share(right, 48_000.0, 1_000.0));
    assert!(share(left, 48_000.0, 1_000.0) < 0.001 && share(right, 48_000.0, 400.0) < 0.001);
}

#[test]
fn a_sealed_file_holds_what_an_open_one_would() {
    for format in [Format::Wav, Format::Opus] {
        let folder = Folder::new(&format!("sealed-{}", format.suffix()));
        let path = record(plan(format, true), &folder.0, 200);
        let sealed = std::fs::read(&path).expect("a file");
        assert!(path.to_string_lossy().ends_with(".sealed"));
        assert!(![&b"RIFF"[..], b"OggS"].iter().any(|it| sealed.windows(4).any(|at| at == *it)));
        let mut open = Vec::new();
        let unsealed = unseal(&sealed[..], &mut open, &key(7)).expect("it opens");
        assert_eq!(unsealed.end, Ok(()));
        if format == Format::Wav {
            assert_eq!(sides(&open).0.len(), 200 * 160);
        } else {
            assert!(crate::audio::ogg::whole(&open).is_some_and(|it| it.ended));
        }
        assert!(unseal(&sealed[..], &mut Vec::new(), &key(8)).is_err());
    }
}

#[test]
fn what_was_lost_on_the_way_is_silence_of_its_length() {
    let folder = Folder::new("lost");
    let mut tape = Tape::new(
        folder.0.join("x.wav"),
        (Rate::NARROW, Voices::Both),
        (&plan(Format::Wav, false), &mut Random::repeatable(1)),
    );
    for at in (0..10).chain(60..70) {
        let (caller, agent) = frames(at);
        tape.add(&caller, &agent, at as u64 * 160);
    }
    assert!(!tape.finish(), "it has holes");
    assert_eq!(tape.lengths(), (Duration::from_millis(1_400), Duration::from_secs(1)));
    let (left, _) = sides(&std::fs::read(folder.0.join("x.wav")).expect("a file"));
    assert_eq!(left.len(), 70 * 160);
    assert!(left[10 * 160..60 * 160].iter().all(|it| *it == 0));
    assert!(share(&left[60 * 160..], 8_000.0, 400.0) > 0.95);
}

#[test]
fn a_disk_that_refuses_for_a_while_gets_everything_later() {
    let folder = Folder::new("refuses");
    // A file stands where the folder should be.
    let blocked = folder.0.join("blocked");
    std::fs::write(&blocked, "x").expect("a file");
    let place = blocked.join("x.wav");
    let plan = plan(Format::Wav, false);
    let both = (Rate::NARROW, Voices::Both);
    let mut tape = Tape::new(place.clone(), both, (&plan, &mut Random::repeatable(1)));
    for at in 0..100 {
        if at == 50 {
            std::fs::remove_file(&blocked).expect("it was there");
        }
        let (caller, agent) = frames(at);
        tape.add(&caller, &agent, at as u64 * 160);
        tape.flush(clock::now());
    }
    assert!(tape.finish());
    let (left, right) = sides(&std::fs::read(place).expect("a file"));
    assert_eq!(left.len(), 100 * 160);
    assert!(share(&left, 8_000.0, 400.0) > 0.95 && share(&right, 8_000.0, 1_000.0) > 0.95);
}

#[test]
fn a_file_is_whole_whenever_it_is_looked_at_and_is_mended_after_a_crash() {
    for (format, sealed) in
        [(Format::Wav, false), (Format::Opus, false), (Format::Wav, true), (Format::Opus, true)]
    {
        let folder = Folder::new(&format!("crash-{}-{sealed}", format.suffix()));
        let plan = plan(format, sealed);
        let mut note =
            Sidecar::new((call(), folder.0.clone()), format, plan.key.as_ref().map(Key::name));
        note.begin();
        let path = note.recording();
        let both = (Rate::NARROW, Voices::Both);
        let mut tape = Tape::new(path.clone(), both, (&plan, &mut Random::repeatable(1)));
        let mut before = 0;
        for at in 0..200 {
            let (caller, agent) = frames(at);
            tape.add(&caller, &agent, at as u64 * 160);
            if at % 50 == 49 {
                before = std::fs::metadata(&path).map_or(0, |file| file.len() as usize);
                tape.flush(clock::now());
            }
        }
        // The server is killed in the middle of the last write.
        let mut torn = std::fs::read(&path).expect("a file");
        torn.truncate(before + 91);
        std::fs::write(&path, &torn).expect("a file");
        assert_eq!(mend(&folder.0, plan.key.as_ref()), 1);
        assert_eq!(mend(&folder.0, plan.key.as_ref()), 0, "once");
        let mended = std::fs::read(&path).expect("a file");
        let open = if sealed {
            let mut open = Vec::new();
            let unsealed = unseal(&mended[..], &mut open, &key(7)).expect("it opens");
            assert_eq!(unsealed.end, Ok(()));
            open
        } else {
            assert!(format == Format::Wav || mended.len() == before);
            mended
        };
        match format {
            Format::Wav => {
                // Whole to the last frame; what was torn, as far as it is samples.
                let (left, _) = sides(&open);
                assert!((24_000..24_050).contains(&left.len()), "{}", left.len());
            }
            Format::Opus => {
                let whole = crate::audio::ogg::whole(&open).expect("pages");
                assert_eq!((whole.octets, whole.position), (open.len(), 150 * 960));
            }
        }
        assert_eq!(Sidecar::all(&folder.0)[0].state, State::Interrupted);
    }
}

#[test]
fn a_slow_disk_stops_nobody_and_what_is_lost_is_counted() {
    let (items, waiting) = sync_channel(4);
    let (position, lost) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let track = Track { port: PortId(1), items, position, lost: lost.clone() };
    for at in 0..10 {
        let (caller, agent) = frames(at);
        track.add(caller, agent);
    }
    assert_eq!(lost.load(Ordering::Relaxed), 6);
    waiting.try_iter().for_each(drop);
    let (caller, agent) = frames(0);
    track.add(caller, agent);
    let Ok(Item::Add(_, samples)) = waiting.try_recv() else { panic!("it is taken again") };
    assert_eq!(samples.2, 1_600, "and stands where it belongs");
}
