//! The keys of those who ask by HTTP: a file with the hash of each. The key itself is shown once, to
//! whoever has it made, and kept nowhere.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::random::Random;
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::sum::hexadecimal;

/// The file of the keys, which may not be there yet.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    path: PathBuf,
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is called in lists and logs: `key_` and 12 letters and digits.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// From when on it is not valid any more, in seconds since the Unix epoch.
    pub expires: Option<u64>,
    /// How often it may be used on a day (in UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<u64>,
    /// The SHA-256 of the key, in hexadecimal digits.
    hash: String,
}

/// What a key may do. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Act upon calls and trunks.
    Operate,
    /// Let the server read its files again.
    Admin,
}

/// What tells one state of the file from another; nothing when there is no file.
pub type Stamp = Option<(u64, u64, i64, i64)>;

/// Why keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeysError {
    /// The disk does not do it.
    #[error("`{}`: {why}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It is no file of keys.
    #[error("`{}` holds no keys: {why}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why.
        why: serde_json::Error,
    },
    /// Others can read it, or write to it.
    #[error("`{}` is open to other users: chmod 600", .0.display())]
    Open(PathBuf),
    /// The name says nothing, or too much.
    #[error("a key has a name of 1 to {LONGEST_NAME} letters")]
    Name,
    /// There are many.
    #[error("there are {MOST_KEYS} keys: revoke one that nobody needs")]
    Full,
    /// Which one?
    #[error("there is no key `{0}`: `voxtrunk key list` shows them")]
    Unknown(String),
    /// Which one?
    #[error("several keys are called `{0}`: write the identity of one")]
    Ambiguous(String),
}

/// What is wanted of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order<'a> {
    /// What it is to be called.
    pub name: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// How long it is valid, if not for ever.
    pub lasts: Option<Duration>,
    /// How often it may be used on a day (in UTC).
    pub daily: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    keys: Vec<ApiKey>,
}

impl ApiKeys {
    /// The file below the data of a server.
    pub fn below(data: &Path) -> Self {
        Self { path: data.join(FILE) }
    }

    /// All of them, the oldest first; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, is none of ours, or is open to others.
    pub fn all(&self) -> Result<Vec<ApiKey>, ApiKeysError> {
        let octets = match fs::read(&self.path) {
            Ok(octets) => octets,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(self.disk(why)),
        };
        let mode = fs::metadata(&self.path).map_err(|why| self.disk(why))?.mode();
        if mode & 0o077 != 0 {
            return Err(ApiKeysError::Open(self.path.clone()));
        }
        let foreign = |why| ApiKeysError::Foreign { path: self.path.clone(), why };
        let kept: Kept = serde_json::from_slice(&octets).map_err(foreign)?;
        Ok(kept.keys)
    }

    /// Makes one: what is kept of it, and the key itself.
    ///
    /// # Errors
    /// When the name is no name, or the disk does not take it.
    pub fn create(
        &self,
        order: &Order<'_>,
        now: Duration,
        random: &mut Random,
    ) -> Result<(ApiKey, Secret), ApiKeysError> {
        let name = order.name.trim();
        let is_name = !name.is_empty() && !name.chars().any(char::is_control);
        if !is_name || name.chars().count() > LONGEST_NAME {
            return Err(ApiKeysError::Name);
        }
        let _lock = self.lock()?;
        let mut keys = self.all()?;
        if keys.len() >= MOST_KEYS {
            return Err(ApiKeysError::Full);
        }
        let mut chance = [0; 32];
        random.fill(&mut chance);
        let key = Secret::from(format!("{PREFIX}{}", hexadecimal(&chance)));
        let mut name_chance = [0; 6];
        random.fill(&mut name_chance);
        let made = ApiKey {
            id: format!("key_{}", hexadecimal(&name_chance)),
            name: name.to_owned(),
            scope: order.scope,
            created: now.as_secs(),
            daily: order.daily,
            expires: order.lasts.map(|lasts| now.saturating_add(lasts).as_secs()),
            hash: hash(key.expose_secret()),
        };
        keys.push(made.clone());
        self.put(keys)?;
        Ok((made, key))
    }

    /// Forgets one, by its identity or by its name.
    ///
    /// # Errors
    /// When there is none, or several are called so.
    pub fn revoke(&self, which: &str) -> Result<ApiKey, ApiKeysError> {
        let _lock = self.lock()?;
        let mut keys = self.all()?;
        let by_id = keys.iter().position(|key| key.id == which);
        let mut named = keys.iter().enumerate().filter(|(_, key)| key.name == which);
        let at = match (by_id, named.next(), named.next()) {
            (Some(at), _, _) | (None, Some((at, _)), None) => at,
            (None, Some(_), Some(_)) => return Err(ApiKeysError::Ambiguous(which.to_owned())),
            (None, None, _) => return Err(ApiKeysError::Unknown(which.to_owned())),
        };
        let gone = keys.remove(at);
        self.put(keys)?;
        Ok(gone)
    }

    /// What tells whether the file was changed.
    pub fn stamp(&self) -> Stamp {
        let found = fs::metadata(&self.path).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    }

    /// One at a time changes them: the next one waits until this is dropped.
    fn lock(&self) -> Result<fs::File, ApiKeysError> {
        let disk = |why| self.disk(why);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(disk)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.path.with_extension("lock")).map_err(disk)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|why| disk(why.into()))?;
        Ok(file)
    }

    fn put(&self, keys: Vec<ApiKey>) -> Result<(), ApiKeysError> {
        let disk = |why| self.disk(why);
        let partial = self.path.with_extension("json.part");
        fs::remove_file(&partial).ok();
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&partial).map_err(disk)?;
        let text = serde_json::to_vec_pretty(&Kept { keys }).map_err(|why| disk(why.into()))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(disk)?;
        fs::rename(&partial, &self.path).map_err(disk)
    }

    fn disk(&self, why: io::Error) -> ApiKeysError {
        ApiKeysError::Disk { path: self.path.clone(), why }
    }
}

impl ApiKey {
    /// Whether it is valid at a time since the Unix epoch.
    pub fn is_valid(&self, now: Duration) -> bool {
        self.expires.is_none_or(|expires| now.as_secs() < expires)
    }
}

impl Scope {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// Which of these keys somebody shows. It takes as long for one that is nearly right as for one
/// that is not.
pub fn shown<'a>(keys: &'a [ApiKey], text: &str) -> Option<&'a ApiKey> {
    let shown = hash(text);
    let fits = |key: &&ApiKey| bool::from(key.hash.as_bytes().ct_eq(shown.as_bytes()));
    keys.iter().fold(None, |found, key| if fits(&key) { Some(key) } else { found })
}

/// A key is 256 bits of chance: no slow hash makes it harder to guess.
fn hash(key: &str) -> String {
    hexadecimal(&Sha256::digest(key.as_bytes()))
}

/// How every key begins, so that those who look for lost secrets find it.
pub const PREFIX: &str = "sk_";

const FILE: &str = "api_keys.json";

const LONGEST_NAME: usize = 64;

const MOST_KEYS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("voxtrunk-api-keys-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn order(name: &str, scope: Scope) -> Order<'_> {
        Order { name, scope, lasts: Some(Duration::from_secs(60)), daily: None }
    }

    #[test]
    fn a_key_is_shown_once_and_kept_as_a_hash() {
        let folder = Folder::new("hash");
        let keys = ApiKeys::below(&folder.0);
        assert_eq!((keys.all().expect("keys"), keys.stamp()), (Vec::new(), None));
        let now = Duration::from_secs(1_000);
        let mut random = Random::repeatable(1);
        let (made, key) = keys.create(&order("crm", Scope::Read), now, &mut random).expect("a key");
        let key = key.expose_secret();
        assert!(key.starts_with("sk_") && key.len() == 67, "{key}");
        assert!(made.is_valid(Duration::from_secs(1_059)));
        assert!(!made.is_valid(Duration::from_secs(1_060)));
        let path = folder.0.join(FILE);
        let text = fs::read_to_string(&path).expect("a file");
        assert!(!text.contains(&key[3..]), "{text}");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        let all = keys.all().expect("keys");
        assert_eq!(shown(&all, key), Some(&made));
        assert_eq!(shown(&all, &key[..66]), None);
        assert_eq!(shown(&all, ""), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        assert!(matches!(keys.all(), Err(ApiKeysError::Open(_))));
    }

    #[test]
    fn a_key_is_revoked_by_its_name_when_only_one_is_called_so() {
        let folder = Folder::new("revoke");
        let (keys, now) = (ApiKeys::below(&folder.0), Duration::from_secs(1_000));
        let mut random = Random::repeatable(1);
        let mut make =
            |name| keys.create(&order(name, Scope::Admin), now, &mut random).expect("a key").0;
        let (first, second) = (make("a"), make("a"));
        make("b");
        let before = keys.stamp();
        assert!(matches!(keys.revoke("a"), Err(ApiKeysError::Ambiguous(_))));
        assert_eq!(keys.revoke(&first.id).expect("a key"), first);
        assert_ne!(keys.stamp(), before);
        assert_eq!(keys.revoke("a").expect("a key"), second);
        assert!(matches!(keys.revoke("a"), Err(ApiKeysError::Unknown(_))));
        assert_eq!(keys.all().expect("keys").len(), 1);
        for name in ["", " ", "a\nb", &"x".repeat(65)] {
            let made = keys.create(&order(name, Scope::Read), now, &mut Random::repeatable(2));
            assert!(matches!(made, Err(ApiKeysError::Name)), "{name}");
        }
    }

    #[test]
    fn keys_that_are_made_at_once_are_all_kept() {
        let folder = Folder::new("at-once");
        let keys = ApiKeys::below(&folder.0);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let keys = keys.clone();
                scope.spawn(move || {
                    let (name, mut random) = (number.to_string(), Random::repeatable(number));
                    let now = Duration::from_secs(1_000);
                    keys.create(&order(&name, Scope::Read), now, &mut random).expect("a key");
                });
            }
        });
        assert_eq!(keys.all().expect("keys").len(), 8);
    }

    #[test]
    fn each_scope_may_do_what_those_before_it_may() {
        assert!(Scope::Read < Scope::Operate && Scope::Operate < Scope::Admin);
    }
}
