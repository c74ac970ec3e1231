//! What was spent, in a file below the folder of data: budgets outlive the server. Only the newest
//! state matters, so a slow disk never has more than one of them before it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::call::outbound::purse::Ledger;

/// Where the newest state is told.
pub type Told = watch::Sender<Arc<Ledger>>;

/// Keeps the file.
#[derive(Debug)]
pub struct Spending {
    path: PathBuf,
    ledger: watch::Receiver<Arc<Ledger>>,
}

impl Spending {
    /// Reads the file, and keeps it from now on.
    ///
    /// # Errors
    /// When it is there and cannot be read: nobody knows then what may still be spent.
    pub fn open(path: PathBuf) -> io::Result<(Self, Told, Ledger)> {
        let ledger = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ledger::default(),
            Err(why) => return Err(why),
        };
        let (told, receiver) = watch::channel(Arc::new(ledger.clone()));
        Ok((Self { path, ledger: receiver }, told, ledger))
    }

    /// Writes until nobody tells any more, and then the last state.
    pub async fn run(mut self) {
        while self.ledger.changed().await.is_ok() {
            let (ledger, path) = (self.ledger.borrow_and_update().clone(), self.path.clone());
            let written = tokio::task::spawn_blocking(move || write(&path, &ledger)).await;
            if let Ok(Err(why)) = written {
                let path = self.path.display();
                tracing::error!(%path, %why, "what was spent cannot be written down");
            }
        }
    }
}

fn write(path: &Path, ledger: &Ledger) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let partial = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&serde_json::to_vec_pretty(ledger)?)?;
    file.sync_data()?;
    fs::rename(partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::outbound::purse::{Spent, Sum};

    #[tokio::test]
    async fn what_was_told_last_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-spending-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("spending.json");
        let (spending, told, before) = Spending::open(path.clone()).expect("a new file");
        assert_eq!(before, Ledger::default());
        let running = tokio::spawn(spending.run());
        let mut ledger = Ledger::default();
        for minutes_out in 1..=20 {
            let day = "2026-11-22".parse().expect("a day");
            let sum = Sum { minutes_out, ..Sum::default() };
            ledger.0.insert("trunk:a".to_owned(), Spent { day, today: sum, month: sum });
            told.send_replace(Arc::new(ledger.clone()));
        }
        drop(told);
        running.await.expect("it ends");
        let (_, _, after) = Spending::open(path.clone()).expect("the file");
        assert_eq!(after, ledger);
        fs::write(&path, "{").expect("a torn file");
        assert!(Spending::open(path).is_err(), "nothing is begun anew in silence");
        fs::remove_dir_all(folder).expect("cleared");
    }
}
