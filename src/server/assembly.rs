//! From the operator's files to the blueprint of a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::agent::masking::kind::Kind;
use crate::audio::speech;
use crate::call::briefing::{Briefing, Letterbox, MediaPolicy, Privacy, Refer, Tapes, Terms};
use crate::call::keying::{self, Policy, Srtp};
use crate::call::numbering::{Format, Numbering};
use crate::call::trace::Sample;
use crate::config::diagnostic::Severity;
use crate::config::inlets::OpenAi;
use crate::config::keys::KeyWay;
use crate::config::load::Loaded;
use crate::config::observing::Hep;
use crate::config::report;
use crate::config::settings::{self, Detector, Server, SessionTimers};
use crate::engine::ai::health::Board;
use crate::engine::announcements::Announcer;
use crate::engine::entrusted::Entrusted;
use crate::engine::playbill::{Drive, Playbill};
use crate::media::event::Ways;
use crate::media::jitter::Bounds;
use crate::net::dtls::{Identity, NoIdentity};
use crate::providers::error::ProviderError;
use crate::providers::sound_file::Unplayable;
use crate::providers::vad::registry as vad;
use crate::server::casting::{self, CastError};
use crate::server::codecs;
use crate::server::control::view::LimitsView;
use crate::server::hep;
use crate::server::http::opening;
use crate::server::http::router::Face;
use crate::server::inspection::Inspection;
use crate::server::listening;
use crate::server::phones::{self, PhoneError};
use crate::server::running::{Blueprint, Control, Folders};
use crate::server::stir::{self, StirError};
use crate::server::storing::{self, StoreError};
use crate::server::tools::{self, Shop, ShopError};
use crate::server::vapi::ledger::Ledger;
use crate::server::webhooks::oracle;
use crate::server::{door, inlets, music, recordings, streams, trunks, vantage};
use crate::sip::dialog::session_timer::{self, Mode};
use crate::sip::endpoint;
use crate::sip::transaction::timers::Timers;
use crate::store::audit::Audit;

/// Why there is no blueprint.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// An agent cannot be put on the line.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// The tools cannot be had.
    #[error(transparent)]
    Tools(#[from] ShopError),
    /// A phone cannot be had.
    #[error(transparent)]
    Phone(#[from] PhoneError),
    /// Browsers cannot be shown who we are.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
    /// Signatures of calls can neither be checked nor made.
    #[error(transparent)]
    Stir(#[from] StirError),
    /// The database, or the way to webhooks, cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hold music cannot be had.
    #[error("the hold music `{}` cannot be played: {why}", .path.display())]
    Music {
        /// The file.
        path: PathBuf,
        /// Why.
        why: Unplayable,
    },
    /// The greeting of a voicemail cannot be had.
    #[error("the greeting of the voicemail `{name}` cannot be played: {why}")]
    Greeting {
        /// The voicemail.
        name: String,
        /// Why.
        why: Unplayable,
    },
    /// The speech detector cannot be had.
    #[error("the speech detector cannot be loaded: {0}\n  ./dev setup fetches its model")]
    Detector(ProviderError),
}

/// What is printed of what a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Mistakes and doubts.
    Everything,
    /// Mistakes only: the files are ours, and a newcomer has other things to read.
    Errors,
}

/// Reads and checks the files; what is wrong is printed.
///
/// # Errors
/// The exit status, when the server must not start with them.
pub fn load(config: &Path, show: Show) -> Result<Loaded, ExitCode> {
    let request = report::request(&[config.to_owned()]);
    let environment = |name: &str| std::env::var(name).ok();
    let mut loaded = crate::config::load::load(&request, &environment, &Inspection);
    if show == Show::Errors {
        loaded.diagnostics.retain(|found| found.severity == Severity::Error);
    }
    let text = report::render(&loaded.diagnostics, &loaded.sources, report::Format::for_stderr());
    eprint!("{text}");
    if loaded.has_errors() {
        eprintln!("The configuration has errors: nothing was started.");
        return Err(ExitCode::FAILURE);
    }
    Ok(loaded)
}

/// Readies agents and detector, and draws the blueprint.
///
/// # Errors
/// When a provider or the detector cannot be had.
pub async fn blueprint(loaded: &Loaded) -> Result<Blueprint, AssemblyError> {
    let server = &loaded.server;
    let board = Arc::new(Board::new(Announcer::default()));
    board.cashier().settle(casting::till(server));
    let playbill = Arc::new(playbill(loaded, &board, None).await?);
    let kind = match server.media.vad.detector {
        Detector::Kernel => vad::Kind::Kernel,
        Detector::Ort => vad::Kind::Ort,
    };
    let detector = vad::open(kind, &server.vad_model()).map_err(AssemblyError::Detector)?;
    let max_calls = server.sip.max_calls as usize;
    let ledger = Ledger::open();
    Ok(Blueprint {
        sip: listening::doors(server),
        endpoint: endpoint_settings(server, max_calls),
        admission: door::admission(server),
        outbound: door::outbound(server),
        purse: door::purse(server),
        registrar: phones::registrar(server)?,
        phones: phones::groups(server),
        keep_alive: server.sip.registrar.keep_alive,
        trunks: trunks::settings(server),
        tenants: trunks::tenants(server),
        stir: stir::settings(server)?,
        audiosocket: server.audiosocket.as_ref().map(inlets::audiosocket),
        rtp: (server.rtp_address(), server.rtp.ports.first..=server.rtp.ports.last),
        playbill,
        board,
        detector,
        max_calls,
        control: control(server),
        http: http(server, &ledger),
        folders: Folders {
            calls: server.calls_folder(),
            recordings: server.recordings_folder(),
            memory: server.machine.data_dir.join("memory"),
            voicemail: server.machine.data_dir.join("voicemail"),
            campaigns: server.machine.data_dir.join("campaigns"),
            spending: server.machine.data_dir.join("spending.json"),
            dialogs: server.machine.data_dir.join("dialogs.json"),
        },
        recording: recordings::kept(server),
        store: storing::settings(server, ledger)?,
    })
}

/// Readies what calls are given. What was cast `before` and would be cast the same stays.
///
/// # Errors
/// When a provider cannot be had.
pub async fn playbill(
    loaded: &Loaded,
    board: &Board,
    before: Option<(&Loaded, &Playbill)>,
) -> Result<Playbill, AssemblyError> {
    let server = &loaded.server;
    let shop = Shop::open(&loaded.tools, server).await?;
    let cast = casting::cast(loaded, &shop, board, before).await?;
    let (identity, entrusted) = match before {
        Some((_, playbill)) => (playbill.identity.clone(), playbill.entrusted.clone()),
        None => (Arc::new(Identity::new()?), Entrusted::default()),
    };
    let briefing = Briefing {
        plan: loaded.plan.clone(),
        agents: cast.castings,
        squads: loaded.squads.clone(),
        flows: loaded.flows.clone(),
        queues: loaded.queues.clone(),
        letterboxes: letterboxes(loaded)?,
        streams: streams::terms(server),
        openai: server.http.as_ref().and_then(|http| http.openai.as_ref()).map(OpenAi::uri),
        trunks: terms(server),
        phones: phones::codecs(server),
        numbering: Numbering { country: server.machine.country, format: Format::National },
        media: media_policy(server, &identity),
        tapes: tapes(server)?,
        privacy: privacy(server),
        sample: server.otel.as_ref().map(|otel| Sample(otel.sample)),
        prices: casting::prices(server),
    };
    let (briefing, tools) = (Arc::new(briefing), shop.toolbox);
    let (campaigns, relay) = (drives(loaded)?, tools::relay(server)?);
    let streams = streams::settings(server);
    let crews = cast.crews;
    let deciders = oracle::all(server);
    Ok(Playbill {
        briefing,
        crews,
        tools,
        schedules: loaded.schedules.clone(),
        campaigns,
        relay,
        identity,
        entrusted,
        streams,
        deciders,
    })
}

/// What is covered in all that calls keep and tell.
fn privacy(server: &Server) -> Privacy {
    let masks = |kinds: &[Kind]| kinds.iter().copied().collect();
    let tenants = server.tenants.iter();
    let tenants = tenants.map(|(name, tenant)| (name.clone(), masks(&tenant.mask)));
    Privacy { masks: masks(&server.security.privacy.mask), tenants: tenants.collect() }
}

/// The voicemails, with the sounds that they play.
fn letterboxes(loaded: &Loaded) -> Result<BTreeMap<String, Arc<Letterbox>>, AssemblyError> {
    let letterboxes = loaded.mailboxes.iter().map(|(name, terms)| {
        let wrong = |why| AssemblyError::Greeting { name: name.clone(), why };
        let greeting = music::greeting(terms).map_err(wrong)?;
        let letterbox = Letterbox { name: name.clone(), greeting, terms: terms.clone() };
        Ok((name.clone(), Arc::new(letterbox)))
    });
    letterboxes.collect()
}

/// The campaigns, with the sounds that they leave with machines.
fn drives(loaded: &Loaded) -> Result<BTreeMap<String, Arc<Drive>>, AssemblyError> {
    let drives = loaded.campaigns.iter().map(|(name, written)| {
        let wrong = |why| AssemblyError::Greeting { name: name.clone(), why };
        let sound = music::dropped(written).map_err(wrong)?;
        let drive = Drive { written: (**written).clone(), sound };
        Ok((name.clone(), Arc::new(drive)))
    });
    drives.collect()
}

fn control(server: &Server) -> Control {
    let limits = server.trunks.iter().map(|(name, trunk)| {
        let max_calls = trunk.max_calls.map(u64::from);
        let max_cps = trunk.max_cps.map(|most| most.per_second);
        (name.clone(), LimitsView { max_calls, max_cps })
    });
    let trace = server.control.trace;
    let audit = Some(Audit::below(&server.machine.data_dir));
    let (socket, limits) = (server.control_socket(), limits.collect());
    let zone = server.machine.timezone.clone();
    Control { socket, trace, limits, zone, reloads: None, audit }
}

fn http(server: &Server, ledger: &Ledger) -> Option<opening::Settings> {
    let http = server.http.as_ref()?;
    let certificate = http.tls.as_ref().and_then(|name| server.tls.get(name));
    Some(opening::Settings {
        bind: http.bind,
        tls: certificate.map(listening::tls_files),
        admin: http.admin.map(|admin| admin.bind),
        web_calls: http.web_calls.as_ref().map(inlets::web_calls),
        openai: http.openai.as_ref().map(inlets::openai),
        vapi: http.vapi.map(|vapi| inlets::vapi(server, vapi, ledger)),
        twilio: http.twilio.as_ref().map(|twilio| inlets::twilio(server, twilio)),
        face: Face {
            api_docs: http.api_docs,
            url: http.public_url.clone(),
            cors: http.cors.clone(),
            metrics: server.metrics.prometheus,
        },
        budget: door::api_keys(server),
        data: server.machine.data_dir.clone(),
        calls: server.calls_folder(),
        recordings: server.recordings_folder(),
        models: server.machine.models.clone(),
    })
}

/// Who collects what is said on the wire.
pub fn collector(settings: &Hep) -> Option<hep::Settings> {
    let (host, port) = settings.place()?;
    let (host, id, password) = (host.to_owned(), settings.capture_id, settings.password.clone());
    Some(hep::Settings { host, port, id, password })
}

fn endpoint_settings(server: &Server, max_calls: usize) -> endpoint::Settings {
    endpoint::Settings {
        user_agent: format!("{}/{}", server.machine.name, env!("CARGO_PKG_VERSION")),
        vantage: vantage::vantage(server),
        answers_pings: server.sip.options_reply,
        largest_datagram: server.sip.tcp_above,
        timers: Timers::with_t1(server.sip.t1),
        session_timers: session_timers(server),
        families: server.trunks.values().map(|trunk| trunk.sources().collect()).collect(),
        // A trunk is trusted: as many calls may wait for their ACK as there may be calls.
        max_half_open_per_source: max_calls.max(10),
        max_sessions: max_calls.saturating_mul(2).max(100),
        max_transactions: MOST_TRANSACTIONS,
        scanners: scanners(server),
        ..endpoint::Settings::default()
    }
}

fn session_timers(server: &Server) -> session_timer::Policy {
    let mode = match server.sip.session_timers {
        SessionTimers::Never => Mode::Never,
        SessionTimers::Accept => Mode::Accept,
        SessionTimers::Prefer => Mode::Prefer,
        SessionTimers::Require => Mode::Require,
    };
    let (expires, least) = (server.sip.session_expires, server.sip.session_min_se);
    session_timer::Policy { mode, expires, least }
}

/// What scanners call themselves: those that are known, and those that the operator has met.
fn scanners(server: &Server) -> Vec<String> {
    let met = server.security.sip.block_agents.iter().map(|name| name.to_lowercase());
    let met = met.filter(|name| !name.is_empty());
    endpoint::Settings::default().scanners.into_iter().chain(met).collect()
}

fn terms(server: &Server) -> BTreeMap<Arc<str>, Terms> {
    let terms = server.trunks.iter().map(|(name, trunk)| {
        let refer = if trunk.refer.unwrap_or(true) { Refer::First } else { Refer::Never };
        let codecs = codecs::of_settings(&trunk.codecs);
        let (numbers, keys) = (trunk.numbers.clone(), trunk.dtmf.as_deref().map(keys));
        (Arc::from(name.as_str()), Terms { numbers, refer, codecs, keys })
    });
    terms.collect()
}

fn tapes(server: &Server) -> Result<Tapes, AssemblyError> {
    let path = server.media.hold_music.clone().unwrap_or_default();
    music::tapes(server).map_err(|why| AssemblyError::Music { path, why })
}

fn keys(ways: &[KeyWay]) -> Ways {
    Ways {
        events: ways.contains(&KeyWay::Rfc4733),
        tones: ways.contains(&KeyWay::Inband),
        info: ways.contains(&KeyWay::Info),
    }
}

fn srtp(server: &Server, identity: &Identity) -> Srtp {
    let policy = |srtp| match srtp {
        settings::Srtp::Off => Policy::Off,
        settings::Srtp::Optional => Policy::Optional,
        settings::Srtp::Required => Policy::Required,
    };
    let of_trunk = |(name, trunk): (&String, &settings::Trunk)| {
        Some((Arc::from(name.as_str()), policy(trunk.srtp?)))
    };
    // Packets stay in this machine: the calls are brought here by other ways.
    let inlets = inlets::open(server).map(|name| (Arc::from(name), Policy::Off));
    Srtp {
        policy: policy(server.rtp.srtp),
        trunks: server.trunks.iter().filter_map(of_trunk).chain(inlets).collect(),
        suites: server.rtp.srtp_suites.clone(),
        ways: match server.rtp.insecure_sdes {
            true => keying::Ways::Any,
            false => keying::Ways::Secret,
        },
        web: Some(identity.fingerprint()),
    }
}

fn media_policy(server: &Server, identity: &Identity) -> MediaPolicy {
    let vad = &server.media.vad;
    MediaPolicy {
        address: server.advertised_rtp_address(),
        codecs: codecs::of_settings(&server.rtp.codecs),
        wishes: codecs::wishes(&server.rtp),
        libraries: codecs::libraries(),
        srtp: Arc::new(srtp(server, identity)),
        keys: server.rtp.dtmf.as_deref().map(keys),
        symmetric: server.rtp.symmetric,
        timeout: server.rtp.timeout,
        jitter: Bounds { least: server.rtp.jitter.min, most: server.rtp.jitter.max },
        speech: speech::Settings {
            threshold: vad.threshold,
            release: (vad.threshold - 0.15).max(0.05),
            min_speech: vad.min_speech,
            min_silence: vad.min_silence,
            echo_gate: vad.echo_gate,
        },
    }
}

/// How many transactions are kept: those of 2,000 calls a second, each for 32 seconds after its
/// answer (timers J and L of RFC 3261 and 6026).
const MOST_TRANSACTIONS: usize = 150_000;
