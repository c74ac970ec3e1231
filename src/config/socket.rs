//! How the command line finds the control socket of a server, without the secrets that the server
//! itself needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::control::{Control, Socket};
use crate::config::file;
use crate::config::interpolate::Scope;
use crate::config::settings::{Server, tidied};

/// Why the socket of a server is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unfound {
    /// The settings cannot be read.
    #[error("`{}` cannot be read: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The server has none.
    #[error("`{}` says [control] socket = \"off\": that server takes no commands", .0.display())]
    Off(PathBuf),
}

/// The control socket of the server with these settings. Only what leads there is read: whoever
/// looks at a server need not have its passwords.
///
/// # Errors
/// When the file cannot be read, or the server has no such socket.
pub fn socket_of(
    config: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf, Unfound> {
    let unreadable = |why: String| Unfound::Unreadable { path: config.to_owned(), why };
    let text = file::read_text(config, LARGEST_FILE).map_err(|why| unreadable(why.to_string()))?;
    let table = toml::de::DeTable::parse(&text).map_err(|why| unreadable(why.to_string()))?;
    let folder = config.parent().unwrap_or(Path::new(""));
    let mut scope = Scope { environment, names: BTreeMap::new() };
    let value = |section: &str, key: &str| {
        let section = table.get_ref().get(section)?.get_ref().get(key)?;
        section.get_ref().as_str().map(str::to_owned)
    };
    let expand = |scope: &Scope<'_>, text: String| {
        let expanded = scope.expand(&text, Some(folder)).map_err(|why| unreadable(why.to_string()));
        expanded.map(|expanded| expanded.unwrap_or(text))
    };
    let default = || Server::default().machine.data_dir.to_string_lossy().into_owned();
    let data = expand(&scope, value("server", "data_dir").unwrap_or_else(default))?;
    scope.names.insert("data_dir", data.clone());
    let socket = match value("control", "socket") {
        Some(socket) => Socket::from(expand(&scope, socket)?),
        None => Socket::InDataFolder,
    };
    let control = Control { socket, ..Control::default() };
    let path = control.path(Path::new(&data)).ok_or_else(|| Unfound::Off(config.to_owned()))?;
    Ok(tidied(&folder.join(path)))
}

/// The largest file, in octets.
const LARGEST_FILE: u64 = 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_without_the_passwords_of_the_server() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-control-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("server.toml");
        let found = |text: &str| {
            std::fs::write(&config, text).unwrap();
            let environment = |name: &str| (name == "RUN").then(|| "/run/vt".to_owned());
            socket_of(&config, &environment)
        };
        let secret = "[trunks.a]\npassword = \"${env:UNSET}\"\n";
        let beside = tidied(&folder.join("../data/control.sock"));
        assert_eq!(found(secret).unwrap(), beside);
        let data = "[server]\ndata_dir = \"calls\"\n";
        assert_eq!(found(data).unwrap(), folder.join("calls/control.sock"));
        let named = "[control]\nsocket = \"${env:RUN}/c.sock\"\n";
        assert_eq!(found(named).unwrap(), Path::new("/run/vt/c.sock"));
        let inside = format!("{data}[control]\nsocket = \"${{data_dir}}/c.sock\"\n");
        assert_eq!(found(&inside).unwrap(), folder.join("calls/c.sock"));
        assert!(matches!(found("[control]\nsocket = \"off\"\n"), Err(Unfound::Off(_))));
        assert!(matches!(found("[control\n"), Err(Unfound::Unreadable { .. })));
        std::fs::remove_dir_all(&folder).ok();
    }
}
