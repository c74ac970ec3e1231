//! References in texts: `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}`, `${secret:NAME}`,
//! `${cred:NAME}`, `$$`.
//!
//! They are expanded after parsing, only inside texts, once: what a variable holds can neither
//! break the file nor refer to something else (T38).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::secret::ExposeSecret;
use crate::config::file;
use crate::config::secrets::{self, Secrets};

/// What references may name.
pub struct Scope<'a> {
    /// Looks up a variable of the environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Other names: `data_dir`.
    pub names: BTreeMap<&'static str, String>,
    /// The folder of the server's data, once it is known.
    pub data: Option<PathBuf>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexpandable {
    /// The variable is not set.
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    /// The file cannot be read, and why.
    #[error("the file `{0}` cannot be read: {1}")]
    File(String, String),
    /// The service manager gives no such credential, and why.
    #[error("the credential `{0}` is not there: {1}")]
    Credential(String, String),
    /// There is no such secret.
    #[error("there is no secret `{0}`")]
    NoSecret(String),
    /// The store of secrets cannot be opened.
    #[error("the secrets cannot be read: {0}")]
    Sealed(String),
    /// There is no such reference.
    #[error("`${{{0}}}` refers to nothing")]
    Unknown(String),
    /// `${` without `}`.
    #[error("a `${{` is never closed by `}}`")]
    Open,
}

impl Unexpandable {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unset(name) => {
                format!("set {name} before the start, or write \"${{env:{name}:-default}}\"")
            }
            Self::File(_, _) => format!(
                "the file must be readable for the server and at most {} KB long",
                LARGEST_FILE / 1_024
            ),
            Self::NoSecret(name) => format!("`voxtrunk secret set {name}` keeps it"),
            Self::Sealed(_) => {
                "the key lies beside it as secrets.key, or among the credentials of the service"
                    .to_owned()
            }
            Self::Credential(name, _) => {
                format!("LoadCredential={name}:/path in the unit of systemd gives it")
            }
            Self::Unknown(_) => {
                "there are ${env:NAME}, ${env:NAME:-default}, ${file:/path}, ${secret:NAME}, \
                 ${cred:NAME} and, in the settings, ${data_dir}"
                    .to_owned()
            }
            Self::Open => "write $$ for a dollar sign".to_owned(),
        }
    }
}

impl Scope<'_> {
    /// Expands every reference in `text`; `folder` is where relative paths begin. `None` when
    /// there is nothing to expand.
    ///
    /// # Errors
    /// When a reference is malformed or names something that is not there.
    pub fn expand(
        &self,
        text: &str,
        folder: Option<&Path>,
    ) -> Result<Option<String>, Unexpandable> {
        if !text.contains("$$") && !text.contains("${") {
            return Ok(None);
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let (reference, after) = after.split_once('}').ok_or(Unexpandable::Open)?;
                expanded.push_str(&self.look_up(reference, folder)?);
                rest = after;
            } else {
                expanded.push('$');
            }
        }
        expanded.push_str(rest);
        Ok(Some(expanded))
    }

    fn look_up(&self, reference: &str, folder: Option<&Path>) -> Result<String, Unexpandable> {
        let Some((kind, value)) = reference.split_once(':') else {
            let unknown = || Unexpandable::Unknown(reference.to_owned());
            return self.names.get(reference).cloned().ok_or_else(unknown);
        };
        match kind {
            "env" => {
                let (name, default) = match value.split_once(":-") {
                    Some((name, default)) => (name, Some(default)),
                    None => (value, None),
                };
                let found = (self.environment)(name).or_else(|| default.map(str::to_owned));
                found.ok_or_else(|| Unexpandable::Unset(name.to_owned()))
            }
            "file" => read(value, folder),
            "cred" => self.credential(value),
            "secret" => self.secret(value),
            _ => Err(Unexpandable::Unknown(reference.to_owned())),
        }
    }
}

impl Scope<'_> {
    /// Where the service manager put credentials (systemd.exec(5), CREDENTIALS_DIRECTORY).
    fn credentials(&self) -> Option<PathBuf> {
        (self.environment)("CREDENTIALS_DIRECTORY").map(PathBuf::from)
    }

    fn credential(&self, name: &str) -> Result<String, Unexpandable> {
        let missing = |why: &str| Unexpandable::Credential(name.to_owned(), why.to_owned());
        let folder = self.credentials().ok_or_else(|| missing("no service manager gives any"))?;
        if !secrets::is_name(name) {
            return Err(missing("this cannot be its name"));
        }
        read(name, Some(&folder)).map_err(|_| missing("it cannot be read"))
    }

    fn secret(&self, name: &str) -> Result<String, Unexpandable> {
        let data = self.data.as_deref().unwrap_or(Path::new(""));
        let all = Secrets::below(data, self.credentials().as_deref()).all();
        let all = all.map_err(|why| Unexpandable::Sealed(why.to_string()))?;
        let secret = all.get(name).ok_or_else(|| Unexpandable::NoSecret(name.to_owned()))?;
        Ok(secret.expose_secret().to_owned())
    }
}

/// Reads a small file and cuts the newline at its end.
fn read(path: &str, folder: Option<&Path>) -> Result<String, Unexpandable> {
    let full = folder.map_or_else(|| path.into(), |folder| folder.join(path));
    let text = file::read_text(&full, LARGEST_FILE)
        .map_err(|why| Unexpandable::File(path.to_owned(), why))?;
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |cut| cut.trim_end_matches('\r')).to_owned())
}

/// The largest file that a text may refer to, in octets.
const LARGEST_FILE: u64 = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(text: &str) -> Result<Option<String>, Unexpandable> {
        let environment = |name: &str| match name {
            "USER" => Some("anna".to_owned()),
            "TRICKY" => Some("a\"b # ${env:USER} $$".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let names = [("data_dir", "/data".to_owned())].into();
        let data = Some("/does/not/exist".into());
        Scope { environment: &environment, names, data }.expand(text, None)
    }

    #[test]
    fn references_are_expanded_once() {
        for (text, expanded) in [
            ("plain", None),
            ("5 $ a day", None),
            ("${env:USER}!", Some("anna!")),
            ("${env:NOBODY:-guest}", Some("guest")),
            ("${env:NOBODY:-}", Some("")),
            ("${env:EMPTY:-guest}", Some("")),
            ("${env:TRICKY}", Some("a\"b # ${env:USER} $$")),
            ("$$ $${env:USER} ${data_dir}", Some("$ ${env:USER} /data")),
        ] {
            assert_eq!(expand(text), Ok(expanded.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn a_reference_to_nothing_is_refused_by_name() {
        for (text, why) in [
            ("${env:NOBODY}", Unexpandable::Unset("NOBODY".to_owned())),
            ("${secret:x}", Unexpandable::NoSecret("x".to_owned())),
            ("${home}", Unexpandable::Unknown("home".to_owned())),
            ("${env:USER", Unexpandable::Open),
        ] {
            assert_eq!(expand(text), Err(why), "{text}");
        }
        assert!(matches!(expand("${file:/does/not/exist}"), Err(Unexpandable::File(_, _))));
        assert!(matches!(expand("${cred:x}"), Err(Unexpandable::Credential(_, _))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_text_makes_it_panic(text in r"[${}a-z:é-]{0,24}") {
            let _ = expand(&text);
        }
    }
}
