//! From what the owners report to what operators are shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Map;

use crate::base::destination::Destination;
use crate::base::zone::Zone;
use crate::call::exchange::Count;
use crate::call::leg::State as LegState;
use crate::call::overview::{Doing, LegView as Leg, Overview};
use crate::call::queue;
use crate::call::trunk::{EnrolmentReport, Health, PingReport, Report};
use crate::engine::gauges::Gauges;
use crate::engine::sip_shard::DoorReport;
use crate::media::event::Quality;
use crate::server::control::diagnosis;
use crate::server::control::queue_view::{MemberView, QueueView};
use crate::server::control::times::{When, millis, timestamp};
use crate::server::control::view::{
    BanView, BindingView, CallView, CallsView, DoorView, LegView, LimitsView, MediaView,
    MessagesView, OptionsView, PartyView, PhoneView, PhonesView, QualityView, RefusalView,
    RegistrationView, SipView, StatusView, TrafficView, TrunkView, TrunksView,
};
use crate::sip::census::Kind;
use crate::sip::registrar::{BindingReport, PhoneReport};
use crate::sip::registration::Enrolment;
use crate::sip::trace::Heading;

/// What does not change while a server runs.
#[derive(Debug, Clone)]
pub struct House {
    /// When it began.
    pub began: Instant,
    /// The most calls at once.
    pub max_calls: usize,
    /// What each trunk may carry, by name.
    pub limits: BTreeMap<String, LimitsView>,
    /// By which clock days begin.
    pub zone: Zone,
}

/// The server in sum.
#[derive(Debug)]
pub struct State<'a> {
    /// What does not change.
    pub house: &'a House,
    /// Where SIP is spoken.
    pub listens: Vec<String>,
    /// How many calls are up.
    pub active: usize,
    /// How many were taken, and how many refused.
    pub roll: (u64, u64),
    /// What the media shard counts.
    pub gauges: &'a Gauges,
    /// How many frames no recording took.
    pub unrecorded: u64,
}

/// A trunk; its limits are added by who knows them.
pub fn trunk(report: &Report, count: Count, when: When) -> TrunkView {
    let (state, reason) = match &report.health {
        Some(Health::Up) => ("up", None),
        Some(Health::Down(why)) => ("down", Some(why.clone())),
        None if report.peer.is_empty() => ("inbound", None),
        None => ("unknown", None),
    };
    TrunkView {
        name: report.name.to_string(),
        state: state.to_owned(),
        reason,
        since: report.since.map(|at| when.stamp(at)),
        since_s: report.since.map(|at| when.ago(at)),
        peer: Some(report.peer.clone()).filter(|peer| !peer.is_empty()),
        registration: report.enrolment.as_ref().map(|it| registration(it, when)),
        options: report.pings.map(|pings| options(pings, when)),
        calls: TrafficView {
            inbound: count.inbound as u64,
            outbound: count.outbound as u64,
            inbound_total: count.inbound_total,
            outbound_total: count.outbound_total,
        },
        limits: LimitsView::default(),
        failover: report.failover.as_ref().map(ToString::to_string),
    }
}

fn registration(report: &EnrolmentReport, when: When) -> RegistrationView {
    let (state, granted) = match &report.stands {
        Some(Enrolment::Registered { granted, .. }) => ("registered", Some(granted.as_secs())),
        Some(Enrolment::Rejected { .. }) => ("rejected", None),
        Some(Enrolment::Failed { .. }) => ("failed", None),
        Some(Enrolment::Gone) => ("unregistered", None),
        None => ("registering", None),
    };
    let refusal = report.refusal.map(|refusal| RefusalView {
        status: refusal.status,
        phrase: diagnosis::phrase_of(refusal.status),
        meaning: diagnosis::of_register(refusal.status).to_owned(),
        at: when.stamp(refusal.at),
        ago_s: when.ago(refusal.at),
    });
    RegistrationView {
        state: state.to_owned(),
        registrar: report.registrar.clone(),
        since: report.since.map(|at| when.stamp(at)),
        expires_at: report.until.map(|at| when.stamp(at)),
        expires_in_s: report.until.map(|at| when.until(at)),
        granted_s: granted,
        next_in_s: report.next.map(|at| when.until(at)),
        refusal,
    }
}

fn options(pings: PingReport, when: When) -> OptionsView {
    OptionsView {
        every_s: pings.every.as_secs_f64(),
        misses: pings.misses,
        status: pings.last.map(|echo| echo.status),
        after_ms: pings.last.map(|echo| millis(echo.after)),
        ago_s: pings.last.map(|echo| when.ago(echo.at)),
    }
}

/// A phone.
pub fn phone(report: &PhoneReport, when: When) -> PhoneView {
    let binding = |it: &BindingReport| BindingView {
        contact: it.contact.clone(),
        transport: it.flow.transport.to_string(),
        from: it.flow.remote.to_string(),
        user_agent: it.user_agent.clone(),
        path: it.path.clone(),
        refreshed_s: when.ago(it.refreshed),
        expires_at: when.stamp(it.until),
        expires_in_s: when.until(it.until),
    };
    PhoneView {
        name: report.name.to_string(),
        display: report.display.clone(),
        bindings: report.bindings.iter().map(binding).collect(),
    }
}

/// A queue.
pub fn queue(view: &queue::View) -> QueueView {
    let member = |(to, doing): &(Destination, queue::Doing)| MemberView {
        to: to.to_string(),
        state: doing.name().to_owned(),
    };
    QueueView {
        name: view.queue.clone(),
        waiting: view.waiting,
        longest_wait_s: view.longest.as_secs(),
        members: view.members.iter().map(member).collect(),
    }
}

/// A call, with the trunk that carries each of its legs.
pub fn call(overview: &Overview, carriers: Vec<Option<Arc<str>>>) -> CallView {
    let is_talking = overview.answered.is_some();
    let party = |number: &str, name: Option<&String>| PartyView {
        number: number.to_owned(),
        name: name.cloned(),
    };
    let legs = overview.legs.iter().zip(carriers);
    let direction = if overview.is_ours { "outbound" } else { "inbound" };
    CallView {
        direction: direction.to_owned(),
        id: overview.call.to_string(),
        status: match (overview.doing, is_talking) {
            (Doing::Ending, _) => "ending",
            (_, true) => "in-progress",
            (_, false) => "ringing",
        }
        .to_owned(),
        doing: overview.doing.name().to_owned(),
        from: party(&overview.from, overview.name.as_ref()),
        to: party(&overview.to, None),
        trunk: some(&overview.trunk),
        phone: some(&overview.phone),
        route: overview.route.clone(),
        agent: overview.agent.clone(),
        stream: overview.stream.clone(),
        started_at: timestamp(overview.began),
        age_ms: millis_u64(overview.age),
        answered_ms: overview.answered.map(millis_u64),
        recorded: overview.recorded,
        recording_paused: overview.recording_paused,
        on_hold: overview.on_hold,
        legs: legs.map(|(it, trunk)| leg(it, trunk)).collect(),
        // The call itself knows nothing of it.
        name: None,
        metadata: Map::new(),
    }
}

fn leg(leg: &Leg, trunk: Option<Arc<str>>) -> LegView {
    let state = match leg.state {
        LegState::Calling => "calling",
        LegState::Ringing => "ringing",
        LegState::Early => "early",
        LegState::Answering => "answering",
        LegState::Up if leg.is_held => "held",
        LegState::Up => "up",
        LegState::Ending => "ending",
        LegState::Over => "over",
    };
    LegView {
        to: leg.to.clone(),
        role: leg.role.map(|role| role.name().to_owned()),
        state: state.to_owned(),
        trunk: trunk.map(|name| name.to_string()),
        codec: leg.codec.map(str::to_owned),
        peer: some(&leg.peer),
        user_agent: leg.user_agent.clone(),
        sip_call_id: some(&leg.sip_call_id),
        start_ms: millis_u64(leg.began),
        answered_ms: leg.answered.map(millis_u64),
        quality: leg.quality.as_ref().map(quality),
    }
}

fn quality(quality: &Quality) -> QualityView {
    let Quality { received, lost, .. } = *quality;
    let tenths = |it: Duration| (it.as_secs_f64() * 10_000.0).round() / 10.0;
    let hundredths = |it: f64| (it * 100.0).round() / 100.0;
    QualityView {
        mos: quality.score.map(hundredths),
        received,
        lost,
        loss_percent: hundredths(lost as f64 * 100.0 / (received + lost).max(1) as f64),
        jitter_ms: tenths(quality.jitter),
        round_trip_ms: quality.round_trip.map(tenths),
    }
}

/// The server in sum.
pub fn status(state: &State<'_>, door: &DoorReport, trunks: &[TrunkView]) -> StatusView {
    let when = When::now();
    let stand = |word: &str| trunks.iter().filter(|trunk| trunk.state == word).count() as u64;
    let (taken, refused) = state.roll;
    let turned_away = door.tally.iter().map(|(reason, count)| (reason.label().to_owned(), count));
    let banned = door.banned.iter();
    StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started_at: when.stamp(state.house.began),
        uptime_s: when.ago(state.house.began),
        listens: state.listens.clone(),
        calls: CallsView {
            active: state.active as u64,
            most: state.house.max_calls as u64,
            taken,
            refused,
        },
        trunks: TrunksView { up: stand("up"), down: stand("down"), total: trunks.len() as u64 },
        phones: PhonesView {
            reachable: door.phones as u64,
            challenged: door.registrar.challenged,
            proved: door.registrar.proved,
        },
        door: DoorView {
            turned_away: turned_away.collect(),
            banned: banned
                .map(|(source, left)| BanView { source: source.clone(), for_s: left.as_secs() })
                .collect(),
        },
        sip: SipView {
            sessions: door.sessions as u64,
            transactions: door.transactions as u64,
            connections: door.connections as u64,
            dropped: door.dropped,
            resent: door.resent,
            messages: door.census.iter().map(messages).collect(),
            traced: door.trace.0 as u64,
            traced_octets: door.trace.1 as u64,
        },
        media: media(state.gauges, state.unrecorded),
        memory: resident(),
    }
}

fn messages((heading, kind, count): (Heading, Kind, u64)) -> MessagesView {
    let direction = match heading {
        Heading::In => "in",
        Heading::Out => "out",
    };
    let (method, status) = match kind {
        Kind::Request(method) => (Some(method.to_owned()), None),
        Kind::Answer(status) => (None, Some(status)),
    };
    MessagesView { direction: direction.to_owned(), method, status, count }
}

fn media(gauges: &Gauges, unrecorded: u64) -> MediaView {
    let (_, late, worst) = gauges.wakes();
    let (unheard, undelivered) = gauges.losses();
    let (ports, worst_ms) = (gauges.ports(), millis(worst));
    MediaView { ports, late, worst_ms, unheard, undelivered, unrecorded }
}

/// The memory in use, as Linux tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilos: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilos.saturating_mul(1_024))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn millis_u64(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
