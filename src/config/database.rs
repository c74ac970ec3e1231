//! The databases that tools ask, as they stand under `[databases.NAME]`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::tools::statement::Dialect;
use crate::base::secret::{ExposeSecret, Secret};

/// `[databases.NAME]`: a database that tools read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Where it is: `sqlite:orders.db`, or `postgres://user@host/name`.
    #[schemars(with = "String")]
    pub url: Secret,
    /// The password, so that it need not stand in the URL.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
}

impl Database {
    /// Whose words are spoken there; `None` when that is not known.
    pub fn dialect(&self) -> Option<Dialect> {
        let (scheme, _) = self.url.expose_secret().split_once(':')?;
        match scheme {
            "sqlite" => Some(Dialect::Sqlite),
            "postgres" | "postgresql" => Some(Dialect::Postgres),
            _ => None,
        }
    }

    /// The file of an SQLite database.
    pub fn file(&self) -> Option<PathBuf> {
        let path = self.url.expose_secret().strip_prefix("sqlite:")?;
        Some(path.strip_prefix("//").unwrap_or(path).into())
    }

    /// Lets the path of a file be what `settled` makes of it.
    pub fn settle(&mut self, settled: impl Fn(&Path) -> PathBuf) {
        if let Some(file) = self.file() {
            let file = settled(&file);
            self.url = Secret::from(format!("sqlite:{}", file.display()));
        }
    }

    /// Whether a password stands in the URL.
    pub fn has_password_in_url(&self) -> bool {
        let url = self.url.expose_secret();
        let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
        let user = authority.and_then(|authority| authority.rsplit_once('@'));
        user.is_some_and(|(user, _)| user.contains(':')) || url.contains("password=")
    }

    /// Whether it is asked over a network without proof of who it is.
    pub fn may_be_another(&self) -> bool {
        let url = self.url.expose_secret();
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let here = ["", "localhost", "127.0.0.1", "[::1]"];
        let is_here =
            here.iter().any(|here| host == *here || host.starts_with(&format!("{here}:")));
        let is_proven = ["verify-full", "verify-ca"].iter().any(|mode| url.contains(mode));
        self.dialect() == Some(Dialect::Postgres)
            && !(is_here || is_proven || host.starts_with("%2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> Database {
        Database { url: Secret::from(url.to_owned()), password: None }
    }

    #[test]
    fn a_database_is_known_by_its_url() {
        let mut file = database("sqlite:../data/orders.db");
        assert_eq!(file.dialect(), Some(Dialect::Sqlite));
        file.settle(|file| Path::new("/etc/conf").join(file));
        assert_eq!(file.file().as_deref(), Some(Path::new("/etc/conf/../data/orders.db")));
        assert_eq!(database("sqlite:///a.db").file().as_deref(), Some(Path::new("/a.db")));
        assert_eq!(database("mysql://a/b").dialect(), None);
        for (url, in_url, other) in [
            ("postgres://shop:x@db.test/shop", true, true),
            ("postgres://shop@db.test/shop?sslmode=verify-full", false, false),
            ("postgresql://shop@127.0.0.1:5433/shop?password=x", true, false),
            ("postgres:///shop?host=/run/postgresql", false, false),
        ] {
            let it = database(url);
            assert_eq!((it.has_password_in_url(), it.may_be_another()), (in_url, other), "{url}");
        }
    }
}
