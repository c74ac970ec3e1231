//! Recordings of the running server: killed in mid-call, paused, agreed to, sealed, in Ogg, and
//! brought to a store.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinHandle;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;

use super::bucket::Bucket;
use super::caller::{Outcome, call, clip, play, sides};
use super::control::{ask, told};
use super::server::{Folder, House, PATIENCE, Server, finish, program, within};
use super::store::Store;

/// The porter, whose calls are recorded; `more` is put into its table.
fn recorded(more: &str, settings: &str) -> House {
    let dialplan = House::porter().dialplan.expect("the porter's own");
    let table = format!("[agents.porter]\nrecord = true\n{more}\n");
    House::with(&dialplan.replace("[agents.porter]", &table)).and(settings)
}

/// A call that plays a tone for half a minute, once it is greeted.
fn tone(server: &Server) -> JoinHandle<Outcome> {
    let uri = server.uri("porter");
    let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(30));
    let line = play(&Frame::new(Rate::NARROW, sound));
    tokio::spawn(async move { call(&uri, vec![line], Duration::from_secs(2)).await })
}

/// The first file below the folder of recordings whose name ends so.
pub fn file(server: &Server, suffix: &str) -> Option<PathBuf> {
    files(&server.folder.path("data/recordings"))
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(suffix))
}

/// All files in a folder and below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn note(recording: &Path) -> Value {
    let folder = recording.parent().expect("a folder");
    let name = recording.file_name().expect("a name").to_string_lossy();
    let call = name.split('.').next().expect("the call");
    let text = std::fs::read(folder.join(format!("{call}.json"))).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Both sides of a recording of the server, once it is closed.
pub async fn closed(recording: &Path) -> (Frame, Frame) {
    let is_closed = || note(recording)["state"].as_str().filter(|state| *state != "open").map(drop);
    within(PATIENCE, "a recording that is closed", is_closed).await;
    sides(recording)
}

/// How long a file is, as another program says.
async fn seconds(path: &Path) -> f64 {
    let mut command = Command::new("soxi");
    command.arg("-D").arg(path);
    let (code, said) = finish(command).await;
    assert_eq!(code, Some(0), "{said}");
    let first = said.lines().next().unwrap_or_default();
    first.trim().parse().unwrap_or_else(|_| panic!("{said}"))
}

/// Has another program make a WAV of an Ogg file.
async fn decoded(path: &Path) -> PathBuf {
    let out = path.with_extension("decoded.wav");
    let mut command = Command::new("opusdec");
    command.args(["--quiet", "--rate", "16000"]).arg(path).arg(&out);
    let (code, said) = finish(command).await;
    assert_eq!(code, Some(0), "{said}");
    out
}

/// When the call was answered, by the server's own log.
fn answered(server: &Server) -> SystemTime {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("\"call answered\"")).expect("it was");
    let event: Value = serde_json::from_str(line).expect("JSON");
    let at: jiff::Timestamp = event["timestamp"].as_str().expect("a time").parse().expect("a time");
    at.into()
}

/// Lets a call run for some seconds and kills the server without a word; tells how long after the
/// answer that was.
async fn killed(server: &mut Server, suffix: &str) -> (PathBuf, f64) {
    let caller = tone(server);
    let path = within(PATIENCE, "a recording", || file(server, suffix)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let since = answered(server);
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::KILL).expect("it is our child");
    let lasted = since.elapsed().expect("it was before").as_secs_f64();
    server.ended().await;
    caller.abort();
    (path, lasted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_opens_up_to_the_last_second_when_the_server_is_killed() {
    let mut server = Server::start(recorded("", "")).await;
    let (path, lasted) = killed(&mut server, ".wav").await;
    // As it lies on the disk, before anybody mends it.
    let length = seconds(&path).await;
    assert!(length >= lasted - 1.0, "{length} s of {lasted} s");
    let (left, _) = sides(&path);
    assert!(left.samples.iter().any(|it| it.unsigned_abs() > 3_000), "the caller is in it");
    assert_eq!(note(&path)["state"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_recording_of_a_killed_server_is_mended_at_the_next_start() {
    let key = "5a".repeat(32);
    let settings = format!("[storage.recordings]\nformat = \"opus\"\nencrypt = \"{key}\"\n[log]\n");
    let mut server = Server::start(recorded("", &settings)).await;
    let (path, lasted) = killed(&mut server, ".opus.sealed").await;
    let sealed = path.to_string_lossy().into_owned();
    let (code, _, why) = ask(&server, &["recording", "decrypt", &sealed]).await;
    assert!(code == Some(1) && why.contains("cut off after chunk"), "{why}");
    let early = server.folder.path("early.opus");
    let out = early.to_string_lossy().into_owned();
    told(&server, &["recording", "decrypt", &sealed, "--incomplete", "--out", &out]).await;
    let length = clip(&decoded(&early).await).duration().as_secs_f64();
    assert!(length >= lasted - 1.0, "{length} s of {lasted} s");

    let mut again = program();
    again.arg("serve").arg("--config").arg(server.folder.path("conf/server.toml"));
    let mut again = again.stderr(std::process::Stdio::null()).spawn().expect("it starts");
    within(PATIENCE, "mended", || (note(&path)["state"] == "interrupted").then_some(())).await;
    again.kill().await.expect("it is our child");
    told(&server, &["recording", "decrypt", &sealed]).await;
    let whole = clip(&decoded(&path.with_extension("")).await);
    assert!((whole.duration().as_secs_f64() - length).abs() < 0.1);
    // Who changes it is found out.
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("a file");
    let out = server.folder.path("changed.opus").to_string_lossy().into_owned();
    let (code, _, why) = ask(&server, &["recording", "decrypt", &sealed, "--out", &out]).await;
    assert!(code == Some(1) && why.contains("is not what was written there"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_pause_is_silence_in_the_recording() {
    let server = Server::start(recorded("", "")).await;
    let caller = tone(&server);
    let path = within(PATIENCE, "a recording", || file(&server, ".wav")).await;
    let id = path.file_stem().expect("the call").to_string_lossy().into_owned();
    // The caller is heard, and then not for two seconds.
    let loud =
        || sound_of(&path).filter(|left| left.len() > 24_000 && is_loud(&left[left.len() - 800..]));
    within(PATIENCE, "the caller", loud).await;
    let said = told(&server, &["call", "record", &id, "pause"]).await;
    assert!(said.contains("silence in its recording"), "{said}");
    let show = told(&server, &["call", "show", &id]).await;
    assert!(show.lines().any(|it| it.contains("recorded") && it.contains("paused")), "{show}");
    let paused = sound_of(&path).expect("a file").len();
    within(PATIENCE, "two seconds", || sound_of(&path).filter(|left| left.len() > paused + 16_000))
        .await;
    told(&server, &["call", "record", &id, "resume"]).await;
    within(PATIENCE, "the caller again", || {
        sound_of(&path)
            .filter(|left| left.len() > paused + 32_000 && is_loud(&left[left.len() - 800..]))
    })
    .await;
    told(&server, &["call", "hangup", &id]).await;
    caller.await.expect("the call ends");

    let record = server.record().await;
    let pauses = record["recording_pauses"].as_array().expect("pauses").clone();
    assert_eq!(pauses.len(), 1, "{pauses:?}");
    let lasted = pauses[0]["duration_ms"].as_u64().expect("it ended");
    let (left, _) = closed(&path).await;
    let quiet = longest_silence(&left.samples) as u64 / 8;
    assert!(quiet.abs_diff(lasted) <= 60, "{quiet} ms of {lasted} ms");
    let length = left.samples.len() as u64 / 8;
    assert!(length.abs_diff(record["duration_ms"].as_u64().expect("so long")) < 300);
    let (code, _, why) = ask(&server, &["call", "record", &id, "pause"]).await;
    assert_eq!(code, Some(2), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recorded_before_the_caller_agrees() {
    let server = Server::start(recorded("record_consent = \"dtmf\"", "")).await;
    let press = Act::Press(Digit::new('1').into_iter().collect());
    let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(2));
    let lines = vec![
        Line { when: When::Over(Duration::from_millis(500)), act: press },
        play(&Frame::new(Rate::NARROW, sound.clone())),
    ];
    call(&server.uri("porter"), lines, Duration::from_secs(3)).await;
    let record = server.record().await;
    assert_eq!(record["recorded"], true);
    let agreed = record["recording_consent"]["agreed_ms"].as_u64().expect("agreed");
    assert_eq!(record["recording_consent"]["mode"], "dtmf");
    let first = record["transcript"][0]["text"].as_str().unwrap_or_default();
    assert!(first.contains("please press 1"), "{record:#}");
    let path = within(PATIENCE, "a recording", || file(&server, ".wav")).await;
    let length = closed(&path).await.0.duration().as_millis() as u64;
    let rest = record["duration_ms"].as_u64().expect("so long") - agreed;
    assert!(length.abs_diff(rest) < 400, "{length} ms of {rest} ms after consent");

    // Who does not agree is not recorded at all.
    let server = Server::start(recorded("record_consent = \"dtmf\"", "")).await;
    let lines = vec![play(&Frame::new(Rate::NARROW, sound))];
    call(&server.uri("porter"), lines, Duration::from_secs(2)).await;
    let record = server.record().await;
    assert_eq!(record["recorded"], false);
    assert!(record["recording_consent"]["agreed_ms"].is_null());
    assert_eq!(file(&server, ""), None, "no file at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_goes_to_its_store_and_is_kept_until_it_is_there() {
    // The store refuses at first, and once it says yes to somebody else's name only.
    let store = Store::start(2).await;
    let settings = format!(
        "[storage.recordings]\nlocation = \"s3://calls/office\"\nformat = \"opus\"\n\
         [storage.recordings.s3]\nendpoint = \"http://{}\"\nregion = \"eu-test-1\"\n\
         access_key = \"{}\"\nsecret_key = \"{}\"\n",
        store.address,
        Store::ACCESS_KEY,
        Store::SECRET_KEY,
    );
    let server = Server::start(recorded("", &settings)).await;
    let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(2));
    let lines = vec![play(&Frame::new(Rate::NARROW, sound))];
    call(&server.uri("porter"), lines, Duration::from_secs(2)).await;
    let record = server.record().await;
    let id = record["id"].as_str().expect("an identity").to_owned();
    let day = record["started_at"].as_str().expect("a time")[..10].replace('-', "/");
    let name = |suffix: &str| format!("/calls/office/{day}/{id}.{suffix}");
    let kept = within(PATIENCE, "the recording in its store", || {
        let kept = store.kept();
        kept.contains_key(&name("json")).then_some(kept)
    })
    .await;
    let note: Value = serde_json::from_slice(&kept[&name("json")]).expect("JSON");
    assert_eq!(note["state"], "complete");
    let path = server.folder.put("fetched.opus", &kept[&name("opus")]);
    let length = seconds(&decoded(&path).await).await;
    let lasted = record["duration_ms"].as_u64().expect("so long") as f64 / 1_000.0;
    assert!((length - lasted).abs() < 0.3, "{length} s of {lasted} s");
    within(PATIENCE, "nothing left here", || file(&server, "").is_none().then_some(())).await;
    assert_eq!(store.refused(), 2, "it was asked again");
    assert_eq!(store.forged(), 0, "every signature was right");
    assert!(server.log().contains("not in its store yet"), "{}", server.log());
    assert!(!server.log().contains(Store::SECRET_KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_make_takes_what_is_signed_and_nothing_else() {
    let bucket = Bucket::start().await;
    let settings = |secret: &str| {
        format!(
            "[storage.recordings]\nlocation = \"s3://calls/office\"\nformat = \"opus\"\n\
             [storage.recordings.s3]\nendpoint = \"http://{}\"\nregion = \"eu-test-1\"\n\
             access_key = \"{}\"\nsecret_key = \"{secret}\"\n",
            bucket.address,
            Bucket::ACCESS_KEY,
        )
    };
    let tape = async |server: &Server| {
        let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(2));
        let lines = vec![play(&Frame::new(Rate::NARROW, sound))];
        call(&server.uri("porter"), lines, Duration::from_secs(2)).await;
        let record = server.record().await;
        let id = record["id"].as_str().expect("an identity").to_owned();
        let day = record["started_at"].as_str().expect("a time")[..10].replace('-', "/");
        (record, format!("office/{day}/{id}"))
    };
    let server = Server::start(recorded("", &settings(Bucket::SECRET_KEY))).await;
    let (record, key) = tape(&server).await;
    let note = bucket.path(&format!("{key}.json"));
    within(PATIENCE, "the recording in its store", || note.is_file().then_some(())).await;
    let length = seconds(&decoded(&bucket.path(&format!("{key}.opus"))).await).await;
    let lasted = record["duration_ms"].as_u64().expect("so long") as f64 / 1_000.0;
    assert!((length - lasted).abs() < 0.3, "{length} s of {lasted} s");
    within(PATIENCE, "nothing left here", || file(&server, "").is_none().then_some(())).await;
    // With another key nothing is taken, and nothing is lost.
    let server = Server::start(recorded("", &settings("another"))).await;
    let (_, key) = tape(&server).await;
    let refused = || server.log().contains("not in its store yet").then_some(());
    within(PATIENCE, "a store that refuses", refused).await;
    assert!(!bucket.path(&format!("{key}.opus")).exists());
    assert!(file(&server, ".opus").is_some(), "it is kept here");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_or_missing_is_named() {
    let server = Server::start(recorded("", "")).await;
    let (sound, changed) = (taped(&server).await, taped(&server).await);
    let verify = ["recording", "verify"];
    let said = told(&server, &verify).await;
    assert_eq!(said.trim(), "2 recordings: 2 as written, 0 not");
    // Its sum is that of another program.
    let mut command = Command::new("sha256sum");
    command.arg(&changed);
    let (_, sum) = finish(command).await;
    assert!(sum.starts_with(note(&changed)["sha256"].as_str().expect("a sum")), "{sum}");

    let mut bytes = std::fs::read(&changed).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&changed, bytes).expect("a file");
    let (code, said, _) = ask(&server, &verify).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("changed ") && lines[0].ends_with(&*changed.to_string_lossy()));
    assert_eq!(lines[1], "2 recordings: 1 as written, 1 not");
    // One alone is sound, and the other by its note, too, is not.
    told(&server, &["recording", "verify", &sound.to_string_lossy()]).await;
    let beside = changed.with_extension("json").to_string_lossy().into_owned();
    assert_eq!(ask(&server, &["recording", "verify", &beside]).await.0, Some(1));

    std::fs::remove_file(&changed).expect("it was there");
    std::fs::remove_file(sound.with_extension("json")).expect("it was there");
    let (code, said, _) = ask(&server, &verify).await;
    assert_eq!(code, Some(1), "{said}");
    let line = |word: &str, path: &Path| {
        said.lines().any(|it| it.starts_with(word) && it.ends_with(&*path.to_string_lossy()))
    };
    assert!(line("missing ", &changed) && line("without note ", &sound), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_it_may_be_is_deleted_at_the_start_and_nothing_else() {
    let folder = Folder::new();
    // One of 2020-02-29, one that an earlier version left above the days.
    let call = |end: &str| format!("call_01e2866v8000000000000000{end}");
    let places = [("0a", "data/recordings/2020/02/29"), ("0b", "data/recordings")];
    let old = places.map(|(end, place)| (call(end), format!("{place}/{}", call(end))));
    for (call, place) in &old {
        let note = serde_json::json!({
            "call": call, "file": format!("{call}.wav"), "state": "complete", "format": "wav",
        });
        folder.put(&format!("{place}.json"), note.to_string());
        folder.put(&format!("{place}.wav"), b"RIFF");
    }
    let own = folder.put("data/recordings/2020/03/01/mine.wav", b"RIFF");
    let strange = folder.put(&format!("data/recordings/2020/02/{}.wav", call("0c")), b"RIFF");
    let house = recorded("", "[storage.recordings]\nretention = \"1h\"\n");
    let server = Server::start_in(folder, house).await;
    within(PATIENCE, "deleted", || server.log().contains("kept long enough").then_some(())).await;
    for (_, place) in &old {
        for end in ["wav", "json"] {
            assert!(!server.folder.path(&format!("{place}.{end}")).exists(), "{place}.{end}");
        }
    }
    assert!(!server.folder.path("data/recordings/2020/02/29").exists(), "its day is empty");
    assert!(own.exists() && strange.exists(), "what is not ours stays");
    // What comes now stays, too.
    let path = taped(&server).await;
    assert!(path.exists() && !note(&path)["sha256"].is_null());
}

/// A call of a second with a tone; where its closed recording is.
async fn taped(server: &Server) -> PathBuf {
    let before = files(&server.folder.path("data/recordings"));
    let sound = Tone::dual(Rate::NARROW, [500.0, 500.0]).at(0.4).play(Duration::from_secs(1));
    let line = play(&Frame::new(Rate::NARROW, sound));
    call(&server.uri("porter"), vec![line], Duration::from_secs(1)).await;
    let path = within(PATIENCE, "a recording", || {
        let now = files(&server.folder.path("data/recordings"));
        now.into_iter()
            .find(|it| it.extension().is_some_and(|end| end == "wav") && !before.contains(it))
    })
    .await;
    closed(&path).await;
    path
}

/// The left side of a file that may still grow.
fn sound_of(path: &Path) -> Option<Vec<i16>> {
    let bytes = std::fs::read(path).ok()?;
    let frames = bytes.get(44..)?.chunks_exact(4);
    Some(frames.map(|frame| i16::from_le_bytes([frame[0], frame[1]])).collect())
}

fn is_loud(samples: &[i16]) -> bool {
    samples.iter().filter(|it| it.unsigned_abs() > 3_000).count() > samples.len() / 4
}

/// The longest run of silence between two sounds, in samples.
fn longest_silence(samples: &[i16]) -> usize {
    let loud: Vec<usize> =
        samples.iter().enumerate().filter(|(_, it)| **it > 3_000).map(|(at, _)| at).collect();
    loud.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}
