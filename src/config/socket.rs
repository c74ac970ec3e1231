//! How the command line finds the control socket of a server.

use std::path::{Path, PathBuf};

use crate::config::control::{Control, Socket};
use crate::config::glance::{Glance, Unreadable};
use crate::config::paths::tidied;

/// Why the socket of a server is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unfound {
    /// The settings cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The server has none.
    #[error("`{}` says [control] socket = \"off\": that server takes no commands", .0.display())]
    Off(PathBuf),
}

/// The control socket of the server with these settings.
///
/// # Errors
/// When the file cannot be read, or the server has no such socket.
pub fn socket_of(
    config: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf, Unfound> {
    let glance = Glance::at(config, environment)?;
    let socket = match glance.text("control", "socket")? {
        Some(socket) => Socket::from(socket),
        None => Socket::InDataFolder,
    };
    let control = Control { socket, ..Control::default() };
    let path = control.path(glance.data()).ok_or_else(|| Unfound::Off(config.to_owned()))?;
    Ok(tidied(&glance.folder().join(path)))
}

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
        assert!(matches!(found("[control\n"), Err(Unfound::Unreadable(_))));
        std::fs::remove_dir_all(&folder).ok();
    }
}
