//! WAV files, as octets: prompts are read from them and recordings written to them.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::audio::frame::{Frame, Rate};

/// Why octets are not a WAV file that we can play.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWav {
    /// The container is broken or of another kind.
    #[error("not a WAV file: {0}")]
    Broken(String),
    /// The samples are of an unknown kind.
    #[error("a WAV file with {bits} bits of {format} for each sample; use 16 bits of PCM")]
    Format {
        /// Bits for each sample.
        bits: u16,
        /// Integers or floats.
        format: &'static str,
    },
    /// The rate is outside 4 to 192 kHz.
    #[error("a WAV file with {0} samples per second; use 8000 to 48000")]
    Rate(u32),
}

/// Reads a WAV file; its channels are mixed into one. A file that is shorter than it says, as a
/// program that writes into a pipe makes it, is read as far as it goes.
///
/// # Errors
/// When it is no WAV file, or one of samples that we do not know.
pub fn read(bytes: &[u8]) -> Result<Frame, NotWav> {
    let broken = |why: hound::Error| NotWav::Broken(why.to_string());
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(broken)?;
    let WavSpec { channels, sample_rate, bits_per_sample: bits, sample_format } = reader.spec();
    if !(4_000..=192_000).contains(&sample_rate) {
        return Err(NotWav::Rate(sample_rate));
    }
    let values: Vec<f32> = match (sample_format, bits) {
        (SampleFormat::Int, 8..=32) => {
            let scale = 32_768.0 / (1_u64 << (bits - 1)) as f32;
            reader.samples::<i32>().map_while(Result::ok).map(|it| it as f32 * scale).collect()
        }
        (SampleFormat::Float, 32) => {
            reader.samples::<f32>().map_while(Result::ok).map(|it| it * 32_768.0).collect()
        }
        (SampleFormat::Int, _) => return Err(NotWav::Format { bits, format: "PCM" }),
        (SampleFormat::Float, _) => return Err(NotWav::Format { bits, format: "floats" }),
    };
    let channels = usize::from(channels.max(1));
    let mixed = values.chunks_exact(channels).map(|it| it.iter().sum::<f32>() / channels as f32);
    Ok(Frame::new(Rate(sample_rate), mixed.map(|it| it.round() as i16).collect()))
}

/// Writes a mono WAV file of 16 bits.
pub fn write(frame: &Frame) -> Vec<u8> {
    encode(1, frame.rate, frame.samples.iter().copied())
}

/// Writes a stereo WAV file of 16 bits: one voice on each side, the shorter one filled with
/// silence. Both have the rate of the left one.
pub fn write_stereo(left: &Frame, right: &Frame) -> Vec<u8> {
    let length = left.samples.len().max(right.samples.len());
    let at = |frame: &Frame, index: usize| frame.samples.get(index).copied().unwrap_or(0);
    encode(2, left.rate, (0..length).flat_map(|index| [at(left, index), at(right, index)]))
}

/// The header of a stereo file of 16 bits that grows: so many octets of samples follow, or, with
/// [`ENDLESS`], as many as there are.
pub fn stereo_header(rate: Rate, octets: u32) -> [u8; HEADER] {
    header(2, rate, octets)
}

/// The same of a file with so many channels.
pub fn header(channels: u16, rate: Rate, octets: u32) -> [u8; HEADER] {
    let (mut header, frame) = ([0; HEADER], channels * 2);
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &octets.saturating_add(HEADER as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.0.to_le_bytes(),
        &rate.0.saturating_mul(frame.into()).to_le_bytes(),
        &frame.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &octets.to_le_bytes(),
    ];
    header.copy_from_slice(&fields.concat());
    header
}

/// What the header of a file of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How many channels there are: one or two.
    pub channels: u16,
    /// The samples a second of each.
    pub rate: Rate,
    /// How many octets of samples follow, or [`ENDLESS`].
    pub octets: u32,
}

/// Reads a header as [`header`] writes it; nothing when it is another.
pub fn read_header(head: &[u8; HEADER]) -> Option<Header> {
    let number = |at: usize| {
        let octets = head.get(at..).and_then(<[u8]>::first_chunk::<4>);
        u32::from_le_bytes(octets.copied().unwrap_or_default())
    };
    let (rate, octets) = (Rate(number(24)), number(40));
    let channels = (1..=2).find(|channels| *head == header(*channels, rate, octets))?;
    Some(Header { channels, rate, octets })
}

/// Lets the header of a file that could not say how long it is say so; whether it was one.
pub fn complete(head: &mut [u8; HEADER], octets: u32) -> bool {
    let rate = head.get(24..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    let rate = Rate(u32::from_le_bytes(rate));
    let grows = (1..=2).find(|channels| *head == header(*channels, rate, ENDLESS));
    if let Some(channels) = grows {
        *head = header(channels, rate, octets);
    }
    grows.is_some()
}

/// The octets of the header.
pub const HEADER: usize = 44;

/// What the header of a file says whose length is not known: no file is so long.
pub const ENDLESS: u32 = 0xffff_ff00;

fn encode(channels: u16, rate: Rate, samples: impl Iterator<Item = i16>) -> Vec<u8> {
    const TO_MEMORY: &str = "writing to memory does not fail";
    let spec = WavSpec {
        channels,
        sample_rate: rate.0,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).expect(TO_MEMORY);
    for sample in samples {
        writer.write_sample(sample).expect(TO_MEMORY);
    }
    writer.finalize().expect(TO_MEMORY);
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(samples: &[i16]) -> Frame {
        Frame::new(Rate::NARROW, samples.to_vec())
    }

    #[test]
    fn what_is_written_is_read_and_stereo_is_mixed() {
        let one = frame(&[100, -200, i16::MAX, i16::MIN]);
        assert_eq!(read(&write(&one)), Ok(one.clone()));
        let bytes = write_stereo(&one, &frame(&[300, 0]));
        assert_eq!(read(&bytes).map(|it| it.samples), Ok(vec![200, -100, 16_384, -16_384]));
    }

    #[test]
    fn a_header_is_that_of_other_writers() {
        let bytes = write_stereo(&frame(&[1, 2]), &frame(&[3, 4]));
        assert_eq!(bytes[..HEADER], stereo_header(Rate::NARROW, 8));
        let mut grows = stereo_header(Rate::NARROW, ENDLESS).to_vec();
        grows.extend_from_slice(&bytes[HEADER..]);
        assert_eq!(read(&grows), read(&bytes));
    }

    #[test]
    fn a_file_from_a_pipe_says_too_much_and_is_read_to_its_end() {
        let mut bytes = write(&frame(&[1, 2, 3]));
        let length = bytes.len();
        bytes[length - 10..length - 6].copy_from_slice(&0x7FFF_F000_u32.to_le_bytes());
        assert_eq!(read(&bytes), Ok(frame(&[1, 2, 3])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn broken_files_are_refused_in_peace(at in 0_usize..50, octet: u8, cut in 0_usize..50) {
            let mut bytes = write(&frame(&[1, 2, 3]));
            bytes[at] = octet;
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }
}
