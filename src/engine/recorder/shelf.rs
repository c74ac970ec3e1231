//! Where recordings stand: in a folder for each day, `YYYY/MM/DD`, by the beginning of the call in
//! UTC. What earlier versions left in the folder above them is found there.

use std::path::{Path, PathBuf};

use crate::base::calendar::Date;
use crate::base::id::CallId;
use crate::engine::recorder::sidecar::Sidecar;

/// The folder in which the recording of a call belongs.
pub fn folder_of(root: &Path, call: CallId) -> PathBuf {
    match Date::at(call.began()) {
        Some(day) => folder_of_day(root, day),
        None => root.to_owned(),
    }
}

/// All notes on the shelf.
pub fn notes(root: &Path) -> Vec<Sidecar> {
    folders(root).iter().flat_map(|folder| Sidecar::all(folder)).collect()
}

/// The shelf itself and whatever of years, months and days there is below it, the days in order.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    below(root, DEPTH, &mut found);
    found
}

/// Removes the folders of years, months and days before `today` that hold nothing.
pub fn tidy(root: &Path, today: Date) {
    let today = name_in(root, &folder_of_day(root, today));
    let mut folders = folders(root);
    // Days before their months, months before their years.
    folders.reverse();
    for folder in folders {
        let name = name_in(root, &folder);
        if is_of_a_date(&name) && name < today && !today.starts_with(&name) {
            // The kernel refuses whatever is not empty.
            std::fs::remove_dir(folder).ok();
        }
    }
}

/// How a file on the shelf is called from there, with slashes.
pub fn name_in(root: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(root).unwrap_or(file).iter();
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn folder_of_day(root: &Path, day: Date) -> PathBuf {
    root.join(format!("{:04}/{:02}/{:02}", day.year(), day.month(), day.day()))
}

/// `2026`, `2026/11` or `2026/11/21`.
fn is_of_a_date(name: &str) -> bool {
    let lengths: Vec<usize> = name.split('/').map(str::len).collect();
    [4, 2, 2].starts_with(&lengths)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if depth == 0 {
        return;
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // A link leads elsewhere: what is there is not ours.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
    let mut folders: Vec<PathBuf> =
        folders.map(|entry| entry.path()).filter(|path| is_part_of_a_date(path)).collect();
    folders.sort();
    for folder in folders {
        found.push(folder.clone());
        below(&folder, depth - 1, found);
    }
}

fn is_part_of_a_date(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [4, 2].contains(&name.len()) && name.bytes().all(|octet| octet.is_ascii_digit())
}

/// Years, months, days.
const DEPTH: usize = 3;
