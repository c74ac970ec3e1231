//! Sound files: WAV, FLAC, Ogg Vorbis and MP3, read to one voice at the rates that are wanted. A file
//! is read piece by piece: however large it is, no more of it is in memory than what is asked for.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::default;

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Unplayable {
    /// The disk does not give it.
    #[error("{0}")]
    File(#[from] io::Error),
    /// It is of another kind, or its beginning is broken.
    #[error("no WAV, FLAC, Ogg Vorbis or MP3{0}")]
    Unknown(String),
    /// There is nothing in it.
    #[error("it holds no sound")]
    Empty,
    /// What is in it does not decode.
    #[error("it is broken: {broken} of its {packets} packets do not decode ({why})")]
    Broken {
        /// How many do not.
        broken: usize,
        /// How many there are.
        packets: usize,
        /// What is wrong with the first of them.
        why: String,
    },
    /// It begins at one rate and goes on at another.
    #[error("it changes its rate from {0} to {1} samples a second")]
    Changes(u32, u32),
    /// Nothing that is played has such a rate.
    #[error("it has {0} samples a second; 4000 to 192000 can be played")]
    Rate(u32),
    /// It would fill the memory.
    #[error("it lasts longer than {} minutes", LONGEST.as_secs() / 60)]
    TooLong,
}

/// Reads a file, its channels mixed into one; gives it at each of the rates.
///
/// # Errors
/// When it is no sound, broken for the greater part, or longer than half an hour.
pub fn read(path: &Path, rates: &[Rate]) -> Result<Vec<Frame>, Unplayable> {
    let mut reader = Reader::open(path)?;
    let mut sides: Vec<Side> = Vec::new();
    while let Some(rate) = reader.next()? {
        if sides.is_empty() {
            sides = rates.iter().map(|to| Side::new(rate, *to)).collect();
        }
        sides.iter_mut().for_each(|side| side.push(&reader.voice));
    }
    match sides.iter().any(|side| !side.samples.is_empty()) {
        true => Ok(sides.into_iter().map(Side::finish).collect()),
        false => Err(Unplayable::Empty),
    }
}

/// Looks whether a file can be played: at what it says of itself, and at its first second. Of a
/// file that does not say how long it is, all is read.
///
/// # Errors
/// As [`read`].
pub fn look(path: &Path) -> Result<(), Unplayable> {
    let mut reader = Reader::open(path)?;
    let enough = if reader.knows_length { FIRST } else { LONGEST };
    while reader.next()?.is_some() {
        if reader.lasts() >= enough {
            return Ok(());
        }
    }
    if reader.samples == 0 { Err(Unplayable::Empty) } else { Ok(()) }
}

/// A file that is being read.
struct Reader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Whether the file says how long it is.
    knows_length: bool,
    rate: Option<u32>,
    /// Samples of each channel so far.
    samples: u64,
    packets: usize,
    broken: usize,
    why: String,
    /// Room for the channels of a packet.
    channels: Vec<Vec<f32>>,
    /// The packet that was read last, as one voice.
    voice: Vec<i16>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Unplayable> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let unknown = |why: Error| match why {
            // Files that are too short end in the middle of their heads.
            Error::IoError(why) if why.kind() != io::ErrorKind::UnexpectedEof => why.into(),
            Error::Unsupported(_) => Unplayable::Unknown(String::new()),
            why => Unplayable::Unknown(format!(" ({why})")),
        };
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let (probe, hint) = (default::get_probe(), Hint::new());
        let format = probe.probe(&hint, stream, Default::default(), Default::default());
        let format = format.map_err(unknown)?;
        let track = format.default_track(TrackType::Audio).ok_or(Unplayable::Empty)?;
        let known = lasts(track);
        if known.is_some_and(|lasts| lasts > LONGEST) {
            return Err(Unplayable::TooLong);
        }
        let parameters = track.codec_params.as_ref().and_then(|it| it.audio());
        let parameters = parameters.ok_or(Unplayable::Empty)?;
        let options = AudioDecoderOptions::default();
        let decoder = default::get_codecs().make_audio_decoder(parameters, &options);
        let (decoder, track) = (decoder.map_err(unknown)?, track.id);
        Ok(Self {
            format,
            decoder,
            track,
            knows_length: known.is_some(),
            rate: None,
            samples: 0,
            packets: 0,
            broken: 0,
            why: String::new(),
            channels: Vec::new(),
            voice: Vec::new(),
        })
    }

    /// Reads what comes next into `voice` and gives its rate; nothing at the end.
    fn next(&mut self) -> Result<Option<Rate>, Unplayable> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) | Err(Error::ResetRequired) => return self.end(),
                // A file that was cut off is played as far as it goes.
                Err(Error::IoError(why)) if why.kind() == io::ErrorKind::UnexpectedEof => {
                    return self.end();
                }
                Err(Error::IoError(why)) => return Err(why.into()),
                Err(why) => {
                    self.miss(&why);
                    return self.end();
                }
            };
            if packet.track_id != self.track {
                continue;
            }
            self.packets += 1;
            match self.decoder.decode(&packet) {
                Ok(buffer) => {
                    buffer.copy_to_vecs_planar(&mut self.channels);
                    let rate = buffer.spec().rate();
                    return self.take(rate).map(Some);
                }
                Err(why) => self.miss(&why),
            }
        }
    }

    /// Mixes the channels into one.
    fn take(&mut self, rate: u32) -> Result<Rate, Unplayable> {
        if !(4_000..=192_000).contains(&rate) {
            return Err(Unplayable::Rate(rate));
        }
        if let Some(before) = self.rate.replace(rate).filter(|before| *before != rate) {
            return Err(Unplayable::Changes(before, rate));
        }
        let share = 32_767.0 / self.channels.len().max(1) as f32;
        let length = self.channels.iter().map(Vec::len).min().unwrap_or(0);
        let sum = |at: usize| self.channels.iter().filter_map(|it| it.get(at)).sum::<f32>();
        self.voice.clear();
        self.voice.extend((0..length).map(|at| (sum(at) * share).round() as i16));
        self.samples += length as u64;
        match self.lasts() > LONGEST {
            true => Err(Unplayable::TooLong),
            false => Ok(Rate(rate)),
        }
    }

    fn miss(&mut self, why: &Error) {
        if self.broken == 0 {
            self.why = why.to_string();
        }
        self.broken += 1;
    }

    /// A scratch is borne; a file that is scratched all over is not.
    fn end(&self) -> Result<Option<Rate>, Unplayable> {
        if self.broken * 10 <= self.packets && (self.broken == 0 || self.samples > 0) {
            return Ok(None);
        }
        let (broken, packets) = (self.broken, self.packets.max(self.broken));
        Err(Unplayable::Broken { broken, packets, why: self.why.clone() })
    }

    fn lasts(&self) -> Duration {
        let rate = u64::from(self.rate.unwrap_or(1).max(1));
        Duration::from_micros(self.samples.saturating_mul(1_000_000) / rate)
    }
}

/// One rate at which a file is wanted.
struct Side {
    rate: Rate,
    resampler: Resampler,
    samples: Vec<i16>,
}

impl Side {
    fn new(from: Rate, to: Rate) -> Self {
        Self { rate: to, resampler: Resampler::new(from, to), samples: Vec::new() }
    }

    fn push(&mut self, samples: &[i16]) {
        self.resampler.push(samples, &mut self.samples);
    }

    fn finish(mut self) -> Frame {
        let delay = self.resampler.delay();
        self.resampler.finish(&mut self.samples);
        self.samples.drain(..delay.min(self.samples.len()));
        Frame::new(self.rate, self.samples)
    }
}

/// How long a file says that it lasts.
fn lasts(track: &Track) -> Option<Duration> {
    let time = track.time_base?.calc_duration_saturating(track.duration?);
    Some(Duration::from_secs(u64::try_from(time.as_secs()).ok()?))
}

/// What lasts longer would fill the memory: half an hour is 90 MB at two rates.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// So much of a file is looked at beforehand.
const FIRST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;
    use crate::audio::wav;
    use std::path::PathBuf;
    use std::process::Command;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("voxtrunk-sound-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        /// Two seconds of 440 Hz, made by sox.
        fn made(&self, name: &str, arguments: &[&str]) -> PathBuf {
            let path = self.0.join(name);
            let mut sox = Command::new("sox");
            sox.args(["-n"]).args(arguments).arg(&path);
            let done = sox.args(["synth", "2", "sine", "440", "vol", "0.5"]).output();
            let done = done.expect("sox: run ./dev setup");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            path
        }

        fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    /// How often a wave begins in a second, and how loud it is.
    fn tune(clip: &Frame) -> (usize, f64) {
        let rate = clip.rate.0 as usize;
        let middle = &clip.samples[rate / 2..rate / 2 + rate];
        let waves = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        let power: f64 = middle.iter().map(|it| f64::from(*it).powi(2)).sum();
        (waves, (power / middle.len() as f64 * 2.0).sqrt())
    }

    #[test]
    fn every_kind_of_file_gives_the_same_tune_at_every_rate() {
        let folder = Folder::new("kinds");
        let files = [
            folder.made("a.flac", &["-r", "44100", "-c", "2"]),
            folder.made("a.ogg", &["-r", "48000", "-c", "2"]),
            folder.made("a.mp3", &["-r", "44100", "-c", "2"]),
            folder.made("b.mp3", &["-r", "22050", "-c", "1"]),
            folder.made("a.wav", &["-r", "11025", "-c", "2"]),
            folder.made("b.wav", &["-r", "96000", "-b", "24"]),
            folder.made("c.wav", &["-r", "8000", "-e", "a-law"]),
            folder.made("d.wav", &["-r", "32000", "-e", "floating-point"]),
        ];
        for path in files {
            look(&path).unwrap();
            for clip in read(&path, &[Rate::NARROW, Rate::WIDE]).unwrap() {
                let (waves, peak) = tune(&clip);
                let place = format!("{} at {}", path.display(), clip.rate.0);
                assert!((439..=441).contains(&waves), "{place}: {waves} waves");
                assert!((15_400.0..=17_300.0).contains(&peak), "{place}: {peak}");
                let millis = clip.duration().as_millis();
                // MP3 from an encoder that says nothing of its padding has a little more.
                assert!((1_990..=2_110).contains(&millis), "{place}: {millis} ms");
            }
        }
    }

    #[test]
    fn what_is_no_sound_says_so() {
        let folder = Folder::new("none");
        let why = |path: &Path| {
            let (looked, read) = (look(path).unwrap_err(), read(path, &[Rate::WIDE]).unwrap_err());
            assert_eq!(looked.to_string(), read.to_string());
            read.to_string()
        };
        let text = folder.put("text.mp3", "this is no music at all\n".repeat(5_000).as_bytes());
        assert!(why(&text).contains("no WAV, FLAC, Ogg Vorbis or MP3"), "{}", why(&text));
        let empty = folder.put("empty.wav", b"");
        assert!(why(&empty).contains("no WAV, FLAC, Ogg Vorbis or MP3"), "{}", why(&empty));
        let silent = folder.put("none.wav", &wav::write(&Frame::new(Rate::WIDE, Vec::new())));
        assert_eq!(why(&silent), "it holds no sound");
        assert!(why(&folder.0.join("nowhere.ogg")).contains("No such file"));
        assert!(why(&folder.0).contains("directory"));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_by_what_it_says_of_itself() {
        let folder = Folder::new("long");
        // Half an hour and a minute of silence: nothing of it is in memory.
        let path = folder.0.join("long.flac");
        let mut sox = Command::new("sox");
        sox.args(["-n", "-r", "8000"]).arg(&path).args(["trim", "0", "1860"]);
        assert!(sox.status().expect("sox: run ./dev setup").success());
        assert!(matches!(look(&path), Err(Unplayable::TooLong)));
        assert!(matches!(read(&path, &[Rate::NARROW]), Err(Unplayable::TooLong)));
    }

    #[test]
    fn a_scratch_is_borne_and_a_broken_file_is_not() {
        let folder = Folder::new("broken");
        // Of an Ogg file so short that half of it is no page, nothing is left.
        let cut = folder.made("short.ogg", &["-r", "44100"]);
        let whole = std::fs::read(cut).unwrap();
        let cut = folder.put("cut-short.ogg", &whole[..whole.len() / 2]);
        let why = look(&cut).unwrap_err().to_string();
        assert!(why.contains("unexpected end of file"), "{why}");
        for name in ["a.flac", "a.mp3"] {
            let whole = std::fs::read(folder.made(name, &["-r", "44100"])).unwrap();
            // Cut off in the middle, it is played so far.
            let cut = folder.put(&format!("cut-{name}"), &whole[..whole.len() / 2]);
            let clip = read(&cut, &[Rate::NARROW]).unwrap().remove(0);
            let millis = clip.duration().as_millis();
            assert!((600..1_500).contains(&millis), "{name}: {millis} ms");
            // Trampled on from a tenth on, it is none.
            let mut broken = whole.clone();
            let from = whole.len() / 10;
            for (at, octet) in broken.iter_mut().enumerate().skip(from) {
                *octet ^= (at * 31 + 7) as u8;
            }
            let broken = folder.put(&format!("broken-{name}"), &broken);
            let heard = read(&broken, &[Rate::NARROW]);
            let lasts = heard.map(|mut it| it.remove(0).duration()).unwrap_or_default();
            assert!(lasts < Duration::from_millis(500), "{name}: {lasts:?} of noise");
        }
    }

    #[test]
    fn a_wav_from_a_pipe_is_read_to_its_end() {
        let folder = Folder::new("pipe");
        let samples = Tone::sine(Rate::NARROW, 440.0).at(0.5).play(Duration::from_secs(2));
        let mut bytes = wav::write(&Frame::new(Rate::NARROW, samples));
        for (at, says) in [(4, 0xffff_ffff_u32), (40, 0xffff_ffff)] {
            bytes[at..at + 4].copy_from_slice(&says.to_le_bytes());
        }
        let path = folder.put("pipe.wav", &bytes);
        look(&path).unwrap();
        let clip = read(&path, &[Rate::NARROW]).unwrap().remove(0);
        assert_eq!(clip.duration(), Duration::from_secs(2));
    }
}
