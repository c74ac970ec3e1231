//! What a server remembers by: opens the database, brings it into shape while calls come in, and has
//! it filled, read and tidied.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::settings::Server;
use crate::engine::announcements::Announcement;
use crate::engine::bus::Noted;
use crate::engine::clock;
use crate::net::tls::{self, TlsError};
use crate::net::web::Web;
use crate::server::control::history::History;
use crate::server::inlets;
use crate::server::records::Records;
use crate::server::vapi::ledger::Ledger;
use crate::server::webhooks::courier;
use crate::server::webhooks::desk::Desk;
use crate::server::webhooks::endpoint::Endpoint;
use crate::server::webhooks::intake::Intake;
use crate::server::webhooks::scribe::{Scribe, Sources};
use crate::store::call_archive::CallArchive;
use crate::store::call_files::CallFiles;
use crate::store::database::{Database, DatabaseError};
use crate::store::drafts::Drafts;
use crate::store::expiry::{Expiry, Keep};
use crate::store::index::Index;
use crate::store::indexer::{Backlog, Indexer};
use crate::store::labels::{Labels, Order};
use crate::store::migration::{self, MigrationError};
use crate::store::outbox::Outbox;
use crate::store::spool::Spool;

/// What a server remembers by.
#[derive(Debug)]
pub struct Settings {
    /// Where calls are listed and events wait.
    pub database: Database,
    /// How long what is kept.
    pub keep: Keep,
    /// The file of the calls that are up.
    pub drafts: PathBuf,
    /// The folder of events on their way to the database.
    pub spool: PathBuf,
    /// Who is told what happens.
    pub endpoints: Arc<[Endpoint]>,
    /// What they may be told of calls beside their records.
    pub sources: Sources,
    /// How they are reached.
    pub web: Web,
}

/// Why it cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made.
    #[error("the database `{}` cannot be opened: {why}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the kernel says.
        why: io::Error,
    },
    /// The server of it cannot be named.
    #[error("the database of calls: {0}")]
    Database(#[from] DatabaseError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client cannot be had.
    #[error("no client for webhooks: {0}")]
    Client(#[from] reqwest::Error),
}

/// The database of a server, which need not be there yet.
///
/// # Errors
/// When its file cannot be made, or its URL is none.
pub fn database(server: &Server) -> Result<Database, StoreError> {
    match (server.database_file(), &server.storage.database) {
        (None, Some(database)) => Ok(Database::postgres(&database.url)?),
        (file, _) => {
            let file = file.unwrap_or_default();
            Database::sqlite(&file).map_err(|why| StoreError::File { file, why })
        }
    }
}

/// What the settings say.
///
/// # Errors
/// When something of it cannot be had.
pub fn settings(server: &Server, ledger: Ledger) -> Result<Settings, StoreError> {
    let files = tls::Files { identity: None, authorities: server.sip.tls.ca.clone() };
    let allowed = server.security.webhooks.allow.clone();
    let endpoints = server.webhooks.iter().map(|(name, webhook)| Endpoint::new(name, webhook));
    let retention = &server.storage.retention;
    Ok(Settings {
        database: database(server)?,
        keep: Keep {
            calls: retention.cdr,
            transcripts: retention.transcripts,
            events: retention.events,
        },
        drafts: server.machine.data_dir.join("running.jsonl"),
        spool: server.machine.data_dir.join("events"),
        endpoints: endpoints.collect(),
        sources: Sources {
            drawer: inlets::drawer(server),
            ledger: server.http.as_ref().and_then(|http| http.vapi).map(|_| ledger),
            public_url: server.http.as_ref().and_then(|http| http.public_url.clone()),
        },
        web: Web::new(allowed, &tls::Client::load(files)?)?,
    })
}

/// Those who remember, not yet at work.
#[derive(Debug)]
pub struct Memory {
    history: History,
    desk: Desk,
    records: Records,
    indexer: Indexer,
    expiry: Expiry,
    intake: Intake,
    orders: mpsc::Receiver<Order>,
    kept: watch::Receiver<()>,
}

impl Memory {
    /// Readies them; records of calls go to `files`.
    ///
    /// # Errors
    /// When the folder of events cannot be made, or it cannot be read which calls were up.
    pub fn open(settings: Settings, files: &CallFiles) -> Result<Self, (PathBuf, io::Error)> {
        let Settings { database, keep, drafts, spool: folder, endpoints, sources, web } = settings;
        let (index, outbox) = (Index::new(database.clone()), Outbox::new(database));
        let archive = CallArchive::new(files.folder().to_owned());
        let backlog = Backlog::default();
        let spool = Spool::open(folder.clone()).map_err(|why| (folder.clone(), why))?;
        let (told, kept) = watch::channel(());
        let arrived = Arc::new(watch::channel(()).0);
        let desk = Desk {
            endpoints: endpoints.clone(),
            outbox: outbox.clone(),
            web,
            arrived: arrived.clone(),
            shaped: Arc::new(watch::channel(false).0),
        };
        let (labels, (labelling, orders)) = (Labels::default(), mpsc::channel(ORDERS));
        let drafted = Drafts::new(drafts.clone());
        let records = (files.clone(), drafted, backlog.clone(), labels.clone());
        let scribe = Scribe::new(endpoints.clone(), sources, archive.clone());
        let records = Records::new(records, (spool, scribe, told));
        let records = records.resumed(&drafts).map_err(|why| (drafts, why))?;
        let intake = Intake { folder, outbox, endpoints: endpoints.clone(), arrived };
        Ok(Self {
            history: History::new(
                (archive.clone(), index.clone(), backlog.clone()),
                (labels, labelling),
            ),
            desk,
            records,
            indexer: Indexer::new(index.clone(), archive, backlog.clone()),
            expiry: Expiry::new(keep, files.clone(), index, backlog),
            intake,
            orders,
            kept,
        })
    }

    /// Has records written of what is told, and, as soon as the database has its shape, all else
    /// done beside the `others` until `stop`. Gives what operators look at.
    pub fn work(
        self,
        (facts, announcements): (mpsc::Receiver<Noted>, broadcast::Receiver<Announcement>),
        stop: &CancellationToken,
        others: &mut JoinSet<()>,
    ) -> (History, Desk) {
        let Self { history, desk, records, indexer, expiry, intake, orders, kept } = self;
        let (stop, known) = (stop.clone(), (history, desk.clone()));
        others.spawn(records.write((facts, orders), announcements));
        others.spawn(async move {
            if !is_in_shape(&desk.outbox, &stop).await {
                return;
            }
            desk.shaped.send_replace(true);
            let mut work = JoinSet::new();
            for courier in courier::all(&desk.endpoints, &desk.outbox, &desk.web) {
                work.spawn(courier.run(desk.arrived.subscribe(), stop.clone()));
            }
            work.spawn(intake.run(kept, stop.clone()));
            work.spawn(indexer.run(stop.clone()));
            work.spawn(expiry.run(clock::since_epoch, stop.clone()));
            while work.join_next().await.is_some() {}
            desk.outbox.database().close().await;
        });
        known
    }
}

/// Brings the database into shape, however long it is away; false when the server stops before.
async fn is_in_shape(outbox: &Outbox, stop: &CancellationToken) -> bool {
    let mut was_told = false;
    loop {
        match migration::migrate(outbox.database(), clock::since_epoch()).await {
            Ok(done) => {
                for step in done {
                    let (version, about) = (step.version, step.name);
                    tracing::info!(version, about, "the database has a new shape");
                }
                return true;
            }
            Err(why) if !was_told => {
                let why_not = "the database cannot be used: calls are kept in their files";
                match why {
                    MigrationError::Database(_) => tracing::warn!(%why, "{why_not}"),
                    MigrationError::Newer(_) | MigrationError::Other(_) => {
                        tracing::error!(%why, "{why_not}");
                    }
                }
                was_told = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// How soon a database is tried again that is away.
const AGAIN: Duration = Duration::from_secs(2);

/// How many programs may have something kept with calls at once; the others wait.
const ORDERS: usize = 64;
