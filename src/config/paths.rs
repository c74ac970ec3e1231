//! Paths as people like to read them.

use std::path::{Component, Path, PathBuf};

/// Removes `.` and `folder/..` without looking at the disk, so that paths read well in messages.
pub fn tidied(path: &Path) -> PathBuf {
    let mut tidy: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, tidy.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                tidy.pop();
            }
            _ => tidy.push(part),
        }
    }
    if tidy.is_empty() { PathBuf::from(".") } else { tidy.iter().collect() }
}
