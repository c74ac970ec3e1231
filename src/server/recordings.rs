//! From what the operator's files say of recordings to those who write and bring them.

use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

use crate::base::sealed::Key;
use crate::base::secret::{ExposeSecret, Secret};
use crate::config::external::Fault;
use crate::config::recordings::{Format, Location};
use crate::config::settings::Server;
use crate::engine::recorder::Plan;
use crate::engine::recorder::container;
use crate::net::bucket;
use crate::server::codecs;
use crate::server::running::Recording;

/// How recordings are written and kept.
pub fn kept(server: &Server) -> Recording {
    let retention = server.storage.recordings.retention;
    Recording { plan: plan(server), bucket: bucket(server), retention }
}

/// How recordings are written.
fn plan(server: &Server) -> Plan {
    let format = match server.storage.recordings.format {
        Format::Wav => container::Format::Wav,
        Format::Opus => container::Format::Opus,
    };
    Plan { format, libraries: codecs::libraries(), key: key(server) }
}

/// With what they are sealed; the check has read the key before.
pub fn key(server: &Server) -> Option<Key> {
    let key = server.storage.recordings.encrypt.as_ref()?;
    Key::read(key.expose_secret()).ok()
}

/// The bucket to which they go, if they do.
fn bucket(server: &Server) -> Option<bucket::Settings> {
    let (recordings, secret) = (&server.storage.recordings, |it: &Option<Secret>| it.clone());
    let Location::Bucket { bucket, prefix } = recordings.location.clone() else { return None };
    let s3 = &recordings.s3;
    Some(bucket::Settings {
        endpoint: s3.endpoint.clone()?,
        region: s3.region.clone().unwrap_or_else(|| REGION.to_owned()),
        bucket,
        prefix,
        access_key: secret(&s3.access_key)?,
        secret_key: secret(&s3.secret_key)?,
    })
}

/// A folder in which nothing can be written.
pub fn faults(server: &Server) -> Option<Fault> {
    let folder = server.recordings_folder();
    let why = writable(&folder).err()?;
    let message = format!("recordings cannot be written to {}: {why}", folder.display());
    let mut fault = Fault::error("recordings.folder", "storage.recordings.location", message);
    fault.label = "this folder".to_owned();
    fault.help = Some("let the user of the server write there, or choose another".to_owned());
    Some(fault)
}

/// Whether files can be made in a folder, or the folder itself where it would be.
fn writable(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|it| it.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    Ok(access(there, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Where a store is that does not say so.
const REGION: &str = "us-east-1";
