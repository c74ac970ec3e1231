//! Reads the operator's files again while the server runs: when they change, on SIGHUP, and when an
//! operator asks. What they say counts for calls that begin from then on, as a whole or not at all.

mod edits;
mod watch;

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::watch::Watch;
use crate::call::briefing::Briefing;
use crate::config::inventory::Change;
use crate::config::load::{self, Loaded};
use crate::config::report;
use crate::engine::ai::health::Board;
use crate::engine::announcements::Announcement;
use crate::engine::changing::Holders;
use crate::engine::clock;
use crate::engine::playbill::Playbill;
use crate::server::assembly;
use crate::server::casting;
use crate::server::control::reload::Order;
use crate::server::control::view::{ChangeView, ReloadView};
use crate::server::history::History;
use crate::server::inspection::Inspection;
use crate::server::numbers;
use crate::server::routing;

/// Reads the files again.
#[derive(Debug)]
pub struct Reloader {
    config: PathBuf,
    board: Arc<Board>,
    holders: Holders,
    orders: mpsc::Receiver<Order>,
    watch: Option<Watch>,
    history: History,
    /// What calls are given now, and where that was read.
    now: Arc<(Loaded, Arc<Playbill>)>,
    /// What the server was started with.
    began: Arc<(Loaded, Arc<Playbill>)>,
    /// What was wrong with the files the last time, if they have not been read otherwise since.
    refused: Option<String>,
    /// Keeps secrets out of the tags of what stands in the files.
    salt: String,
}

/// Who wants the files read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Somebody who says so.
    Asked,
    /// They seem to have changed.
    Seen,
}

impl Reloader {
    /// Makes the reader of a server that was started with these.
    pub fn new(
        config: PathBuf,
        (loaded, playbill): (Loaded, Arc<Playbill>),
        (board, holders): (Arc<Board>, Holders),
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let watch = loaded.server.machine.watch.then(|| Watch::begin(&config, &loaded.server));
        let history = History::below(&loaded.server.machine.data_dir);
        let now = Arc::new((loaded, playbill));
        let (watch, began) = (watch.flatten(), now.clone());
        let (refused, salt) = (None, clock::random().token(32));
        Self { config, board, holders, orders, watch, history, now, began, refused, salt }
    }

    /// Serves until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        self.keep();
        let mut hangups = signal(SignalKind::hangup()).ok();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = hung_up(&mut hangups) => {
                    self.reload(Cause::Asked, false).await.ok();
                }
                () = changed(&mut self.watch) => {
                    self.reload(Cause::Seen, false).await.ok();
                }
                // Who asked may have gone when the answer is there.
                Some(order) = self.orders.recv() => self.obey(order).await,
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Read { dry, asker } => {
                asker.send(self.reload(Cause::Asked, dry).await).ok();
            }
            Order::Route { thought, asker } => {
                asker.send(routing::told(&self.now.0, &thought)).ok();
            }
            Order::Look { kind, name, asker } => {
                asker.send(self.look(kind, name).await).ok();
            }
            Order::Numbers { asker } => {
                asker.send(Ok(numbers::all(&self.now.0))).ok();
            }
            Order::Edit { wish, dry, asker } => {
                asker.send(self.edit(*wish, dry).await).ok();
            }
            Order::Lay { path, text, asker } => {
                asker.send(self.lay(path, text).await).ok();
            }
            Order::Cast { text, asker } => {
                asker.send(self.cast(text).await).ok();
            }
            Order::States { asker } => {
                asker.send(self.states().await).ok();
            }
            Order::Differ { from, to, asker } => {
                asker.send(self.differ(from, to).await).ok();
            }
            Order::Restore { at, dry, asker } => {
                asker.send(self.restore(at, dry).await).ok();
            }
        }
    }

    /// Reads the files and, unless it is `dry`, gives them to calls that begin from now on.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    async fn reload(&mut self, cause: Cause, dry: bool) -> Result<ReloadView, String> {
        let loaded = self.load().await?;
        if loaded.has_errors() {
            return self.refuse(loaded.complaint(), dry);
        }
        let changes = loaded.inventory.since(&self.now.0.inventory);
        if cause == Cause::Seen && changes.is_empty() && self.refused.is_none() {
            return Ok(view(&changes, Vec::new(), dry));
        }
        let view = self.prospect(&loaded, dry);
        if dry {
            return Ok(view);
        }
        match self.playbill(&loaded).await {
            Ok(playbill) => self.take(loaded, playbill).await,
            Err(why) => return self.refuse(why, dry),
        }
        Ok(view)
    }

    /// What would be changed by these files.
    fn prospect(&self, loaded: &Loaded, dry: bool) -> ReloadView {
        let changes = loaded.inventory.since(&self.now.0.inventory);
        let since_start = loaded.inventory.since(&self.began.0.inventory);
        view(&changes, restart(&since_start), dry)
    }

    /// What calls would be given by these files.
    async fn playbill(&self, loaded: &Loaded) -> Result<Arc<Playbill>, String> {
        let (before, board) = (self.now.clone(), self.board.clone());
        let playbill = assembly::playbill(loaded, &board, Some((&before.0, &before.1))).await;
        let restart = self.prospect(loaded, false).restart;
        let playbill = playbill.map_err(|why| why.to_string())?;
        Ok(Arc::new(playbill.beside(&self.began.1, &restart)))
    }

    /// Gives files to calls that begin from now on.
    async fn take(&mut self, loaded: Loaded, playbill: Arc<Playbill>) {
        let view = self.prospect(&loaded, false);
        self.board.cashier().settle(casting::till(&loaded.server));
        self.holders.give(playbill.clone()).await;
        self.now = Arc::new((loaded, playbill));
        self.keep();
        self.refused = None;
        let changed = view.changed.iter().map(|it| format!("{} {}", it.what, it.how)).collect();
        let restart = view.restart;
        self.board.announcer().tell(Announcement::ConfigReloaded { changed, restart });
    }

    /// Reads the files, beside the calls.
    async fn load(&self) -> Result<Loaded, String> {
        let config = self.config.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let environment = |name: &str| std::env::var(name).ok();
            load::load(&report::request(&[config]), &environment, &Inspection)
        });
        loading.await.map_err(|_| "the files could not be read; this is a bug".to_owned())
    }

    /// Keeps the files in the history, beside the calls.
    fn keep(&self) {
        let (now, history) = (self.now.clone(), self.history.clone());
        let at = clock::since_epoch();
        // A task that was begun is done even when the server stops.
        tokio::task::spawn_blocking(move || {
            if let Err(why) = history.keep(&now.0, at) {
                tracing::warn!(%why, "the files could not be kept in the history");
            }
        });
    }

    /// Goes on as before. Files that are wrong in the same way are told of once.
    fn refuse(&mut self, why: String, dry: bool) -> Result<ReloadView, String> {
        if !dry && self.refused.as_ref() != Some(&why) {
            self.board.announcer().tell(Announcement::ConfigRefused { why: why.clone() });
            self.refused = Some(why.clone());
        }
        Err(why)
    }
}

impl Loaded {
    /// What is wrong, for people.
    fn complaint(&self) -> String {
        let text = report::render(&self.diagnostics, &self.sources, report::Format::Plain);
        let end = text.floor_char_boundary(LONGEST_COMPLAINT);
        text.get(..end).unwrap_or_default().to_owned()
    }
}

impl Playbill {
    /// The same, with what only a restart changes as it was in the `beginning`: a trunk is not
    /// spoken to in one way and listened to in another.
    fn beside(self, beginning: &Self, restart: &[String]) -> Self {
        if restart.is_empty() {
            return self;
        }
        let (new, old) = (&*self.briefing, &*beginning.briefing);
        let waits = restart.iter().any(|what| is_of_media(what) || what.starts_with("trunks."));
        let briefing = Briefing {
            plan: new.plan.clone(),
            agents: new.agents.clone(),
            squads: new.squads.clone(),
            flows: new.flows.clone(),
            queues: new.queues.clone(),
            letterboxes: new.letterboxes.clone(),
            streams: new.streams.clone(),
            openai: new.openai.clone(),
            trunks: old.trunks.clone(),
            phones: old.phones.clone(),
            numbering: old.numbering,
            media: if waits { old.media.clone() } else { new.media.clone() },
            tapes: new.tapes.clone(),
            privacy: new.privacy.clone(),
            sample: old.sample,
            prices: new.prices.clone(),
        };
        Self { briefing: Arc::new(briefing), ..self }
    }
}

async fn hung_up(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => signals.recv().await.unwrap_or_default(),
        None => pending().await,
    }
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}

/// What waits for a restart. How audio flows is changed as a whole: what would count at once waits
/// with what does not.
fn restart(since_start: &[Change]) -> Vec<String> {
    let is_stuck = |what: &str| !is_live(what);
    let waits = since_start
        .iter()
        .map(|change| change.what.as_str())
        .any(|what| is_stuck(what) && (is_of_media(what) || what.starts_with("trunks.")));
    let changed = since_start.iter().map(|change| &change.what);
    changed.filter(|what| is_stuck(what) || (waits && is_of_media(what))).cloned().collect()
}

/// Whether a piece says how audio flows.
fn is_of_media(what: &str) -> bool {
    what.starts_with("rtp.") || what.starts_with("media.vad")
}

fn view(changes: &[Change], restart: Vec<String>, dry: bool) -> ReloadView {
    let counts = |change: &&Change| is_live(&change.what) && !restart.contains(&change.what);
    let live = changes.iter().filter(counts);
    let changed = live
        .map(|change| ChangeView { what: change.what.clone(), how: change.how.name().to_owned() });
    ReloadView { changed: changed.collect(), restart, dry }
}

/// Whether a piece counts for calls that begin when it was read again. Everything of the dialplans
/// does; of the settings, what no socket, thread or registration was made of.
fn is_live(what: &str) -> bool {
    let Some((table, _)) = what.split_once('.') else { return what != "schema_version" };
    !SETTINGS.contains(&table) || LIVE.iter().any(|live| what == *live || what.starts_with(live))
}

/// The tables of the settings of the machine.
const SETTINGS: &[&str] = &[
    "server",
    "otel",
    "sip",
    "tls",
    "rtp",
    "media",
    "trunks",
    "tenants",
    "phones",
    "groups",
    "providers",
    "mail",
    "databases",
    "security",
    "storage",
    "webhooks",
    "streams",
    "control",
    "http",
    "log",
];

/// What counts of them for calls that begin: a whole key, or what begins so.
const LIVE: &[&str] = &[
    "server.language",
    "server.timezone",
    "providers.",
    "mail.",
    "databases.",
    "streams.",
    "media.hold_music",
    "rtp.codecs",
    "rtp.ptime",
    "rtp.dtmf",
    "rtp.timeout",
    "security.tools",
];

/// How much is said of what is wrong, in octets.
const LONGEST_COMPLAINT: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_at_once_is_known() {
        for live in [
            "agents.reception",
            "routes",
            "hours.office",
            "providers.openai",
            "rtp.codecs",
            "server.timezone",
            "/etc/voxtrunk/dialplans/prompts/reception.md",
        ] {
            assert!(is_live(live), "{live}");
        }
        for not in ["sip.listen", "trunks.carrier", "rtp.ports", "server.data_dir", "phones.101"] {
            assert!(!is_live(not), "{not}");
        }
    }
}
