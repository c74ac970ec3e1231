//! Where messages stand: `voicemail/BOX/TIME-CALL.wav` with its note `.json` below the folder of
//! data. Notes are changed whole or not at all, by one at a time, also by the command line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::engine::voicemail::note::Note;

/// The messages of all voicemails.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Takes the folder; it is made when there is something to keep.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// How many messages there are in a voicemail, those that are being left among them.
    pub fn count(&self, mailbox: &str) -> usize {
        notes_in(&self.folder.join(mailbox)).count()
    }

    /// All notes, of one voicemail or of all, the oldest first of each.
    pub fn notes(&self, mailbox: Option<&str>) -> Vec<Note> {
        let boxes = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let boxes = boxes.filter(|it| mailbox.is_none_or(|name| it.file_name() == name));
        let mut folders: Vec<PathBuf> = boxes.map(|it| it.path()).collect();
        folders.sort();
        let mut found = Vec::new();
        for folder in folders {
            let mut notes: Vec<Note> = notes_in(&folder).filter_map(|path| read(&path)).collect();
            notes.sort_by(|one, other| one.id.cmp(&other.id));
            found.extend(notes);
        }
        found
    }

    /// The message of this name, or of this call.
    pub fn find(&self, name: &str) -> Option<Note> {
        self.notes(None).into_iter().find(|note| note.id == name || note.call == name)
    }

    /// Where the sound of a message is.
    pub fn sound(&self, note: &Note) -> PathBuf {
        self.folder.join(&note.mailbox).join(&note.file)
    }

    /// Puts a new message there.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put(&self, note: &Note) -> io::Result<()> {
        let _lock = self.lock(&note.mailbox)?;
        self.write(note)
    }

    /// Changes a note as it stands now; nothing, when it is not there any more.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn change(&self, note: &Note, change: impl FnOnce(&mut Note)) -> io::Result<Option<Note>> {
        let _lock = self.lock(&note.mailbox)?;
        let Some(mut note) = read(&self.path(note)) else { return Ok(None) };
        change(&mut note);
        self.write(&note)?;
        Ok(Some(note))
    }

    /// Deletes a message.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub fn delete(&self, note: &Note) -> io::Result<()> {
        let _lock = self.lock(&note.mailbox)?;
        // The note goes last: while it is there, somebody can still find what is left.
        for path in [self.sound(note), self.path(note)] {
            match fs::remove_file(path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn path(&self, note: &Note) -> PathBuf {
        self.folder.join(&note.mailbox).join(format!("{}.{JSON}", note.id))
    }

    fn write(&self, note: &Note) -> io::Result<()> {
        let path = self.path(note);
        let partial = path.with_extension("part");
        // What was said is nobody's business but the operator's.
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        let mut text = serde_json::to_vec_pretty(note)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(partial, path)
    }

    /// Nobody else changes notes of a voicemail as long as this is held.
    fn lock(&self, mailbox: &str) -> io::Result<File> {
        let folder = self.folder.join(mailbox);
        fs::create_dir_all(&folder)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(folder.join(LOCK))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }
}

/// The paths of what may be notes in a folder.
fn notes_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension() == Some(JSON.as_ref()))
}

/// A note; nothing, when it is none of ours or stands elsewhere than it says.
fn read(path: &Path) -> Option<Note> {
    let note: Note = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let folder = path.parent()?.file_name()?;
    let is_there = path.file_stem() == Some(note.id.as_ref())
        && folder == note.mailbox.as_str()
        && note.file.strip_prefix(&note.id).is_some_and(|end| FILES.contains(&end));
    is_there.then_some(note)
}

const JSON: &str = "json";
const LOCK: &str = ".lock";

/// How the names of sounds go on after that of the message.
const FILES: [&str; 2] = [".wav", ".wav.sealed"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::id::CallId;
    use crate::base::random::Random;
    use crate::call::event::Word;
    use crate::engine::voicemail::note::{Job, State};

    /// 2026-11-21, 12:00.
    const NOON: Duration = Duration::from_secs(1_795_262_400);

    fn note(mailbox: &str, after: u64) -> Note {
        let at = NOON + Duration::from_secs(after);
        let call = CallId::new(at, &mut Random::repeatable(after));
        let (mailbox, from) = (mailbox.to_owned(), "+4971112345".to_owned());
        let word = Word { mailbox, from, name: None, at };
        Note::begin(call, word, false, (Job::wanted(true), Job::None))
    }

    #[test]
    fn messages_are_put_changed_found_and_deleted() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-shelf-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        let shelf = Shelf::new(folder.clone());
        assert_eq!((shelf.count("office"), shelf.notes(None).len()), (0, 0));
        let (first, second, other) = (note("office", 0), note("office", 7), note("sales", 3));
        assert!(first.id.starts_with("20261121T120000Z-call_"), "{}", first.id);
        assert_eq!(first.at, "2026-11-21T12:00:00Z");
        for note in [&second, &first, &other] {
            shelf.put(note).expect("a disk");
            fs::write(shelf.sound(note), "octets").expect("a disk");
        }
        assert_eq!(shelf.notes(Some("office")), [first.clone(), second.clone()]);
        assert_eq!(shelf.notes(None).len(), 3);
        assert_eq!(shelf.notes(Some("..")), [], "no name leads out of the folder");
        assert_eq!(shelf.find(&second.call), Some(second.clone()));
        let changed = shelf.change(&first, |note| {
            note.end(State::Complete, Duration::from_millis(61_500));
        });
        let changed = changed.expect("a disk").expect("it is there");
        assert_eq!((changed.length(), shelf.find(&first.id)), ("1:02".to_owned(), Some(changed)));
        shelf.delete(&first).expect("a disk");
        assert!(!shelf.sound(&first).exists());
        let gone = shelf.change(&first, |note| note.read = true).expect("a disk");
        assert_eq!((gone, shelf.count("office")), (None, 1), "nobody brings it back");
        // What is not ours, or says that it is elsewhere, is not there.
        let stray = folder.join("office/stray.json");
        fs::write(&stray, serde_json::to_vec(&other).expect("JSON")).expect("a disk");
        assert_eq!(shelf.notes(Some("office")), [second]);
        fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn what_fails_is_tried_again_as_long_as_there_is_patience() {
        let mut job = Job::wanted(true);
        let patience = |tries: u32| (tries < 3).then(|| Duration::from_secs(u64::from(tries) * 10));
        job.failed(NOON, "no".to_owned(), patience);
        assert_eq!(job.due(), Some(NOON + Duration::from_secs(10)));
        job.failed(NOON, "no".to_owned(), patience);
        assert_eq!(job, Job::Pending { tries: 2, next: NOON.as_secs() + 20 });
        job.failed(NOON, "no".to_owned(), patience);
        assert_eq!(job, Job::Failed { why: "no".to_owned() });
        let mut nobody = Job::wanted(false);
        nobody.failed(NOON, String::new(), patience);
        assert_eq!((nobody.is_pending(), nobody), (false, Job::None));
    }
}
