//! The files of campaigns below the folder of data: `campaigns/NAME.jsonl`, a line for all that
//! happens, and `campaigns/dnc.txt`, the numbers that nobody calls since somebody said so. Both are
//! only ever added to, and a line is on the disk before what it tells of is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::base::number::Number;
use crate::call::campaign::entry::{self, Entry};

/// The file of one campaign.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens it, and gives what stands there. What was cut off in the middle of a line is taken away.
    ///
    /// # Errors
    /// When the disk does not let us, or somebody else has changed the file.
    pub fn open(folder: &Path, name: &str) -> io::Result<(Self, Vec<Entry>)> {
        let path = path_of(folder, name);
        let mut file = open(&path)?;
        let text = whole(&mut file)?;
        let (entries, wrong) = entry::read(&text);
        if let Some(line) = wrong.first() {
            let why = format!("line {line} of {} is none of ours", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok((Self { file }, entries))
    }

    /// Whether a campaign was ever begun.
    pub fn exists(folder: &Path, name: &str) -> bool {
        path_of(folder, name).exists()
    }

    /// Adds lines; when this returns, they are on the disk.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn add(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut lines = String::new();
        for entry in entries {
            lines.push_str(&serde_json::to_string(entry)?);
            lines.push('\n');
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()
    }
}

/// The numbers that nobody calls.
///
/// # Errors
/// When they cannot be read: then nobody is to be called.
pub fn refused(folder: &Path) -> io::Result<Vec<Number>> {
    match fs::read_to_string(folder.join(REFUSED)) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

/// Adds one; when this returns, it is on the disk.
///
/// # Errors
/// When the disk does not take it.
pub fn refuse(folder: &Path, number: &Number) -> io::Result<()> {
    let mut file = open(&folder.join(REFUSED))?;
    whole(&mut file)?;
    writeln!(file, "{number}")?;
    file.sync_data()
}

fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.jsonl"))
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let file = options.open(path)?;
    if is_new && let Some(folder) = path.parent() {
        // The name of the file is to outlive the machine, too.
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// What stands in a file, up to its last whole line; the rest goes.
fn whole(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    if end < text.len() {
        file.set_len(end as u64)?;
        text.truncate(end);
    }
    Ok(text)
}

/// The file of numbers that nobody calls.
const REFUSED: &str = "dnc.txt";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_written_is_there_again_and_half_a_line_is_not() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-journal-{}", std::process::id()));
        let at = Duration::from_millis(1_795_420_800_123);
        let number: Number = "+4971112345".parse().expect("a number");
        let written = [
            Entry::Started { at },
            Entry::Dialled { at, number: number.clone() },
            Entry::Paused { at },
        ];
        assert!(!Journal::exists(&folder, "spring"));
        let (mut journal, entries) = Journal::open(&folder, "spring").expect("a file");
        assert!(entries.is_empty());
        journal.add(&written[..2]).expect("written");
        drop(journal);
        let path = path_of(&folder, "spring");
        let mut torn = OpenOptions::new().append(true).open(&path).expect("the file");
        torn.write_all(b"{\"kind\":\"dial").expect("written");
        let (mut journal, entries) = Journal::open(&folder, "spring").expect("a file");
        assert_eq!(entries, written[..2]);
        journal.add(&written[2..]).expect("written");
        assert_eq!(Journal::open(&folder, "spring").expect("a file").1, written);
        torn.write_all(b"nonsense\n").expect("written");
        assert!(Journal::open(&folder, "spring").is_err(), "nobody is called by a broken file");

        assert_eq!(refused(&folder).expect("none"), []);
        refuse(&folder, &number).expect("written");
        assert_eq!(refused(&folder).expect("one"), [number]);
        fs::remove_dir_all(&folder).expect("it was there");
    }
}
