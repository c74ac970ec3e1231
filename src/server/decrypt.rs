//! `voxtrunk recording decrypt`: makes a file that everybody can play of a sealed recording.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::audio::wav;
use crate::base::sealed::{Key, NotKey};
use crate::engine::recorder::sidecar::SEALED;
use crate::engine::recorder::unseal::{UnsealError, unseal};
use crate::server::assembly::{self, Show};
use crate::server::recordings;

/// What is to be opened.
#[derive(Debug)]
pub struct Order {
    /// The sealed file.
    pub file: PathBuf,
    /// Where the open one goes; without it, beside the sealed one.
    pub out: Option<PathBuf>,
    /// A file with the key; without it, the key of the settings.
    pub key: Option<PathBuf>,
    /// Whether what is there is wanted of a file whose end is missing.
    pub incomplete: bool,
    /// The settings.
    pub config: PathBuf,
}

/// Why it does not open.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the key cannot be read: {0}")]
    KeyFile(io::Error),
    #[error("{0}")]
    NotKey(#[from] NotKey),
    #[error("the settings name no key: [storage.recordings] encrypt; --key names a file with one")]
    NoKey,
    #[error("write with --out where it goes: the name does not end with {SEALED}")]
    NoName,
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    #[error(transparent)]
    Unsealed(#[from] UnsealError),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Opens it. The exit status is 1 when it does not open, and when its end is missing and nobody
/// said that this is right.
pub fn run(order: &Order) -> ExitCode {
    let key = match key(order) {
        Ok(key) => key,
        Err(Ok(trouble)) => return fail(&trouble),
        Err(Err(code)) => return code,
    };
    match open(order, &key) {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(trouble) => fail(&trouble),
    }
}

fn fail(trouble: &Trouble) -> ExitCode {
    eprintln!("voxtrunk: {trouble}");
    ExitCode::FAILURE
}

fn key(order: &Order) -> Result<Key, Result<Trouble, ExitCode>> {
    if let Some(path) = &order.key {
        let text = std::fs::read_to_string(path).map_err(|why| Ok(Trouble::KeyFile(why)))?;
        return Key::read(&text).map_err(|why| Ok(why.into()));
    }
    let loaded = assembly::load(&order.config, Show::Errors).map_err(Err)?;
    recordings::key(&loaded.server).ok_or(Ok(Trouble::NoKey))
}

fn open(order: &Order, key: &Key) -> Result<PathBuf, Trouble> {
    let source = File::open(&order.file)?;
    let path = match &order.out {
        Some(path) => path.clone(),
        None => {
            let name = order.file.to_str().and_then(|name| name.strip_suffix(SEALED));
            name.map(PathBuf::from).ok_or(Trouble::NoName)?
        }
    };
    if path.exists() {
        return Err(Trouble::Taken(path));
    }
    // Nothing stands under the name before all of it is known to be right.
    let partial = path.with_added_extension("part");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let file = file.open(&partial)?;
    let opened =
        unseal(source, &file, key).map_err(Trouble::from).and_then(|unsealed| match unsealed.end {
            Err(why) if !order.incomplete => Err(UnsealError::from(why).into()),
            Ok(()) | Err(_) => Ok(sized(&file)?),
        });
    match opened {
        Ok(()) => std::fs::rename(&partial, &path)?,
        Err(why) => {
            std::fs::remove_file(&partial)?;
            return Err(why);
        }
    }
    Ok(path)
}

/// Lets a WAV file that could not say how long it is do so.
fn sized(file: &File) -> io::Result<()> {
    let octets = file.metadata()?.len().checked_sub(wav::HEADER as u64);
    let Some(octets) = octets else { return Ok(()) };
    let mut header = [0; wav::HEADER];
    file.read_exact_at(&mut header, 0)?;
    if wav::complete(&mut header, u32::try_from(octets).unwrap_or(wav::ENDLESS)) {
        file.write_all_at(&header, 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::frame::Rate;
    use std::path::Path;

    use crate::base::random::Random;
    use crate::base::sealed::Sealer;

    fn folder(name: &str) -> PathBuf {
        let name = format!("voxtrunk-decrypt-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn order(file: &Path, incomplete: bool) -> Order {
        let file = file.to_owned();
        Order { file, out: None, key: None, incomplete, config: PathBuf::new() }
    }

    #[test]
    fn a_file_opens_whole_or_not_at_all() {
        let (folder, key) = (folder("whole"), Key::read(&"5a".repeat(32)).unwrap());
        let path = folder.join("call.wav.sealed");
        let (mut sealer, mut bytes) = Sealer::new(&key, &mut Random::repeatable(1));
        let samples = [&wav::stereo_header(Rate::NARROW, wav::ENDLESS)[..], &[1, 0, 2, 0]].concat();
        sealer.seal(&samples, &mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let why = open(&order(&path, false), &key).unwrap_err().to_string();
        assert!(why.contains("cut off after chunk 1"), "{why}");
        assert!(!folder.join("call.wav").exists());
        let opened = open(&order(&path, true), &key).unwrap();
        let expected = [&wav::stereo_header(Rate::NARROW, 4)[..], &[1, 0, 2, 0]].concat();
        assert_eq!(std::fs::read(&opened).unwrap(), expected);
        assert!(matches!(open(&order(&path, true), &key), Err(Trouble::Taken(_))));
        std::fs::remove_file(opened).unwrap();
        sealer.finish(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        assert!(open(&order(&path, false), &key).is_ok());
        bytes[120] ^= 1;
        std::fs::remove_file(folder.join("call.wav")).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let why = open(&order(&path, true), &key).unwrap_err().to_string();
        assert!(why.contains("chunk 1 is not what was written there"), "{why}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
