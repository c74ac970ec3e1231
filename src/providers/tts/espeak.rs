//! espeak-ng: more than a hundred languages, spoken by a program beside us.
//!
//! The program is under the GPL, so it is never linked: it gets the text on its standard input and
//! gives a WAV stream on its standard output.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::audio::frame::{Frame, Rate};
use crate::base::language::Language;
use crate::providers::error::ProviderError;
use crate::providers::tts::plain;
use crate::providers::voice::Voice;

/// How espeak-ng speaks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program, as a path or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// The voice in espeak-ng's words: `de`, `en-gb`, `en-us+f3`.
    pub voice: String,
    /// How fast it speaks; 1.0 is its normal speed. Kept between 0.5 and 2.0.
    pub speed: f32,
    /// The most programs that run at once, each for one utterance until it is heard.
    pub at_once: usize,
    /// How long the program may keep silent.
    pub patience: Duration,
}

impl Settings {
    /// The usual voice of a language.
    pub fn of(language: &Language) -> Self {
        let tag = language.tag().to_ascii_lowercase();
        // Where the program's word is not the tag.
        let voice = match tag.as_str() {
            "en" => "en-us".to_owned(),
            "zh" => "cmn".to_owned(),
            "no" => "nb".to_owned(),
            _ => tag,
        };
        Self {
            program: PathBuf::from("espeak-ng"),
            voice,
            speed: 1.0,
            at_once: 64,
            patience: Duration::from_secs(5),
        }
    }
}

/// The voice.
#[derive(Clone)]
pub struct Espeak {
    settings: Arc<Settings>,
    places: Arc<Semaphore>,
}

/// Words for a minute at normal speed.
const NORMAL_SPEED: f32 = 175.0;
/// The longest text for one program, in octets: less than a pipe holds, so that the text is
/// handed over at once.
const LONGEST: usize = 4_000;
/// How much is read at once: some 90 ms.
const CHUNK: usize = 4_096;

impl Espeak {
    /// Finds the program.
    pub fn find(settings: Settings) -> Result<Self, ProviderError> {
        let program = program(&settings.program, &settings.voice)?;
        let places = Arc::new(Semaphore::new(settings.at_once));
        Ok(Self { settings: Arc::new(Settings { program, ..settings }), places })
    }

    /// Starts a program that speaks `text`.
    async fn start(&self, text: &str) -> Result<Running, ProviderError> {
        let patience = self.settings.patience;
        let place = timeout(patience, self.places.clone().acquire_owned());
        let place = place.await.map_err(|_| passing("too much to say at once"))?;
        let place = place.expect("the semaphore is never closed");
        let beginning = timeout(patience, self.spawn(text)).await;
        let (child, output, rate) = beginning
            .map_err(|_| passing("keeps silent"))?
            .map_err(|why| passing(format!("voice {}: {why}", self.settings.voice)))?;
        Ok(Running { _child: child, output, rate, odd: None, patience, _place: place })
    }

    async fn spawn(&self, text: &str) -> io::Result<(Child, ChildStdout, Rate)> {
        let settings = &self.settings;
        let speed = (NORMAL_SPEED * settings.speed.clamp(0.5, 2.0)).round();
        let mut child = Command::new(&settings.program)
            // The program has no need of our secrets. `-b 1`: the text is UTF-8.
            .env_clear()
            .args(["-v", &settings.voice, "-s", &speed.to_string(), "-b", "1"])
            .args(["--stdin", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take().expect("the standard input is piped");
        let mut output = child.stdout.take().expect("the standard output is piped");
        input.write_all(text.as_bytes()).await?;
        drop(input);
        let rate = header(&mut output).await?;
        Ok((child, output, rate))
    }
}

impl Voice for Espeak {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async move {
            let mut speech = self.speak("1");
            while let Some(frame) = speech.next().await {
                frame?;
            }
            Ok(())
        }
        .boxed()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        // Two brackets would begin phonemes in the program's own writing.
        let text = plain::printable(text).replace("[[", "[ [");
        let pieces = plain::pieces(&text, LONGEST).into();
        let speech = Speech { voice: self.clone(), pieces, running: None };
        stream::unfold(speech, Speech::next).boxed()
    }

    fn identity(&self) -> String {
        format!("espeak/{}/{:.2}", self.settings.voice, self.settings.speed)
    }
}

/// A text on its way to speech.
struct Speech {
    voice: Espeak,
    pieces: VecDeque<String>,
    running: Option<Running>,
}

impl Speech {
    async fn next(mut self) -> Option<(Result<Frame, ProviderError>, Self)> {
        loop {
            let spoken = match &mut self.running {
                Some(running) => running.read().await,
                None => {
                    let piece = self.pieces.pop_front()?;
                    match self.voice.start(&piece).await {
                        Ok(running) => {
                            self.running = Some(running);
                            continue;
                        }
                        Err(why) => Err(why),
                    }
                }
            };
            match spoken {
                Ok(Some(frame)) => return Some((Ok(frame), self)),
                Ok(None) => self.running = None,
                Err(why) => {
                    (self.running, self.pieces) = (None, VecDeque::new());
                    return Some((Err(why), self));
                }
            }
        }
    }
}

/// A program at work. Dropping it ends the program.
struct Running {
    _child: Child,
    output: ChildStdout,
    rate: Rate,
    /// The first half of a sample whose second half has not come.
    odd: Option<u8>,
    patience: Duration,
    _place: OwnedSemaphorePermit,
}

impl Running {
    /// Reads what is there; `None` at the end.
    async fn read(&mut self) -> Result<Option<Frame>, ProviderError> {
        loop {
            let mut octets = [0; CHUNK];
            let count = timeout(self.patience, self.output.read(&mut octets))
                .await
                .map_err(|_| passing("keeps silent"))?
                .map_err(|why| passing(why.to_string()))?;
            if count == 0 {
                return Ok(None);
            }
            let samples = self.samples(&octets[..count]);
            if !samples.is_empty() {
                return Ok(Some(Frame::new(self.rate, samples)));
            }
        }
    }

    fn samples(&mut self, octets: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(octets.len() / 2 + 1);
        for octet in octets {
            match self.odd.take() {
                None => self.odd = Some(*octet),
                Some(low) => samples.push(i16::from_le_bytes([low, *octet])),
            }
        }
        samples
    }
}

/// Reads the header of a WAV stream up to its samples, which go on to the end of the stream: the
/// lengths in the header are made up, since the program did not know them. Gives the rate.
async fn header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Rate> {
    let no_wav = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut riff = [0; 12];
    stream.read_exact(&mut riff).await?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(no_wav("what it gives is no WAV stream"));
    }
    let mut rate = None;
    loop {
        let mut chunk = [0; 8];
        stream.read_exact(&mut chunk).await?;
        let [kind @ .., a, b, c, d] = chunk;
        let length = u32::from_le_bytes([a, b, c, d]);
        if &kind == b"data" {
            return rate.ok_or_else(|| no_wav("it does not say its rate"));
        }
        let mut body = vec![0; LARGEST_CHUNK.min(length as usize)];
        if length as usize > body.len() {
            return Err(no_wav("its header does not end"));
        }
        stream.read_exact(&mut body).await?;
        if &kind == b"fmt "
            && let [pcm, 0, channels, 0, r0, r1, r2, r3, .., bits, 0] = body[..body.len().min(16)]
        {
            let hertz = u32::from_le_bytes([r0, r1, r2, r3]);
            let fits = (pcm, channels, bits) == (1, 1, 16) && (4_000..=192_000).contains(&hertz);
            rate = fits.then_some(Rate(hertz));
        }
    }
}

/// The largest chunk that stands before the samples.
const LARGEST_CHUNK: usize = 4_096;

/// Finds the program, for a voice whose name is one.
///
/// # Errors
/// When the program is missing, or the name would be something else than a voice.
pub(super) fn program(program: &Path, voice: &str) -> Result<PathBuf, ProviderError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-+_".contains(c);
    if voice.is_empty() || voice.starts_with(['-', '+']) || !voice.chars().all(fits) {
        return Err(lasting(format!("\"{voice}\" is no name of a voice")));
    }
    find(program).ok_or_else(|| {
        let program = program.display();
        lasting(format!("the program {program} is missing; on Debian: apt install espeak-ng"))
    })
}

/// Looks a program up as a shell would.
fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn lasting(reason: impl Into<String>) -> ProviderError {
    ProviderError::lasting("espeak", reason)
}

fn passing(reason: impl Into<String>) -> ProviderError {
    ProviderError::passing("espeak", reason)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn settings(language: &str) -> Settings {
        Settings::of(&language.parse().expect("it is a language"))
    }

    fn espeak(language: &str) -> Espeak {
        Espeak::find(settings(language)).expect("espeak-ng is missing: run ./dev setup")
    }

    async fn spoken(voice: &Espeak, text: &str) -> Result<Vec<Frame>, ProviderError> {
        let mut speech = voice.speak(text);
        let mut frames = Vec::new();
        while let Some(frame) = speech.next().await {
            frames.push(frame?);
        }
        Ok(frames)
    }

    fn length(frames: &[Frame]) -> usize {
        frames.iter().map(|frame| frame.samples.len()).sum()
    }

    /// A program of our own in the place of espeak-ng.
    fn program(name: &str, script: &str) -> PathBuf {
        let name = format!("voxtrunk-espeak-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "#!/bin/sh\n{script}\n").unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn languages_speak_at_their_rate() {
        for (language, text) in [("de", "Guten Morgen, schöne Grüße!"), ("en-GB", "Good morning")]
        {
            let frames = spoken(&espeak(language), text).await.unwrap();
            assert!(frames.iter().all(|frame| frame.rate == Rate(22_050)));
            assert!(length(&frames) > 11_025, "{language}");
            assert!(frames.iter().flat_map(|frame| &frame.samples).any(|s| s.abs() > 2_000));
        }
    }

    #[tokio::test]
    async fn letters_beyond_ascii_are_spoken_as_such() {
        let voice = espeak("de");
        let (with, without) = (spoken(&voice, "Grüße").await, spoken(&voice, "Gre").await);
        assert!(length(&with.unwrap()) > length(&without.unwrap()));
    }

    #[tokio::test]
    async fn speed_makes_speech_shorter() {
        let fast = Espeak::find(Settings { speed: 2.0, ..settings("en") }).unwrap();
        let text = "The quick brown fox jumps over the lazy dog.";
        let (slow, fast) = (spoken(&espeak("en"), text).await, spoken(&fast, text).await);
        assert!(length(&fast.unwrap()) * 3 < length(&slow.unwrap()) * 2);
    }

    #[tokio::test]
    async fn odd_texts_do_no_harm() {
        let voice = espeak("en");
        for silent in ["", " ", "...", "\0", "?!"] {
            assert!(spoken(&voice, silent).await.unwrap().is_empty(), "{silent:?}");
        }
        let long = "word ".repeat(1_000);
        for text in ["-f /etc/passwd", "a\0b", "<speak>hi</speak>", "[[h@l'oU]]", "北京", &long] {
            assert!(!spoken(&voice, text).await.unwrap().is_empty(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_voice_that_does_not_exist_fails_and_the_stream_ends() {
        let voice = Espeak::find(Settings { voice: "xx-none".to_owned(), ..settings("en") });
        let mut speech = voice.unwrap().speak("Hello. ");
        assert!(speech.next().await.is_some_and(|frame| frame.is_err()));
        assert!(speech.next().await.is_none());
    }

    #[test]
    fn a_missing_program_names_the_package_and_an_option_is_no_voice() {
        let program = PathBuf::from("espeak-nothing");
        let why = Espeak::find(Settings { program, ..settings("en") }).err().unwrap();
        assert!(why.reason.contains("apt install espeak-ng"), "{why}");
        for voice in ["-f", "", "a b", "../x"] {
            let voice = voice.to_owned();
            assert!(Espeak::find(Settings { voice, ..settings("en") }).is_err());
        }
    }

    #[tokio::test]
    async fn a_program_that_keeps_silent_is_given_up() {
        let path = program("silent", "exec sleep 100");
        let patience = Duration::from_millis(50);
        let settings = Settings { program: path.clone(), patience, ..settings("en") };
        let why = spoken(&Espeak::find(settings).unwrap(), "Hello").await.unwrap_err();
        std::fs::remove_file(path).unwrap();
        assert!(why.reason.contains("silent"), "{why}");
    }

    #[tokio::test]
    async fn a_dropped_stream_makes_place_for_the_next() {
        let voice = Espeak::find(Settings { at_once: 1, ..settings("en") }).unwrap();
        let mut long = voice.speak(&"This sentence is spoken again and again. ".repeat(90));
        assert!(long.next().await.is_some());
        assert_eq!(voice.places.available_permits(), 0);
        drop(long);
        assert!(!spoken(&voice, "Hello").await.unwrap().is_empty());
        assert_eq!(voice.places.available_permits(), 1);
    }

    #[tokio::test]
    async fn many_at_once_each_say_their_own() {
        let voice = espeak("en");
        let texts = ["One.", "Twenty two.", "Three hundred and thirty three.", "Goodbye."];
        let mut alone = Vec::new();
        for text in texts {
            alone.push(length(&spoken(&voice, text).await.unwrap()));
        }
        let all = futures_util::future::join_all(texts.map(|text| spoken(&voice, text))).await;
        let all: Vec<_> = all.into_iter().map(|frames| length(&frames.unwrap())).collect();
        assert_eq!(all, alone);
    }

    #[tokio::test]
    async fn a_header_is_read_whatever_its_lengths_say() {
        let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend(22_050_u32.to_le_bytes());
        wav.extend(44_100_u32.to_le_bytes());
        wav.extend(b"\x02\0\x10\0data\0\xf0\xff\x7f");
        assert_eq!(header(&mut &wav[..]).await.unwrap(), Rate(22_050));
        for end in 0..wav.len() {
            assert!(header(&mut &wav[..end]).await.is_err());
        }
        wav[22] = 2;
        assert!(header(&mut &wav[..]).await.is_err(), "stereo");
    }
}
