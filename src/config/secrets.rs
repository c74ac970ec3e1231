//! The store of secrets: `${secret:NAME}`. One sealed file in the data folder of the server; its key
//! lies beside it, or comes from the service manager.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::base::random::Random;
use crate::base::sealed::{HEAD, Key, NotKey, Opener, Piece, Sealer, Unopened};
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::sum::hexadecimal;

/// A store, which may not be there yet.
#[derive(Debug, Clone)]
pub struct Secrets {
    sealed: PathBuf,
    key: PathBuf,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A file cannot be read or written.
    #[error("`{}`: {why}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The key is none.
    #[error("`{}`: {why}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        why: NotKey,
    },
    /// The store does not open with it.
    #[error("`{}`: {why}", .path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: Unopened,
    },
    /// What is in it is no store.
    #[error("`{}` holds no secrets", .0.display())]
    Foreign(PathBuf),
    /// A name that cannot be written into a reference.
    #[error("`{0}` cannot be the name of a secret: letters, digits, `-` and `_`, at most 64")]
    Name(String),
}

impl Secrets {
    /// The store below the data of a server. Where a service manager gives credentials, the key is
    /// the one called `secrets.key`.
    pub fn below(data: &Path, credentials: Option<&Path>) -> Self {
        let given = credentials.map(|folder| folder.join(KEY)).filter(|path| path.exists());
        Self { sealed: data.join(SEALED), key: given.unwrap_or_else(|| data.join(KEY)) }
    }

    /// All of them by name; none when there is no store.
    ///
    /// # Errors
    /// When the store or its key cannot be read.
    pub fn all(&self) -> Result<BTreeMap<String, Secret>, SecretsError> {
        let octets = match fs::read(&self.sealed) {
            Ok(octets) => octets,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(why) => return Err(disk(&self.sealed, why)),
        };
        let sealed = |why| SecretsError::Sealed { path: self.sealed.clone(), why };
        let mut opener = Opener::new(&self.key()?, &octets).map_err(sealed)?;
        let mut rest = octets.get(HEAD..).unwrap_or_default();
        let mut text = Zeroizing::new(Vec::new());
        while let Piece::Chunk(mut piece, length) = opener.open(rest).map_err(sealed)? {
            text.append(&mut piece);
            rest = rest.get(length..).unwrap_or_default();
        }
        opener.finish().map_err(sealed)?;
        let plain: Result<BTreeMap<String, String>, _> = serde_json::from_slice(&text);
        let plain = plain.map_err(|_| SecretsError::Foreign(self.sealed.clone()))?;
        Ok(plain.into_iter().map(|(name, text)| (name, Secret::from(text))).collect())
    }

    /// Keeps a secret, or forgets it; whether it was there. The first one makes the store and, where
    /// there is none, its key.
    ///
    /// # Errors
    /// When the name cannot be one, or the disk does not take the store.
    pub fn set(
        &self,
        name: &str,
        secret: Option<&Secret>,
        random: &mut Random,
    ) -> Result<bool, SecretsError> {
        if !is_name(name) {
            return Err(SecretsError::Name(name.to_owned()));
        }
        let mut all = self.all()?;
        let was_there = match secret {
            Some(secret) => all.insert(name.to_owned(), secret.clone()).is_some(),
            None => all.remove(name).is_some(),
        };
        if secret.is_some() || was_there {
            self.write(&all, random)?;
        }
        Ok(was_there)
    }

    fn write(
        &self,
        all: &BTreeMap<String, Secret>,
        random: &mut Random,
    ) -> Result<(), SecretsError> {
        if !self.key.exists() {
            let mut octets = Zeroizing::new([0; 32]);
            random.fill(&mut *octets);
            let digits = Zeroizing::new(hexadecimal(&*octets) + "\n");
            put(&self.key, digits.as_bytes()).map_err(|why| disk(&self.key, why))?;
        }
        let plain: BTreeMap<&str, &str> =
            all.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
        let text = Zeroizing::new(serde_json::to_vec(&plain).expect("texts by name"));
        let (mut sealer, mut octets) = Sealer::new(&self.key()?, random);
        sealer.seal(&text, &mut octets);
        sealer.finish(&mut octets);
        put(&self.sealed, &octets).map_err(|why| disk(&self.sealed, why))
    }

    fn key(&self) -> Result<Key, SecretsError> {
        let text = fs::read_to_string(&self.key).map(Zeroizing::new);
        let text = text.map_err(|why| disk(&self.key, why))?;
        Key::read(&text).map_err(|why| SecretsError::Key { path: self.key.clone(), why })
    }
}

fn disk(path: &Path, why: io::Error) -> SecretsError {
    SecretsError::Disk { path: path.to_owned(), why }
}

/// Whether a text can be the name of a secret, or of a credential: no path leads out of it.
pub fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Writes a file that only its owner reads, whole or not at all.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension("part");
    // One that a broken write left behind may be readable for others.
    fs::remove_file(&partial).ok();
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&partial, path)
}

/// The store.
const SEALED: &str = "secrets.sealed";

/// Its key, as 64 hexadecimal digits.
const KEY: &str = "secrets.key";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_kept_sealed_and_forgotten() {
        let name = format!("voxtrunk-secrets-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let store = Secrets::below(&folder, None);
        let mut random = Random::repeatable(1);
        assert!(store.all().expect("no store is an empty one").is_empty());
        let secret = Secret::from("hunter2-ä");
        assert!(!store.set("carrier", Some(&secret), &mut random).expect("kept"));
        assert!(!store.set("other", Some(&Secret::from("x")), &mut random).expect("kept"));
        let read = |name: &str| {
            store.all().expect("it opens").get(name).map(|it| it.expose_secret().to_owned())
        };
        assert_eq!(read("carrier").as_deref(), Some("hunter2-ä"));
        let octets = fs::read(folder.join(SEALED)).expect("a store");
        assert!(!octets.windows(7).any(|it| it == b"hunter2" || it == b"carrier"));
        for file in [SEALED, KEY] {
            let mode = fs::metadata(folder.join(file)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert!(store.set("other", None, &mut random).expect("forgotten"));
        assert!(!store.set("other", None, &mut random).expect("it is not there"));
        assert_eq!(read("other"), None);
        assert!(matches!(
            store.set("../x", Some(&secret), &mut random),
            Err(SecretsError::Name(_))
        ));
        let mut changed = octets.clone();
        changed[HEAD + 6] ^= 1;
        fs::write(folder.join(SEALED), changed).expect("a file");
        assert!(matches!(store.all(), Err(SecretsError::Sealed { .. })));
        fs::remove_dir_all(&folder).ok();
    }
}
