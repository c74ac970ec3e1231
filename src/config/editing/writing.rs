//! Writes an operator's file, whole or not at all, and nowhere but where it lies.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::editing::wish::Refused;

/// A file that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where it lies, links followed.
    pub path: PathBuf,
    /// What it said when it was read; nothing when it was not there.
    pub before: Option<String>,
    /// What it is to say.
    pub after: String,
}

impl Draft {
    /// Prepares a file: it must lie in one of these folders, also when links lead to it.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(
        path: &Path,
        roots: &[PathBuf],
        before: Option<String>,
        after: String,
    ) -> Result<Self, Refused> {
        let path = whole(path).map_err(|why| Refused::Disk(told(path, &why)))?;
        let roots = roots.iter().filter_map(|root| root.canonicalize().ok());
        if !roots.into_iter().any(|root| path.starts_with(root)) {
            let text = format!("`{}` lies outside the folders of the files", path.display());
            return Err(Refused::Outside(text));
        }
        Ok(Self { path, before, after })
    }

    /// Writes it, unless it has another content by now.
    ///
    /// # Errors
    /// When somebody else has changed it meanwhile, or the disk does not take it.
    pub fn write(&self) -> Result<(), Refused> {
        let disk = |why: io::Error| Refused::Disk(told(&self.path, &why));
        let now = match fs::read(&self.path) {
            Ok(now) => Some(now),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(disk(why)),
        };
        if now.as_deref() != self.before.as_deref().map(str::as_bytes) {
            let text = "somebody has changed the file meanwhile: read it, and try again";
            return Err(Refused::Otherwise(text.to_owned()));
        }
        replace(&self.path, self.after.as_bytes()).map_err(disk)
    }
}

/// Puts a content in the place of a file, whole or not at all; who may read it stays. What is written
/// beside it first is hidden, and is no file of the dialplans.
///
/// # Errors
/// When the disk does not take it.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let rights = fs::metadata(path).map(|it| it.permissions()).ok();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.part"));
    // What was left behind, or a link that somebody put there, is not written to.
    fs::remove_file(&partial).ok();
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o640).open(&partial);
    let written = written.and_then(|mut file| {
        file.write_all(content)?;
        if let Some(rights) = rights {
            file.set_permissions(rights)?;
        }
        file.sync_all()?;
        fs::rename(&partial, path)
    });
    if written.is_err() {
        fs::remove_file(&partial).ok();
    }
    written?;
    // The name is on the disk only when its folder is.
    let folder = path.parent().map(fs::File::open).transpose()?;
    folder.map_or(Ok(()), |folder| folder.sync_all())
}

/// A path without links, also of a file that is not there yet.
fn whole(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is not followed.
            if fs::symlink_metadata(path).is_ok() {
                return Err(why);
            }
            let folder = path.parent().unwrap_or(Path::new(".")).canonicalize()?;
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
        found => found,
    }
}

fn told(path: &Path, why: &io::Error) -> String {
    format!("`{}` cannot be written: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_file_is_written_where_it_lies_and_nowhere_else() {
        let name = format!("voxtrunk-writing-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let (inside, outside) = (folder.0.join("in"), folder.0.join("out"));
        fs::create_dir_all(&inside).expect("a folder");
        fs::create_dir_all(&outside).expect("a folder");
        for file in ["in/a.toml", "out/b.toml"] {
            fs::write(folder.0.join(file), "old").expect("a file");
        }
        let rights = fs::Permissions::from_mode(0o604);
        fs::set_permissions(inside.join("a.toml"), rights).expect("rights");
        symlink(outside.join("b.toml"), inside.join("b.toml")).expect("a link");
        symlink(outside.join("c.toml"), inside.join("c.toml")).expect("a link");
        symlink(inside.join("a.toml"), inside.join("d.toml")).expect("a link");
        let draft = |name: &str, before: &str| {
            let (roots, before) = ([inside.clone()], Some(before.to_owned()));
            Draft::new(&inside.join(name), &roots, before, "new".to_owned())
        };
        assert!(matches!(draft("b.toml", "old"), Err(Refused::Outside(_))));
        assert!(matches!(draft("c.toml", "old"), Err(Refused::Disk(_))));
        // What somebody laid where we write first is not written to.
        symlink(outside.join("b.toml"), inside.join(".a.toml.part")).expect("a link");
        draft("d.toml", "old").expect("inside").write().expect("written");
        assert_eq!(fs::read_to_string(inside.join("a.toml")).expect("a file"), "new");
        assert_eq!(fs::read_to_string(outside.join("b.toml")).expect("a file"), "old");
        let mode = fs::metadata(inside.join("a.toml")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o604);
        let late = draft("a.toml", "old").expect("inside").write();
        assert!(matches!(late, Err(Refused::Otherwise(_))));
    }
}
