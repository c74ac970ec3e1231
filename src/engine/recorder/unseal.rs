//! Opens a sealed recording, chunk by chunk.

use std::io::{self, Read, Write};

use crate::base::sealed::{HEAD, Key, Opener, Piece, Unopened};

/// Why a sealed recording cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// It does not open.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// It cannot be read, or what it holds cannot be written.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What came of it.
#[derive(Debug)]
pub struct Unsealed {
    /// How many octets of the source are whole chunks.
    pub whole: u64,
    /// Whether the end is there.
    pub end: Result<(), Unopened>,
    /// Goes on where the last whole chunk ended.
    pub opener: Opener,
}

/// Writes what `source` hides to `sink`, up to its last whole chunk.
///
/// # Errors
/// When a chunk is not what was written there, or a disk refuses.
pub fn unseal(source: impl Read, sink: impl Write, key: &Key) -> Result<Unsealed, UnsealError> {
    let (mut source, mut sink) = (io::BufReader::new(source), io::BufWriter::new(sink));
    let mut waiting = Vec::new();
    more(&mut source, HEAD, &mut waiting)?;
    let mut opener = Opener::new(key, &waiting)?;
    let mut whole = HEAD as u64;
    waiting.drain(..HEAD);
    loop {
        match opener.open(&waiting)? {
            Piece::Chunk(octets, took) => {
                sink.write_all(&octets)?;
                whole += took as u64;
                waiting.drain(..took);
            }
            // At the end a single octet more would be too many.
            Piece::End if more(&mut source, 1, &mut waiting)? == 0 => break,
            Piece::Missing if more(&mut source, AT_ONCE, &mut waiting)? == 0 => break,
            Piece::End | Piece::Missing => {}
        }
    }
    sink.flush()?;
    Ok(Unsealed { whole, end: opener.finish(), opener })
}

/// Reads so many octets more, as far as there are; tells how many.
fn more(source: &mut impl Read, count: usize, waiting: &mut Vec<u8>) -> io::Result<usize> {
    source.take(count as u64).read_to_end(waiting)
}

const AT_ONCE: usize = 64 * 1_024;
