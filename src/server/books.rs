//! What is written down so that it outlives the server: what calls and providers have cost, and in
//! which dialogs somebody is.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::outbound::purse::{self, Ledger, Purse};
use crate::call::till;
use crate::engine::ai::cashier::Cashier;
use crate::engine::newest::{Newest, Told};
use crate::engine::sip_shard::SipShard;
use crate::sip::dialog::state::Dialog;

/// The books of a server, as those before it left them.
#[derive(Debug)]
pub struct Books {
    spending: Newest<Ledger>,
    work: Newest<till::Ledger>,
    purse: (Purse, Told<Ledger>),
    dialogs: Newest<Vec<Dialog>>,
    left: (Vec<Dialog>, Told<Vec<Dialog>>),
}

/// A file of what was spent cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, where it stands what was spent: {why}\n  mend it, or remove it to begin at nothing", .path.display())]
pub struct Unread {
    path: PathBuf,
    why: io::Error,
}

impl Books {
    /// Opens them; has a cashier write into them.
    ///
    /// # Errors
    /// When it cannot be read what was spent: a budget that begins anew with each start is none.
    pub fn open(
        settings: purse::Settings,
        cashier: &Cashier,
        spending: &Path,
        dialogs: &Path,
    ) -> Result<Self, Unread> {
        let (work, told, ledger) = opened(&spending.with_file_name(OF_PROVIDERS))?;
        cashier.remember(ledger, told);
        let (spending, spent, ledger) = opened(spending)?;
        let (dialogs, standing, left) = standing(dialogs);
        let purse = (Purse::new(settings, ledger), spent);
        Ok(Self { spending, work, purse, dialogs, left: (left, standing) })
    }

    /// Has a shard write into them; gives what brings that to the disk, until the shard is gone.
    pub fn given_to(self, shard: SipShard) -> (SipShard, impl Future<Output = ()> + Send) {
        let Self { spending, work, purse, dialogs, left } = self;
        let shard = shard.with_purse(purse.0, purse.1).with_farewells(left.0, left.1);
        let writing = work.run_until(async {
            tokio::join!(spending.run(), dialogs.run());
        });
        (shard, writing)
    }
}

fn opened<T>(path: &Path) -> Result<(Newest<T>, Told<T>, T), Unread>
where
    T: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static,
{
    Newest::open(path.to_owned()).map_err(|why| Unread { path: path.to_owned(), why })
}

/// In which dialogs somebody was when a server was killed. If that cannot be read, those who were
/// there notice by themselves.
fn standing(path: &Path) -> (Newest<Vec<Dialog>>, Told<Vec<Dialog>>, Vec<Dialog>) {
    Newest::open(path.to_owned()).unwrap_or_else(|why| {
        tracing::warn!(path = %path.display(), %why, "nobody knows which calls were up");
        Newest::anew(path.to_owned())
    })
}

/// The file of what providers have cost, beside that of what calls have cost.
const OF_PROVIDERS: &str = "spending-of-providers.json";
