//! The place of the control socket: taken when it is free or its server is dead, refused while one
//! lives, and given back at the end.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that is ours; its file goes when this does.
#[derive(Debug)]
pub struct Claim {
    /// The socket, not blocking.
    pub listener: UnixListener,
    path: PathBuf,
    /// The file that we made: another may stand there when we go.
    inode: u64,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A server has it.
    #[error(
        "a voxtrunk is running with these settings: it answers at {}\n  stop it first (`voxtrunk status` shows its process), or give this one another [server] data_dir or\n  [control] socket in conf/server.toml",
        .0.display()
    )]
    Taken(PathBuf),
    /// Something else stands there.
    #[error(
        "{} is no socket: remove it, or choose another [control] socket in conf/server.toml",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The path is longer than the kernel allows.
    #[error(
        "the path of the control socket is too long: {}\n  choose one of at most {LONGEST_PATH} octets with [control] socket in conf/server.toml",
        .0.display()
    )]
    TooLong(PathBuf),
    /// The kernel does not give it.
    #[error("the control socket {} cannot be made: {why}", .path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// What the kernel says.
        why: io::Error,
    },
}

impl Claim {
    /// Takes the place. Only the user that the server runs as may open the socket.
    ///
    /// # Errors
    /// When a server lives there, or nothing can be made there.
    pub fn take(path: &Path) -> Result<Self, ClaimError> {
        let refused = |why| ClaimError::Refused { path: path.to_owned(), why };
        let partial = partial(path);
        if partial.as_os_str().len() > LONGEST_PATH {
            return Err(ClaimError::TooLong(path.to_owned()));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(refused)?;
        }
        look(path)?;
        // Whoever sees the socket sees it with its rights; and a dead one is replaced in one step.
        std::fs::remove_file(&partial).or_else(is_gone).map_err(refused)?;
        let listener = UnixListener::bind(&partial).map_err(refused)?;
        let rights = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&partial, rights).map_err(refused)?;
        let inode = std::fs::metadata(&partial).map_err(refused)?.ino();
        std::fs::rename(&partial, path).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_ours = std::fs::metadata(&self.path).is_ok_and(|it| it.ino() == self.inode);
        if is_ours {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Looks who is there.
fn look(path: &Path) -> Result<(), ClaimError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ClaimError::Foreign(path.to_owned())),
        Ok(_) => match UnixStream::connect(path) {
            // A socket whose server is dead refuses.
            Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(_) => Err(ClaimError::Taken(path.to_owned())),
            Err(why) => Err(ClaimError::Refused { path: path.to_owned(), why }),
        },
        Err(_) => Ok(()),
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

fn is_gone(why: io::Error) -> io::Result<()> {
    if why.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(why) }
}

/// The longest path of a socket on Linux.
const LONGEST_PATH: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("voxtrunk-claim-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&folder).ok();
        folder
    }

    #[test]
    fn a_living_server_keeps_its_place_and_a_dead_one_loses_it() {
        let folder = folder("living");
        let path = folder.join("run/control.sock");
        let first = Claim::take(&path).unwrap();
        let rights = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600);
        assert!(matches!(Claim::take(&path), Err(ClaimError::Taken(_))));
        // It dies without a word: its file stays.
        let dead = UnixListener::bind(folder.join("dead.sock")).unwrap();
        drop(dead);
        let heir = Claim::take(&folder.join("dead.sock")).unwrap();
        assert!(UnixStream::connect(heir.path()).is_ok());
        drop(first);
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder).ok();
    }

    #[test]
    fn a_file_of_somebody_is_left_alone() {
        let folder = folder("foreign");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("control.sock");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(Claim::take(&path), Err(ClaimError::Foreign(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let long = folder.join("x".repeat(120));
        assert!(matches!(Claim::take(&long), Err(ClaimError::TooLong(_))));
        std::fs::remove_dir_all(&folder).ok();
    }
}
