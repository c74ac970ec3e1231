//! What the signalling writes down, so that it outlives the server: what calls have cost, and in which
//! dialogs somebody is.

use std::io;
use std::path::Path;

use crate::call::outbound::purse::{self, Ledger, Purse};
use crate::engine::newest::{Newest, Told};
use crate::engine::sip_shard::SipShard;
use crate::sip::dialog::state::Dialog;

/// The books of a server, as those before it left them.
#[derive(Debug)]
pub struct Books {
    spending: Newest<Ledger>,
    purse: (Purse, Told<Ledger>),
    dialogs: Newest<Vec<Dialog>>,
    left: (Vec<Dialog>, Told<Vec<Dialog>>),
}

impl Books {
    /// Opens them.
    ///
    /// # Errors
    /// When it cannot be read what was spent: a budget that begins anew with each start is none.
    pub fn open(settings: purse::Settings, spending: &Path, dialogs: &Path) -> io::Result<Self> {
        let (spending, spent, ledger) = Newest::open(spending.to_owned())?;
        let (dialogs, standing, left) = standing(dialogs);
        let purse = (Purse::new(settings, ledger), spent);
        Ok(Self { spending, purse, dialogs, left: (left, standing) })
    }

    /// Has a shard write into them; gives what brings that to the disk, until the shard is gone.
    pub fn given_to(self, shard: SipShard) -> (SipShard, impl Future<Output = ()> + Send) {
        let Self { spending, purse, dialogs, left } = self;
        let shard = shard.with_purse(purse.0, purse.1).with_farewells(left.0, left.1);
        let writing = async {
            tokio::join!(spending.run(), dialogs.run());
        };
        (shard, writing)
    }
}

/// In which dialogs somebody was when a server was killed. If that cannot be read, those who were
/// there notice by themselves.
fn standing(path: &Path) -> (Newest<Vec<Dialog>>, Told<Vec<Dialog>>, Vec<Dialog>) {
    Newest::open(path.to_owned()).unwrap_or_else(|why| {
        tracing::warn!(path = %path.display(), %why, "nobody knows which calls were up");
        Newest::anew(path.to_owned())
    })
}
