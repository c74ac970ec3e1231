//! A running server: what `serve` and `demo` start, and how it stops.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::sealed::Key;
use crate::base::zone::Zone;
use crate::call::admission::{self, Badge, Doorkeeper};
use crate::call::exchange::{phones, tenants};
use crate::call::outbound::purse;
use crate::call::outbound::{self, Guard};
use crate::call::trunk;
use crate::engine::ai::cashier::Cashier;
use crate::engine::ai::health::Board;
use crate::engine::announcements::Announcer;
use crate::engine::bus::{Bus, Told};
use crate::engine::call_task::{House, Stops};
use crate::engine::campaigns::{CampaignsHandle, Canvassers};
use crate::engine::changing::Holders;
use crate::engine::clock;
use crate::engine::conferences::{ConferencesHandle, Rooms};
use crate::engine::doors::{self, DoorError, Doors};
use crate::engine::errands::{Errands, ErrandsHandle};
use crate::engine::gauges::Gauges;
use crate::engine::inlets::door as inlets;
use crate::engine::inlets::talk::House as Inland;
use crate::engine::media_shard::{MediaHandle, MediaShard};
use crate::engine::memories::Memories;
use crate::engine::playbill::Playbill;
use crate::engine::queues::{Attendants, QueuesHandle};
use crate::engine::recorder::mend::mend;
use crate::engine::recorder::{Plan, Recorder};
use crate::engine::retention::Retention;
use crate::engine::roll::Question;
use crate::engine::sip_shard::{self, SipHandle, SipShard};
use crate::engine::stir;
use crate::engine::supervisor::{Limits, Supervisor};
use crate::engine::uploads::Uploads;
use crate::engine::voicemail::postman::{Postbox, Postman};
use crate::engine::voicemail::shelf::Shelf;
use crate::engine::web::entrance::Entrance;
use crate::net::bucket::{self, Bucket};
use crate::net::ports::Ports;
use crate::net::web::Web;
use crate::providers::detector::Detector;
use crate::server::books::{Books, Unread};
use crate::server::control::claim::{Claim, ClaimError};
use crate::server::control::clerk::Clerk;
use crate::server::control::history::History;
use crate::server::control::reload;
use crate::server::control::reports;
use crate::server::control::socket::ControlSocket;
use crate::server::control::view::LimitsView;
use crate::server::hints::{door_hint, hint};
use crate::server::http::opening as http;
use crate::server::storing::{self, Memory};
use crate::server::webhooks::desk::Desk;
use crate::sip::endpoint::{self, Endpoint};
use crate::sip::event::Transport;
use crate::sip::registrar::{self, Registrar};
use crate::sip::route::Sockets;
use crate::store::audit::Audit;
use crate::store::call_files::CallFiles;

/// Everything that a server is made of.
pub struct Blueprint {
    /// Where SIP is spoken.
    pub sip: doors::Settings,
    /// How the user agent behaves.
    pub endpoint: endpoint::Settings,
    /// Who is let in.
    pub admission: admission::Settings,
    /// Which numbers may be called.
    pub outbound: outbound::Settings,
    /// What calls may cost.
    pub purse: purse::Settings,
    /// Who knows the phones, when phones may register.
    pub registrar: Option<registrar::Settings>,
    /// What the exchange knows of phones beforehand.
    pub phones: phones::Settings,
    /// How often phones are written to that came by UDP.
    pub keep_alive: Duration,
    /// The trunks that are registered and asked after, and what calls are told of each.
    pub trunks: Vec<(Badge, trunk::Settings)>,
    /// Whose calls they carry.
    pub tenants: tenants::Settings,
    /// How signatures of calls are checked and made.
    pub stir: stir::Settings,
    /// Where an Asterisk brings calls by AudioSocket, if it may.
    pub audiosocket: Option<inlets::Settings>,
    /// Where media is bound.
    pub rtp: (IpAddr, RangeInclusive<u16>),
    /// What calls are given.
    pub playbill: Arc<Playbill>,
    /// How those who hear, think and speak fare.
    pub board: Arc<Board>,
    /// What hears whether somebody speaks.
    pub detector: Box<dyn Detector>,
    /// The most calls at once.
    pub max_calls: usize,
    /// Where records and recordings go.
    pub folders: Folders,
    /// How recordings are written and kept.
    pub recording: Recording,
    /// Where calls are listed, and who is told what happens.
    pub store: storing::Settings,
    /// How operators talk to it.
    pub control: Control,
    /// How programs talk to it, if they may.
    pub http: Option<http::Settings>,
}

/// How recordings are written and kept.
#[derive(Debug)]
pub struct Recording {
    /// In which form.
    pub plan: Plan,
    /// The bucket to which they go, if they do.
    pub bucket: Option<bucket::Settings>,
    /// How long they are kept, if not for ever.
    pub retention: Option<Duration>,
}

/// Who looks after recordings that are closed.
struct Keepers {
    uploads: Option<Uploads>,
    retention: Option<Retention>,
}

/// How operators talk to a server.
#[derive(Debug, Default)]
pub struct Control {
    /// The Unix socket, if there is to be one.
    pub socket: Option<PathBuf>,
    /// How many octets of SIP messages are kept for them.
    pub trace: usize,
    /// What each trunk may carry, by name.
    pub limits: BTreeMap<String, LimitsView>,
    /// By which clock days begin.
    pub zone: Zone,
    /// Who reads the files again, if anybody.
    pub reloads: Option<mpsc::Sender<reload::Order>>,
    /// Where it is written down what operators do, if it is.
    pub audit: Option<Audit>,
}

/// Where records and recordings go.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The JSON file of each call.
    pub calls: PathBuf,
    /// The file of each recorded call.
    pub recordings: PathBuf,
    /// What is kept of callers for their next call.
    pub memory: PathBuf,
    /// The messages that callers left.
    pub voicemail: PathBuf,
    /// What is written down of campaigns.
    pub campaigns: PathBuf,
    /// The file of what was spent.
    pub spending: PathBuf,
    /// The file of the dialogs that stand.
    pub dialogs: PathBuf,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A SIP socket cannot be bound, or its certificate not used.
    #[error("cannot listen for SIP: {why}{}", door_hint(.why))]
    Sip {
        /// Which, and what the kernel says.
        #[from]
        why: DoorError,
    },
    /// No pair of media ports can be bound.
    #[error("cannot bind media ports at {address}: {why}{}", hint(.why, "the whole range is taken: choose another one under [rtp] ports in conf/server.toml"))]
    Rtp {
        /// The address.
        address: IpAddr,
        /// What the kernel says.
        why: std::io::Error,
    },
    /// The door of AudioSocket cannot be bound.
    #[error(
        "cannot listen for AudioSocket: {0}\n  choose another address under [audiosocket] in conf/server.toml"
    )]
    AudioSocket(std::io::Error),
    /// The control socket cannot be had.
    #[error(transparent)]
    Control(#[from] ClaimError),
    /// A door of HTTP cannot be opened.
    #[error(transparent)]
    Http(#[from] http::OpenError),
    /// A folder cannot be made.
    #[error("cannot write to {}: {why}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the kernel says.
        why: std::io::Error,
    },
    /// What was spent is not known.
    #[error(transparent)]
    Spending(#[from] Unread),
    /// The client of the store of recordings cannot be had.
    #[error("no client for the store of recordings: {0}")]
    Bucket(reqwest::Error),
    /// A thread cannot be started.
    #[error("the machine gives no thread: {0}")]
    Thread(std::io::Error),
}

/// A server that takes calls.
#[derive(Debug)]
pub struct Running {
    sip: SipHandle,
    local: SocketAddr,
    sockets: Sockets,
    bus: Bus,
    gauges: Arc<Gauges>,
    media: MediaHandle,
    recorder: Recorder,
    active: Arc<AtomicUsize>,
    stops: Stops,
    stop_shard: CancellationToken,
    holders: Holders,
    calls: JoinSet<()>,
    others: JoinSet<()>,
}

impl Control {
    /// What operators are told that does not change from now on.
    fn known(self, max_calls: usize) -> reports::House {
        let Self { limits, zone, .. } = self;
        reports::House { began: clock::now(), max_calls, limits, zone }
    }
}

impl Running {
    /// Starts a server: when this returns, the next INVITE is answered.
    ///
    /// # Errors
    /// When an address, a port range or a folder cannot be had.
    pub fn start(blueprint: Blueprint) -> Result<Self, StartError> {
        // First of all: whoever holds it has the other sockets, too, and it says so best.
        let claim = blueprint.control.socket.as_deref().map(Claim::take).transpose()?;
        let ways_in = (claim, blueprint.http.map(http::Doors::open).transpose()?);
        let doors = Doors::open(blueprint.sip)?;
        let (sockets, gauges) = (doors.sockets.clone(), Arc::new(Gauges::default()));
        let web = blueprint.store.web.clone();
        let inlet = blueprint.audiosocket.map(inlets::Door::open).transpose();
        let inlet = inlet.map_err(StartError::AudioSocket)?.map(|door| (door, blueprint.rtp.0));
        let (ports, memory) = (ports(blueprint.rtp)?, memory(blueprint.store, &blueprint.folders)?);
        let are_expected = ways_in.1.as_ref().is_some_and(http::Doors::expects_browsers);
        let entrance = entrance(&ports, are_expected || sockets.expect_browsers())?;
        let browsers = (Some(blueprint.playbill.identity.clone()), entrance);
        let media = MediaShard::start_with(browsers, blueprint.detector, gauges.clone());
        let media = media.map_err(StartError::Thread)?;
        let (recorder, keepers) = recorder(blueprint.recording, &blueprint.folders.recordings)?;
        let ((bus, facts), (sender, arrivals)) = (Bus::new(), mpsc::channel(ARRIVALS));
        let endpoint = endpoint(blueprint.endpoint, blueprint.registrar, &sockets);
        let doorkeeper = Doorkeeper::new(blueprint.admission, clock::random());
        let (shard, sip) = SipShard::new(doors, endpoint, doorkeeper, sender);
        let shard = shard.with_trunks(blueprint.trunks).with_stir(blueprint.stir);
        let shard = shard.with_phones(blueprint.phones, Guard::new(blueprint.outbound));
        let (announcer, cashier) = (blueprint.board.announcer().clone(), blueprint.board.cashier());
        let (shard, books) = books(blueprint.purse, &blueprint.folders, cashier)?.given_to(shard);
        let shard = shard.with_briefing(blueprint.playbill.briefing.clone());
        let shard = shard.with_keep_alive(blueprint.keep_alive).with_tenants(blueprint.tenants);
        let shard = shard.with_trace(blueprint.control.trace).with_announcer(announcer.clone());
        let stops = Stops { wind_up: CancellationToken::new(), now: CancellationToken::new() };
        let post = (&blueprint.folders, recorder.key().cloned());
        let (beside, ways) = Beside::open(post, &blueprint.playbill, (&sip, &announcer, &stops));
        let (asker, questions) = mpsc::channel(QUESTIONS);
        let holders = ways.holders(&asker, &sip);
        let taping = (recorder.clone(), blueprint.folders.recordings);
        let house = Arc::new(ways.house((sip.clone(), media.clone(), ports), taping, (&bus, web)));
        let (stop_shard, active) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let limits = Limits { max_calls: blueprint.max_calls, active: active.clone() };
        let supervisor = Supervisor::new(house, blueprint.playbill, limits, stops.clone());
        let (mut calls, mut others) = (JoinSet::new(), beside.run(keepers, asker, &stop_shard));
        calls.spawn(supervisor.with_questions(questions).run(arrivals));
        others.spawn(shard.run(stop_shard.clone()));
        others.spawn(books);
        if let Some((door, media)) = inlet {
            others.spawn(door.serve(Inland { sip: sip.clone(), media }, stop_shard.clone()));
        }
        let known = memory.work((facts, announcer.watch()), &stop_shard, &mut others);
        let running = Self {
            local: sip.local,
            sip,
            sockets,
            bus,
            gauges,
            media,
            recorder,
            active,
            stops,
            stop_shard,
            holders,
            calls,
            others,
        };
        let control = (blueprint.control, blueprint.max_calls);
        running.with_operators(ways_in, (announcer.clone(), cashier, known), control)
    }

    /// Opens the control socket and the doors of HTTP, if there are to be any.
    fn with_operators(
        mut self,
        (claim, web): (Option<Claim>, Option<http::Doors>),
        (announcer, cashier, (history, webhooks)): (Announcer, &Arc<Cashier>, (History, Desk)),
        (control, max_calls): (Control, usize),
    ) -> Result<Self, StartError> {
        let reloads = control.reloads.clone();
        let clerk = Arc::new(Clerk {
            sip: self.sip.clone(),
            calls: self.holders.calls.clone(),
            queues: self.holders.queues.clone(),
            campaigns: self.holders.campaigns.clone(),
            playbill: self.holders.postman.subscribe(),
            facts: self.bus.watching(),
            announcer,
            cashier: cashier.clone(),
            gauges: self.gauges.clone(),
            recorder: self.recorder.clone(),
            active: self.active.clone(),
            reloads,
            history,
            webhooks,
            audit: control.audit.clone(),
            house: control.known(max_calls),
        });
        if let Some(web) = web {
            let (wind_up, now) = (self.stops.wind_up.clone(), self.stop_shard.clone());
            web.serve(clerk.clone(), &http::Stops { wind_up, now }, &mut self.others);
        }
        let Some(claim) = claim else { return Ok(self) };
        let path = claim.path().to_owned();
        let socket = ControlSocket::open(claim, clerk);
        let socket = socket.map_err(|why| ClaimError::Refused { path, why })?;
        self.others.spawn(socket.serve(self.stop_shard.clone()));
        Ok(self)
    }

    /// Where SIP is spoken.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Who speaks it.
    pub fn sip(&self) -> SipHandle {
        self.sip.clone()
    }

    /// All sockets on which it is spoken.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Watches the facts of all calls from now on.
    pub fn watch(&self) -> broadcast::Receiver<Told> {
        self.bus.watch()
    }

    /// Who gives calls what they begin with.
    pub fn holders(&self) -> Holders {
        self.holders.clone()
    }

    /// Lets something go on beside the calls until the server stops.
    pub fn works_beside<F>(&mut self, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.others.spawn(work(self.stop_shard.clone()));
    }

    /// How many calls are up.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// What the media shard counts.
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    /// The media shard and the recorder, for a phone in the same process.
    pub fn media(&self) -> (MediaHandle, Recorder) {
        (self.media.clone(), self.recorder.clone())
    }

    /// Stops: new calls are refused, running ones end by themselves within `patience`, then they
    /// are hung up.
    pub async fn drain(mut self, patience: Duration) {
        self.stops.wind_up.cancel();
        self.sip.order(sip_shard::Order::Leave).await;
        let ended = tokio::time::timeout(patience, self.calls.join_next()).await;
        if ended.is_err() {
            tracing::warn!("calls are hung up, because they did not end in time");
            self.stops.now.cancel();
            tokio::time::timeout(HANG_UP_WITHIN, self.calls.join_next()).await.ok();
        }
        // The last answers to BYE leave before the socket closes.
        self.stop_shard.cancel();
        drop(self.bus);
        self.calls.shutdown().await;
        tokio::time::timeout(HANG_UP_WITHIN, async {
            while self.others.join_next().await.is_some() {}
        })
        .await
        .ok();
        let recorder = self.recorder;
        tokio::task::spawn_blocking(move || recorder.settle(HANG_UP_WITHIN)).await.ok();
    }
}

/// Who writes recordings, after those of a server that was killed are mended; and who looks after
/// them when they are closed.
fn recorder(
    recording: Recording,
    folder: &std::path::Path,
) -> Result<(Recorder, Keepers), StartError> {
    mend(folder, recording.plan.key.as_ref());
    let recorder = Recorder::with(recording.plan).map_err(StartError::Thread)?;
    let bucket = recording.bucket.map(Bucket::new).transpose().map_err(StartError::Bucket)?;
    let (closed, folder) = (recorder.closed(), folder.to_owned());
    let uploads = bucket.map(|bucket| Uploads::new(folder.clone(), bucket, closed));
    let retention = recording.retention.map(|keep| Retention::new(folder, keep));
    Ok((recorder, Keepers { uploads, retention }))
}

fn endpoint(
    settings: endpoint::Settings,
    registrar: Option<registrar::Settings>,
    sockets: &Sockets,
) -> Endpoint {
    let tcp = sockets.of(Transport::Tcp);
    let endpoint = Endpoint::new(endpoint::Settings { tcp, ..settings }, clock::random());
    match registrar {
        Some(settings) => {
            endpoint.with_registrar(Registrar::new(settings, clock::random(), clock::now()))
        }
        None => endpoint,
    }
}

fn ports((address, range): (IpAddr, RangeInclusive<u16>)) -> Result<Ports, StartError> {
    let start = clock::random().u32() >> 1;
    let ports = Ports::new(address, range, start);
    // A wrong address gives calls without sound: better no server than such calls.
    ports.bind().map_err(|why| StartError::Rtp { address, why })?;
    Ok(ports)
}

/// The port to which browsers come, if they are expected: one out of the range of all, so that a
/// firewall knows it.
fn entrance(ports: &Ports, are_expected: bool) -> Result<Option<Entrance>, StartError> {
    let opened = are_expected.then(|| ports.bind_for_many().and_then(Entrance::open));
    opened.transpose().map_err(|why| StartError::Rtp { address: ports.address(), why })
}

/// What is written down so that it outlives the server.
fn books(settings: purse::Settings, at: &Folders, cashier: &Cashier) -> Result<Books, Unread> {
    Books::open(settings, cashier, &at.spending, &at.dialogs)
}

/// Who remembers what happens in calls.
fn memory(settings: storing::Settings, folders: &Folders) -> Result<Memory, StartError> {
    let refused = |folder, why| StartError::Folder { folder, why };
    let calls = folders.calls.clone();
    let files = CallFiles::new(calls.clone()).map_err(|why| refused(calls, why))?;
    Memory::open(settings, &files).map_err(|(folder, why)| refused(folder, why))
}

/// Those who serve all calls until the stop.
struct Beside {
    rooms: Rooms,
    attendants: Attendants,
    canvassers: Canvassers,
    errands: Errands,
    memories: Memories,
    postman: Postman,
}

/// The ways to them.
struct Ways {
    conferences: ConferencesHandle,
    queues: QueuesHandle,
    campaigns: CampaignsHandle,
    errands: ErrandsHandle,
    memories: Memories,
    postbox: Postbox,
    /// Who brings messages is told here what calls are given.
    told: watch::Sender<Arc<Playbill>>,
}

impl Ways {
    /// What all calls share.
    fn house(
        self,
        (sip, media, ports): (SipHandle, MediaHandle, Ports),
        (recorder, recordings): (Recorder, PathBuf),
        (bus, web): (&Bus, Web),
    ) -> House {
        House {
            sip,
            media,
            ports,
            recorder,
            recordings,
            bus: bus.clone(),
            conferences: self.conferences,
            queues: self.queues,
            errands: self.errands,
            memories: self.memories,
            postbox: self.postbox,
            web,
        }
    }

    /// Who is told when the files were read again.
    fn holders(&self, calls: &mpsc::Sender<Question>, sip: &SipHandle) -> Holders {
        Holders {
            calls: calls.clone(),
            sip: sip.clone(),
            queues: self.queues.clone(),
            campaigns: self.campaigns.clone(),
            postman: self.told.clone(),
        }
    }
}

impl Beside {
    /// Makes them; messages are sealed if there is a key.
    fn open(
        (folders, key): (&Folders, Option<Key>),
        playbill: &Arc<Playbill>,
        (sip, announcer, stops): (&SipHandle, &Announcer, &Stops),
    ) -> (Self, Ways) {
        let briefing = &playbill.briefing;
        let ((rooms, conferences), (attendants, queues)) =
            (Rooms::new(), Attendants::new(briefing));
        let ((errands, given), memories) = (Errands::new(), Memories::new(folders.memory.clone()));
        let (told, tells) = watch::channel(playbill.clone());
        let (postman, postbox) =
            Postman::new(Shelf::new(folders.voicemail.clone()), key, (tells, sip.clone()));
        let house = (announcer.clone(), stops.wind_up.clone());
        let (canvassers, campaigns) =
            Canvassers::new(folders.campaigns.clone(), playbill.clone(), house);
        let kept = memories.clone();
        let ways =
            Ways { conferences, queues, campaigns, errands: given, memories: kept, postbox, told };
        (Self { rooms, attendants, canvassers, errands, memories, postman }, ways)
    }

    fn run(
        self,
        keepers: Keepers,
        calls: mpsc::Sender<Question>,
        stop: &CancellationToken,
    ) -> JoinSet<()> {
        let (mut others, Keepers { uploads, retention }) = (JoinSet::new(), keepers);
        others.spawn(self.rooms.run(stop.clone()));
        others.spawn(self.canvassers.run(calls.clone(), stop.clone()));
        others.spawn(self.attendants.run(calls, stop.clone()));
        others.spawn(self.errands.run(stop.clone()));
        others.spawn(self.memories.tend(stop.clone()));
        others.spawn(self.postman.run(stop.clone()));
        uploads.map(|uploads| others.spawn(uploads.run(stop.clone())));
        retention.map(|retention| others.spawn(retention.run(stop.clone())));
        others
    }
}

/// How many questions of operators may wait for the supervisor.
const QUESTIONS: usize = 16;

/// How many new calls may wait for the supervisor.
const ARRIVALS: usize = 256;

/// How long the last BYEs may take.
const HANG_UP_WITHIN: Duration = Duration::from_secs(5);
