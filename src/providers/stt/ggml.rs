//! Whether a file is a whisper model in the ggml format, whole and sound: seen before whisper.cpp
//! reads it, which trusts its numbers and would end the process over a broken one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAModel {
    /// It cannot be read, or ends too early.
    #[error("cannot be read to its end: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is not a whisper model in the ggml format")]
    Foreign,
    /// Its numbers make no sense.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
}

/// What the file begins with: "ggml", read as a number.
pub(super) const MAGIC: u32 = 0x6767_6d6c;

/// Signs that whisper.cpp looks up without asking whether they are there.
const NEEDED: [&str; 3] = [" ", " -", " '"];

/// Walks through the file: header, filters, vocabulary, tensors.
pub(super) fn check(path: &Path) -> Result<(), NotAModel> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut file = Reader { file: BufReader::new(file), length };
    if file.number()? != MAGIC {
        return Err(NotAModel::Foreign);
    }
    // Vocabulary, audio context, state, heads, layers, text context, state, heads, layers, mels,
    // type: the largest model has 51866, 1500, 1280, 20, 32, 448, 1280, 20, 32, 128.
    const LARGEST: [u32; 11] = [100_000, 1_500, 4_096, 64, 64, 4_096, 4_096, 64, 64, 256, 3_000];
    for (index, largest) in LARGEST.into_iter().enumerate() {
        let value = file.number()?;
        let least = u32::from(index < 10);
        if !(least..=largest).contains(&value) {
            return Err(NotAModel::Damaged("the header"));
        }
    }
    let (mels, width) = (file.number()?, file.number()?);
    if mels > 256 || width > 4_096 {
        return Err(NotAModel::Damaged("the filters"));
    }
    file.skip(u64::from(mels) * u64::from(width) * 4)?;
    let tokens = file.number()?;
    if tokens > 100_000 {
        return Err(NotAModel::Damaged("the vocabulary"));
    }
    let mut found = [false; NEEDED.len()];
    for _ in 0..tokens {
        let word = file.word()?;
        for (found, needed) in found.iter_mut().zip(NEEDED) {
            *found |= word == needed.as_bytes();
        }
    }
    if found.contains(&false) {
        return Err(NotAModel::Damaged("the vocabulary lacks the plainest signs"));
    }
    let mut tensors = 0;
    while !file.at_end()? {
        file.tensor()?;
        tensors += 1;
    }
    if tensors == 0 { Err(NotAModel::Damaged("it has no weights")) } else { Ok(()) }
}

struct Reader {
    file: BufReader<File>,
    length: u64,
}

impl Reader {
    fn number(&mut self) -> io::Result<u32> {
        let mut octets = [0; 4];
        self.file.read_exact(&mut octets)?;
        Ok(u32::from_le_bytes(octets))
    }

    /// Reads a word of the vocabulary; none is longer than a few dozen octets.
    fn word(&mut self) -> Result<Vec<u8>, NotAModel> {
        let length = self.number()? as usize;
        if length > 1_024 {
            return Err(NotAModel::Damaged("the vocabulary"));
        }
        let mut word = vec![0; length];
        self.file.read_exact(&mut word)?;
        Ok(word)
    }

    fn skip(&mut self, octets: u64) -> io::Result<()> {
        let left = self.length.saturating_sub(self.file.stream_position()?);
        match i64::try_from(octets) {
            Ok(count) if octets <= left => self.file.seek_relative(count),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.file.stream_position()? >= self.length)
    }

    fn tensor(&mut self) -> Result<(), NotAModel> {
        let (dimensions, name, kind) = (self.number()?, self.number()?, self.number()?);
        if dimensions > 4 || name > 256 {
            return Err(NotAModel::Damaged("the head of a tensor"));
        }
        let mut elements = 1_u64;
        for _ in 0..dimensions {
            elements = elements.saturating_mul(u64::from(self.number()?));
        }
        self.skip(u64::from(name))?;
        let Some((block, octets)) = block(kind) else {
            return Err(NotAModel::Damaged("a tensor of an unknown type"));
        };
        self.skip(elements.div_ceil(block).saturating_mul(octets))?;
        Ok(())
    }
}

/// How many elements of a type make a block, and how many octets a block has (ggml.h).
fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),      // f32
        1 => (1, 2),      // f16
        2 => (32, 18),    // q4_0
        3 => (32, 20),    // q4_1
        6 => (32, 22),    // q5_0
        7 => (32, 24),    // q5_1
        8 => (32, 34),    // q8_0
        10 => (256, 84),  // q2_k
        11 => (256, 110), // q3_k
        12 => (256, 144), // q4_k
        13 => (256, 176), // q5_k
        14 => (256, 210), // q6_k
        _ => return None,
    })
}
