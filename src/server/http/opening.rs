//! Opens the doors of HTTP, and has them served.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::call::admission::Budget;
use crate::engine::newest::Newest;
use crate::engine::voicemail::shelf as voicemail;
use crate::net::tls::{self, TlsError};
use crate::server::control::clerk::Clerk;
use crate::server::http::door::Door;
use crate::server::http::gate::Gate;
use crate::server::http::models::Models;
use crate::server::http::recordings::Shelf;
use crate::server::http::router::{self, Face};
use crate::server::http::service::Service;
use crate::server::http::voicemails::Messages;
use crate::server::http::witness::Witness;
use crate::server::http::{openai, streams, vapi, web_calls};
use crate::server::keys::unguarded;
use crate::store::api_keys::ApiKeys;
use crate::store::audit::Audit;
use crate::store::call_archive::CallArchive;
use crate::store::key_uses::KeyUses;

pub use crate::server::http::service::Stops;

/// Where the doors are, and what is behind them.
#[derive(Debug)]
pub struct Settings {
    /// The door of programs.
    pub bind: SocketAddr,
    /// Its certificate, if it has one.
    pub tls: Option<tls::Files>,
    /// The door of those who watch over the server.
    pub admin: Option<SocketAddr>,
    /// Where Twilio brings calls, if it may.
    pub twilio: Option<streams::Settings>,
    /// Whom pages may call, if anybody.
    pub web_calls: Option<web_calls::WebCalls>,
    /// By what OpenAI proves itself, if it may bring word of calls.
    pub openai: Option<openai::Settings>,
    /// Whether programs that were written for Vapi are answered, and by what.
    pub vapi: Option<vapi::Settings>,
    /// What the door tells of itself, and to whom.
    pub face: Face,
    /// How often each key may be used.
    pub budget: Budget,
    /// The data folder, in which the keys are.
    pub data: PathBuf,
    /// The records of calls.
    pub calls: PathBuf,
    /// The recordings.
    pub recordings: PathBuf,
    /// The models for engines of this machine.
    pub models: PathBuf,
}

/// Doors that nobody serves yet.
#[derive(Debug)]
pub struct Doors {
    public: Door,
    admin: Option<Door>,
    settings: Settings,
}

/// The gate, which writes down how often keys are used. What cannot be read of that begins anew:
/// it must not keep a server from starting.
fn gate(settings: &Settings, audit: Audit, stops: &Stops, others: &mut JoinSet<()>) -> Arc<Gate> {
    let (keys, place) = (ApiKeys::below(&settings.data), KeyUses::place(&settings.data));
    let (kept, told, mut uses) = Newest::open(place.clone()).unwrap_or_else(|why| {
        tracing::warn!(path = %place.display(), %why, "nobody knows how often keys were used");
        Newest::anew(place)
    });
    if let Ok(all) = keys.all() {
        KeyUses::keep(&mut uses, |id| all.iter().any(|key| key.id == id));
    }
    let gate = Arc::new(Gate::new(keys, settings.budget, audit, uses));
    others.spawn(kept.run());
    others.spawn(gate.clone().keep_uses(told, stops.now.clone()));
    gate
}

/// Why a door is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The socket cannot be had.
    #[error(
        "cannot listen for HTTP at {bind}: {why}\n  choose another address under [http] in conf/server.toml"
    )]
    Bind {
        /// Where it was to be.
        bind: SocketAddr,
        /// What the kernel says.
        why: io::Error,
    },
    /// The certificate cannot be used.
    #[error("cannot listen for HTTP: {0}")]
    Tls(#[from] TlsError),
    /// Anybody could come in, and nobody could prove who it is.
    #[error("[http]: {0}\n  `voxtrunk key create --name NAME` makes one")]
    Unguarded(String),
}

impl Doors {
    /// Binds the sockets.
    ///
    /// # Errors
    /// When one cannot be had, or a certificate, or when there is no key for a door to the network.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let keys = ApiKeys::below(&settings.data);
        if let Some(why) = unguarded(settings.bind, &keys) {
            return Err(OpenError::Unguarded(why));
        }
        let tls = settings.tls.clone().map(tls::Server::load).transpose()?;
        let open = |bind, tls| Door::open(bind, tls).map_err(|why| OpenError::Bind { bind, why });
        let public = open(settings.bind, tls)?;
        let admin = settings.admin.map(|bind| open(bind, None)).transpose()?;
        Ok(Self { public, admin, settings })
    }

    /// Whether pages may call.
    pub fn expects_browsers(&self) -> bool {
        self.settings.web_calls.is_some()
    }

    /// Has them served, beside the `others`, until the stop.
    pub fn serve(self, clerk: Arc<Clerk>, stops: &Stops, others: &mut JoinSet<()>) {
        let Self { public, admin, settings } = self;
        let sip = clerk.sip.clone();
        let entrusted = clerk.playbill.borrow().entrusted.clone();
        let audit = Audit::below(&settings.data);
        let gate = gate(&settings, audit.clone(), stops, others);
        let (witness, asking) = Witness::new(&clerk.facts, &clerk.announcer);
        others.spawn(witness.run(asking.run.clone(), stops.now.clone()));
        let messages = Messages(voicemail::Shelf::new(settings.data.join("voicemail")));
        let kept = (
            CallArchive::new(settings.calls),
            Shelf(settings.recordings),
            messages,
            Models(settings.models),
        );
        let service = Service::new(clerk, kept, (asking, audit), stops.clone());
        if let Ok(address) = public.local() {
            tracing::info!(%address, "answering by HTTP");
        }
        let router = router::public(service.clone(), &gate, &settings.face);
        let router = match settings.twilio {
            Some(twilio) => router.merge(streams::pages(sip, twilio)),
            None => router,
        };
        let router = match settings.openai {
            Some(openai) => {
                let (pages, keeper) = openai::pages(entrusted, openai);
                others.spawn(keeper.run(stops.now.clone()));
                router.merge(pages)
            }
            None => router,
        };
        let counts = settings.face.metrics;
        let has_tls = settings.tls.is_some();
        let router = match settings.vapi {
            Some(vapi) => router.merge(vapi::pages(&service, &gate, has_tls, vapi)),
            None => router,
        };
        let router = match settings.web_calls {
            Some(calls) => {
                let (pages, keeper) = web_calls::pages(service.clone(), calls);
                others.spawn(keeper.run(stops.now.clone()));
                router.merge(pages)
            }
            None => router,
        };
        others.spawn(public.serve(router, stops.now.clone()));
        if let Some(door) = admin {
            others.spawn(door.serve(router::admin(service, counts), stops.now.clone()));
        }
    }
}
