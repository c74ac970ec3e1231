//! Files of which only the newest state matters: what was spent, who stands in which dialog. A slow
//! disk never has more than one state before it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// Where the newest state is told.
pub type Told<T> = watch::Sender<Arc<T>>;

/// Keeps a file.
#[derive(Debug)]
pub struct Newest<T> {
    path: PathBuf,
    states: watch::Receiver<Arc<T>>,
}

impl<T> Newest<T>
where
    T: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static,
{
    /// Reads the file, and keeps it from now on.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(path: PathBuf) -> io::Result<(Self, Told<T>, T)> {
        let state = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => T::default(),
            Err(why) => return Err(why),
        };
        let (told, states) = watch::channel(Arc::new(state.clone()));
        Ok((Self { path, states }, told, state))
    }

    /// Keeps the file from now on, whatever stands there.
    pub fn anew(path: PathBuf) -> (Self, Told<T>, T) {
        let (told, states) = watch::channel(Arc::default());
        (Self { path, states }, told, T::default())
    }

    /// Writes until nobody tells any more, and then the last state.
    pub async fn run(self) {
        self.run_until(std::future::pending()).await;
    }

    /// The same, until something else is over at the latest.
    pub async fn run_until(mut self, over: impl Future<Output = ()>) {
        let mut over = std::pin::pin!(over);
        loop {
            let is_over = tokio::select! {
                changed = self.states.changed() => changed.is_err(),
                () = &mut over => true,
            };
            if !is_over || self.states.has_changed().unwrap_or(false) {
                self.keep().await;
            }
            if is_over {
                return;
            }
        }
    }

    async fn keep(&mut self) {
        let (state, path) = (self.states.borrow_and_update().clone(), self.path.clone());
        let written = tokio::task::spawn_blocking(move || write(&path, &*state)).await;
        if let Ok(Err(why)) = written {
            let path = self.path.display();
            tracing::error!(%path, %why, "what has changed cannot be written down");
        }
    }
}

fn write(path: &Path, state: &impl Serialize) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let partial = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_data()?;
    fs::rename(partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_told_last_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-newest-{}", std::process::id()));
        let path = folder.join("numbers.json");
        let (kept, told, before) = Newest::<Vec<u32>>::open(path.clone()).expect("a new file");
        assert!(before.is_empty());
        let running = tokio::spawn(kept.run());
        for count in 1..=20 {
            told.send_replace(Arc::new((0..count).collect()));
        }
        drop(told);
        running.await.expect("it ends");
        let (_, _, after) = Newest::<Vec<u32>>::open(path.clone()).expect("the file");
        assert_eq!(after.len(), 20);
        // One that is not waited for any more writes what it was told.
        let (kept, told, _) = Newest::<Vec<u32>>::open(path.clone()).expect("the file");
        told.send_replace(Arc::new(vec![7]));
        kept.run_until(async {}).await;
        let (_, _, after) = Newest::<Vec<u32>>::open(path.clone()).expect("the file");
        assert_eq!(after, [7]);
        fs::write(&path, "[1,").expect("a torn file");
        assert!(Newest::<Vec<u32>>::open(path).is_err(), "nothing is begun anew in silence");
        fs::remove_dir_all(folder).expect("cleared");
    }
}
