//! Reads the operator's files from the disk: texts of a bounded size, folders in a fixed order.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads a text of at most `largest` octets.
///
/// # Errors
/// When it cannot be read, is too long, or is not UTF-8: why, in words.
pub fn read_text(path: &Path, largest: u64) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|why| reason(&why))?;
    let mut text = String::new();
    // The size that a device or a pipe tells means nothing, so that the reading itself is bounded.
    file.take(largest + 1).read_to_string(&mut text).map_err(|why| reason(&why))?;
    of_size(text, largest)
}

/// A text that is not too long.
///
/// # Errors
/// With how long it may be.
pub fn of_size(text: String, largest: u64) -> Result<String, String> {
    if text.len() as u64 > largest {
        return Err(format!("it is longer than {} KB", largest / 1_024));
    }
    Ok(text)
}

/// Finds every `.toml` file in a folder and below it: first the files of a folder in the order of
/// their names, then its folders. Hidden files and folders are left out.
///
/// # Errors
/// When a folder cannot be read: its path, and why.
pub fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, (PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let (mut files, mut folders) = entries(&folder).map_err(|why| (folder, reason(&why)))?;
        files.sort();
        folders.sort();
        found.append(&mut files);
        if depth < DEEPEST {
            waiting.extend(folders.into_iter().rev().map(|folder| (folder, depth + 1)));
        }
    }
    Ok(found)
}

/// Puts the files below one of these folders before all others; otherwise they stay as they are.
pub fn put_first(files: &mut [PathBuf], folders: &[PathBuf]) {
    files.sort_by_key(|file| !folders.iter().any(|folder| file.starts_with(folder)));
}

/// The `.toml` files and the folders in a folder.
fn entries(folder: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok((files, folders))
}

/// The reason in words, without the number that the operating system has for it.
fn reason(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        kind => kind.to_string(),
    }
}

/// How many folders deep files are looked for; a link that leads back ends here.
const DEEPEST: usize = 8;
