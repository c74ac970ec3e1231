//! A glance at the settings for whoever works beside a server: only what is looked for is read, and
//! nobody needs the secrets that the server itself has to have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::file;
use crate::config::interpolate::Scope;
use crate::config::paths::tidied;
use crate::config::settings::Server;

/// The settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be read: {why}", .path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// The settings of a server.
pub struct Glance<'a> {
    config: &'a Path,
    text: String,
    scope: Scope<'a>,
    data: PathBuf,
}

impl<'a> Glance<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at(
        config: &'a Path,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Unreadable> {
        let unreadable = |why| Unreadable { path: config.to_owned(), why };
        let text = file::read_text(config, LARGEST_FILE).map_err(unreadable)?;
        let scope = Scope { environment, names: BTreeMap::new(), data: None };
        let mut glance = Self { config, text, scope, data: Server::default().machine.data_dir };
        if let Some(data) = glance.text("server", "data_dir")? {
            glance.data = data.into();
        }
        glance.scope.data = Some(tidied(&glance.folder().join(&glance.data)));
        let data = glance.data.to_string_lossy().into_owned();
        glance.scope.names.insert("data_dir", data);
        Ok(glance)
    }

    /// The text at a key of a table; `None` when it was not written.
    ///
    /// # Errors
    /// When the file is no TOML, or the text names what is not there.
    pub fn text(&self, table: &str, key: &str) -> Result<Option<String>, Unreadable> {
        let all = self.all()?;
        let value = all.get_ref().get(table).and_then(|table| table.get_ref().get(key));
        let text = value.and_then(|value| value.get_ref().as_str());
        text.map(|text| self.expanded(text)).transpose()
    }

    /// The paths at a key of each tenant that has it.
    ///
    /// # Errors
    /// When the file is no TOML, or a path names what is not there.
    pub fn of_tenants(&self, key: &str) -> Result<Vec<PathBuf>, Unreadable> {
        let all = self.all()?;
        let tenants = all.get_ref().get("tenants").and_then(|it| it.get_ref().as_table());
        let tenants = tenants.into_iter().flat_map(|it| it.values());
        let written = tenants.filter_map(|it| it.get_ref().get(key)?.get_ref().as_str());
        let path = |text| Ok(tidied(&self.folder().join(self.expanded(text)?)));
        written.map(path).collect()
    }

    fn all(&self) -> Result<toml::Spanned<toml::de::DeTable<'_>>, Unreadable> {
        toml::de::DeTable::parse(&self.text).map_err(|why| self.unreadable(why.to_string()))
    }

    fn expanded(&self, text: &str) -> Result<String, Unreadable> {
        let expanded = self.scope.expand(text, Some(self.folder()));
        let expanded = expanded.map_err(|why| self.unreadable(why.to_string()))?;
        Ok(expanded.unwrap_or_else(|| text.to_owned()))
    }

    fn unreadable(&self, why: String) -> Unreadable {
        Unreadable { path: self.config.to_owned(), why }
    }

    /// The folder of the file: where its paths begin.
    pub fn folder(&self) -> &'a Path {
        self.config.parent().unwrap_or(Path::new(""))
    }

    /// The folder of the server's data, as it is written.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of the models.
    ///
    /// # Errors
    /// When the file is no TOML, or the path names what is not there.
    pub fn models(&self) -> Result<PathBuf, Unreadable> {
        let written = self.text("server", "models")?.map(PathBuf::from);
        let models = written.unwrap_or_else(|| Server::default().machine.models);
        Ok(tidied(&self.folder().join(models)))
    }
}

/// The largest file, in octets.
const LARGEST_FILE: u64 = 1_024 * 1_024;
