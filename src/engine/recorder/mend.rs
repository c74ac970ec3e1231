//! Mends recordings of calls that were killed with the server: sizes are set, what stands behind
//! the last whole page or chunk is taken away, and sealed files get their end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::audio::frame::Rate;
use crate::audio::{ogg, wav};
use crate::base::sealed::{Key, Sealer};
use crate::engine::recorder::shelf;
use crate::engine::recorder::sidecar::State;
use crate::engine::recorder::unseal::{UnsealError, unseal};

/// Mends what stands open on the shelf `root`; tells how many recordings that were.
pub fn mend(root: &Path, key: Option<&Key>) -> usize {
    let open = shelf::notes(root).into_iter().filter(|it| it.state == State::Open);
    open.map(|mut sidecar| {
        let path = sidecar.recording();
        match one(&path, (sidecar.is_sealed(), sidecar.is_wav()), key) {
            Ok(lasts) => {
                sidecar.end(State::Interrupted, (lasts, Duration::ZERO));
                tracing::warn!(path = %path.display(), "a recording was interrupted; it is mended");
            }
            Err(why) => {
                tracing::error!(%why, path = %path.display(), "a recording cannot be mended");
            }
        }
    })
    .count()
}

/// Mends one recording; tells how long it is, where that can be seen.
///
/// # Errors
/// When it is none, or the disk refuses.
pub fn one(
    path: &Path,
    (is_sealed, is_wav): (bool, bool),
    key: Option<&Key>,
) -> Result<Duration, UnsealError> {
    match (is_sealed, is_wav, key) {
        (true, _, Some(key)) => sealed(path, key).map(|()| Duration::ZERO),
        // Nothing can be done without the key; what is there opens with it one day.
        (true, _, None) => Ok(Duration::ZERO),
        (false, true, _) => samples(path).map_err(UnsealError::from),
        (false, false, _) => pages(path).map_err(UnsealError::from),
    }
}

/// Lets a WAV file say how long it is.
fn samples(path: &Path) -> io::Result<Duration> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut header = [0; wav::HEADER];
    file.read_exact_at(&mut header, 0)?;
    let rate = header.get(24..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
    let rate = Rate(u32::from_le_bytes(rate));
    let channels = header.get(22..).and_then(<[u8]>::first_chunk::<2>).copied();
    let channels = channels.map_or(2, u16::from_le_bytes).clamp(1, 2);
    let frame = u64::from(channels) * 2;
    let octets = (file.metadata()?.len() - wav::HEADER as u64) / frame * frame;
    file.set_len(octets + wav::HEADER as u64)?;
    let said = u32::try_from(octets).unwrap_or(wav::ENDLESS);
    file.write_all_at(&wav::header(channels, rate, said), 0)?;
    file.sync_data()?;
    Ok(rate.duration_of(usize::try_from(octets / frame).unwrap_or(usize::MAX)))
}

/// Takes away what stands behind the last whole page.
fn pages(path: &Path) -> io::Result<Duration> {
    let whole = ogg::whole(&std::fs::read(path)?);
    let whole = whole.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(whole.octets as u64)?;
    file.sync_data()?;
    Ok(Rate(48_000).duration_of(usize::try_from(whole.position).unwrap_or(usize::MAX)))
}

/// Takes away what stands behind the last whole chunk, and seals the end.
fn sealed(path: &Path, key: &Key) -> Result<(), UnsealError> {
    let unsealed = unseal(File::open(path)?, io::sink(), key)?;
    if unsealed.end.is_ok() {
        return Ok(());
    }
    let mut end = Vec::new();
    Sealer::after(unsealed.opener).finish(&mut end);
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.set_len(unsealed.whole)?;
    file.write_all(&end)?;
    Ok(file.sync_data()?)
}
