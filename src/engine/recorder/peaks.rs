//! The outline of a recording, for whoever draws it: the lowest and the highest sample of each side
//! at so many points. Read from the beginning to the end, with little of it in memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::audio::codec::Codec;
use crate::audio::coder::Decoder;
use crate::audio::library::Libraries;
use crate::audio::ogg::{self, Packets};
use crate::audio::wav;

/// An outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peaks {
    /// The samples a second of each side.
    pub rate: u32,
    /// How many sides there are, the caller first.
    pub channels: u16,
    /// How many samples of each side a point stands for.
    pub per_point: u64,
    /// Of each point the lowest and the highest sample of each side, of 256 steps.
    pub data: Vec<i8>,
}

/// Why there is no outline.
#[derive(Debug, thiserror::Error)]
pub enum NoPeaks {
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// It is not what a recording of ours looks like.
    #[error("it is no recording of ours: {0}")]
    Strange(&'static str),
    /// Nobody wants it any more.
    #[error("nobody waits for it")]
    Unwanted,
}

/// Draws a file that is WAV or Opus in Ogg as we write it, at no more than so many points; asks
/// again and again whether it is still `wanted`.
///
/// # Errors
/// When it cannot be read, is no recording of ours, or is not wanted any more.
pub fn draw(
    file: File,
    (is_wav, points): (bool, u32),
    libraries: &Libraries,
    wanted: impl Fn() -> bool,
) -> Result<Peaks, NoPeaks> {
    if is_wav { of_wav(file, points, wanted) } else { of_opus(file, points, libraries, wanted) }
}

/// What was drawn so far.
#[derive(Debug)]
struct Pencil {
    peaks: Peaks,
    /// How many samples of each side are still missing at this point.
    missing: u64,
    /// The lowest and the highest of each side at this point.
    extremes: [(i16, i16); 2],
}

impl Pencil {
    fn new((rate, channels): (u32, u16), length: u64, points: u32) -> Self {
        let per_point = length.div_ceil(u64::from(points.max(1))).max(1);
        let peaks = Peaks { rate, channels, per_point, data: Vec::new() };
        Self { peaks, missing: per_point, extremes: NOTHING }
    }

    /// Takes samples of one side, or of two in turn.
    fn take(&mut self, samples: &[i16]) {
        match self.peaks.channels {
            1 => self.take_all(samples.as_chunks::<1>().0),
            _ => self.take_all(samples.as_chunks::<2>().0),
        }
    }

    fn take_all<const N: usize>(&mut self, mut frames: &[[i16; N]]) {
        while !frames.is_empty() {
            let count = usize::try_from(self.missing).unwrap_or(usize::MAX).min(frames.len());
            let (now, later) = frames.split_at(count);
            let mut all = [(i16::MAX, i16::MIN); N];
            for frame in now {
                for ((low, high), sample) in all.iter_mut().zip(frame) {
                    (*low, *high) = ((*low).min(*sample), (*high).max(*sample));
                }
            }
            for (own, new) in self.extremes.iter_mut().zip(all) {
                *own = (own.0.min(new.0), own.1.max(new.1));
            }
            self.missing -= count as u64;
            if self.missing == 0 {
                self.point();
            }
            frames = later;
        }
    }

    /// Goes on to the next point.
    fn point(&mut self) {
        for (low, high) in self.extremes.iter().take(self.peaks.channels.into()) {
            // The upper half of a sample of 16 bits fits.
            self.peaks.data.extend([(low >> 8) as i8, (high >> 8) as i8]);
        }
        (self.missing, self.extremes) = (self.peaks.per_point, NOTHING);
    }

    fn end(mut self) -> Peaks {
        if self.missing < self.peaks.per_point {
            self.point();
        }
        self.peaks
    }
}

/// As `wav::header` begins it. What the header says of the length holds as far as there is so much.
fn of_wav(mut file: File, points: u32, wanted: impl Fn() -> bool) -> Result<Peaks, NoPeaks> {
    let mut head = [0; wav::HEADER];
    file.read_exact(&mut head)?;
    let format = wav::read_header(&head).ok_or(NoPeaks::Strange("its header is another"))?;
    let there = file.metadata()?.len().saturating_sub(wav::HEADER as u64);
    let octets = there.min(format.octets.into());
    let frame = u64::from(format.channels) * 2;
    let mut pencil = Pencil::new((format.rate.0, format.channels), octets / frame, points);
    let mut source = file.take(octets - octets % frame);
    let (mut part, mut samples) = (Vec::with_capacity(AT_ONCE), Vec::new());
    loop {
        if !wanted() {
            return Err(NoPeaks::Unwanted);
        }
        part.clear();
        // A whole number of frames, but at the end of a file that was cut off meanwhile.
        if source.by_ref().take(AT_ONCE as u64).read_to_end(&mut part)? == 0 {
            return Ok(pencil.end());
        }
        samples.clear();
        samples.extend(part.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
        pencil.take(&samples);
    }
}

/// Two voices, joined as `ogg::join` does.
fn of_opus(
    mut file: File,
    points: u32,
    libraries: &Libraries,
    wanted: impl Fn() -> bool,
) -> Result<Peaks, NoPeaks> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST)))?;
    let mut end = Vec::new();
    file.by_ref().take(LAST).read_to_end(&mut end)?;
    file.seek(SeekFrom::Start(0))?;
    let mut packets = Packets::new(BufReader::with_capacity(AT_ONCE, file));
    let head = packets.packet()?.as_deref().and_then(ogg::read_opus_head);
    let Some((skip, 2)) = head else { return Err(NoPeaks::Strange("it has no two voices")) };
    // The tags.
    packets.packet()?;
    let rate = Codec::Opus.rate().0;
    let scale = u64::from(48_000 / rate.max(1));
    let last = ogg::last_position(&end).unwrap_or_default();
    let mut left = last.saturating_sub(skip.into()) / scale;
    let mut pencil = Pencil::new((rate, 2), left, points);
    let mut skipped = usize::from(skip) / usize::try_from(scale).unwrap_or(1);
    let mut decoders = [(); 2].map(|()| Decoder::new(Codec::Opus, libraries));
    let [mut caller, mut other, mut both] = [const { Vec::new() }; 3];
    while left > 0
        && let Some(packet) = packets.packet()?
    {
        if !wanted() {
            return Err(NoPeaks::Unwanted);
        }
        let (one, two) = ogg::split(&packet).ok_or(NoPeaks::Strange("a packet is another"))?;
        let [decoder, decoder_of_other] = &mut decoders;
        [&mut caller, &mut other, &mut both].into_iter().for_each(Vec::clear);
        decoder.decode(&one, &mut caller);
        decoder_of_other.decode(two, &mut other);
        both.extend(caller.iter().zip(&other).flat_map(|(one, two)| [*one, *two]));
        let gone = skipped.min(both.len() / 2);
        skipped -= gone;
        let rest = both.get(gone * 2..).unwrap_or_default();
        let count = rest.len().min(usize::try_from(left.saturating_mul(2)).unwrap_or(usize::MAX));
        pencil.take(rest.get(..count).unwrap_or_default());
        left -= (count / 2) as u64;
    }
    Ok(pencil.end())
}

/// Before any sample.
const NOTHING: [(i16, i16); 2] = [(i16::MAX, i16::MIN); 2];

/// How much is read at once, in octets: frames of one and of two sides are whole in it.
const AT_ONCE: usize = 256 * 1_024;

/// Where the last whole page of Ogg is at least: two of the longest.
const LAST: u64 = 2 * 65_307;

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use crate::audio::frame::Rate;
    use crate::audio::tone::Tone;
    use crate::engine::recorder::container::{Container, Format, Voices};
    use crate::providers::opus::Opus;

    fn libraries() -> Libraries {
        Libraries::new(vec![Arc::new(Opus)])
    }

    struct Written(PathBuf);

    impl Drop for Written {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    impl Written {
        fn new(name: &str, octets: &[u8]) -> Self {
            let name = format!("voxtrunk-peaks-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let mut file = File::create(&path).expect("a file");
            file.write_all(octets).expect("it is written");
            Self(path)
        }

        fn drawn(&self, is_wav: bool, points: u32) -> Result<Peaks, NoPeaks> {
            let file = File::open(&self.0).expect("a file");
            draw(file, (is_wav, points), &libraries(), || true)
        }
    }

    /// Two seconds: the caller speaks in the first one, the other side in the second.
    fn recorded(format: Format, rate: Rate) -> Vec<u8> {
        let libraries = libraries();
        let mut container = Container::new(format, (rate, Voices::Both), (&libraries, 7));
        let sound = Tone::dual(rate, [440.0, 440.0]).at(0.5).play(Duration::from_secs(1));
        let silence = vec![0; sound.len()];
        container.add(&sound, &silence);
        container.add(&silence, &sound);
        [container.take(), container.finish()].concat()
    }

    #[test]
    fn both_sides_are_drawn_where_they_speak() {
        for (format, is_wav, rate) in
            [(Format::Wav, true, 8_000), (Format::Wav, true, 16_000), (Format::Opus, false, 16_000)]
        {
            let written = Written::new(&format!("{format:?}{rate}"), &recorded(format, Rate(rate)));
            let peaks = written.drawn(is_wav, 20).expect("an outline");
            assert_eq!((peaks.rate, peaks.channels), (rate, 2));
            assert_eq!((peaks.per_point, peaks.data.len()), (u64::from(rate) / 10, 20 * 4));
            let loud = |low: i8, high: i8| low < -40 && high > 40;
            let quiet = |low: i8, high: i8| low >= -4 && high <= 4;
            for (at, point) in peaks.data.as_chunks::<4>().0.iter().enumerate() {
                let [caller_low, caller_high, low, high] = *point;
                // Encoders blur the edge.
                match at {
                    1..9 => assert!(loud(caller_low, caller_high) && quiet(low, high), "{peaks:?}"),
                    11..19 => {
                        assert!(quiet(caller_low, caller_high) && loud(low, high), "{peaks:?}");
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn no_more_points_are_drawn_than_there_are_samples() {
        let head = wav::header(2, Rate(8_000), wav::ENDLESS);
        let samples: Vec<u8> = [256_i16, -256, 512, -512, 32_767, -32_768]
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        // The last one was cut off.
        let written = Written::new("few", &[&head[..], &samples, &[1, 2, 3]].concat());
        let peaks = written.drawn(true, 1_000).expect("an outline");
        assert_eq!(peaks.per_point, 1);
        assert_eq!(peaks.data, [1, 1, -1, -1, 2, 2, -2, -2, 127, 127, -128, -128]);
        let two = written.drawn(true, 2).expect("an outline");
        assert_eq!((two.per_point, two.data), (2, vec![1, 2, -2, -1, 127, 127, -128, -128]));
        let none = Written::new("none", &head).drawn(true, 10).expect("an outline");
        assert_eq!(none.data, Vec::<i8>::new());
    }

    #[test]
    fn what_is_no_recording_of_ours_is_said_to_be_none() {
        let other = Written::new("other", &[7; 100]);
        assert!(matches!(other.drawn(true, 10), Err(NoPeaks::Strange(_))));
        assert!(matches!(other.drawn(false, 10), Err(NoPeaks::Strange(_))));
        assert!(matches!(Written::new("short", b"RIFF").drawn(true, 10), Err(NoPeaks::Disk(_))));
        let whole = Written::new("unwanted", &recorded(Format::Wav, Rate(8_000)));
        let open = File::open(&whole.0).expect("a file");
        assert!(matches!(draw(open, (true, 9), &libraries(), || false), Err(NoPeaks::Unwanted)));
    }
}
