//! The clerk: answers operators. Whatever they ask is asked of its owner at that moment; nothing is
//! kept for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::base::id::CallId;
use crate::call::event::{self, Input};
use crate::call::exchange::{Trial, Untried};
use crate::call::overview::Overview;
use crate::engine::ai::cashier::Cashier;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::bus::Watching;
use crate::engine::campaigns::CampaignsHandle;
use crate::engine::clock;
use crate::engine::gauges::Gauges;
use crate::engine::mailbox::Mailbox;
use crate::engine::playbill::Playbill;
use crate::engine::queues::{self, QueuesHandle};
use crate::engine::recorder::Recorder;
use crate::engine::roll::{self, Roll};
use crate::engine::sip_shard::{Question, SipHandle};
use crate::server::control::asking::{ask_shard, going_down, json};
use crate::server::control::campaigns;
use crate::server::control::diagnosis;
use crate::server::control::events;
use crate::server::control::export::{self, ExtractView};
use crate::server::control::history::{CallSummary, Found, History, Wanted, Wrong};
use crate::server::control::insight::{self, InsightView, Misfit};
use crate::server::control::origination;
use crate::server::control::oversight;
use crate::server::control::protocol::{
    self, Ask, Extract, Fault, FaultCode, HangUp, Inquiry, Mute, Originate, Oversee, PauseMember,
    Record, Sought, Taping, Wish,
};
use crate::server::control::queue_view::{PausedView, QueueView};
use crate::server::control::reload;
use crate::server::control::reports::{self, House};
use crate::server::control::schedules;
use crate::server::control::times::When;
use crate::server::control::usage;
use crate::server::control::view::{
    CallView, HungUpView, List, MutedView, OriginatedView, OverseenView, PhoneView, RecordingView,
    ReloadView, StatusView, TrialView, TrunkView,
};
use crate::server::control::wiretap;
use crate::server::routing::Thought;
use crate::server::webhooks::desk::Desk;
use crate::store::audit::Audit;
use crate::store::labels::{Label, Patch, Unlabelled};

/// Answers operators.
#[derive(Debug)]
pub struct Clerk {
    /// The signalling.
    pub sip: SipHandle,
    /// The supervisor.
    pub calls: mpsc::Sender<roll::Question>,
    /// Those who hold the queues.
    pub queues: QueuesHandle,
    /// Those who run campaigns.
    pub campaigns: CampaignsHandle,
    /// What calls that begin are given.
    pub playbill: watch::Receiver<Arc<Playbill>>,
    /// What happens in calls.
    pub facts: Watching,
    /// What happens beside them.
    pub announcer: Announcer,
    /// Who knows what providers cost.
    pub cashier: Arc<Cashier>,
    /// What the media shard counts.
    pub gauges: Arc<Gauges>,
    /// Who writes recordings.
    pub recorder: Recorder,
    /// How many calls are up.
    pub active: Arc<AtomicUsize>,
    /// Who reads the files again, if anybody.
    pub reloads: Option<mpsc::Sender<reload::Order>>,
    /// The calls that ended.
    pub history: History,
    /// Who is told what happens.
    pub webhooks: Desk,
    /// Where it is written down what operators do, if it is.
    pub audit: Option<Audit>,
    /// What does not change while the server runs.
    pub house: House,
}

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// All of it.
    Whole(Value),
    /// One thing after the other.
    Stream(Stream),
}

/// Things that come one after the other.
#[derive(Debug)]
pub enum Stream {
    /// What is said on the wire.
    Trace(Wish),
    /// What happens.
    Events,
}

impl Clerk {
    /// Answers.
    ///
    /// # Errors
    /// With what an operator is told when it does not work.
    pub async fn ask(&self, ask: Ask) -> Result<Reply, Fault> {
        let whole = match ask {
            Ask::Status => json(&self.status().await?),
            Ask::Trunks => json(&List { data: self.trunks().await? }),
            Ask::Trunk(named) => json(&self.trunk(&named.name).await?),
            Ask::TestTrunk(named) => json(&self.test(&named.name).await?),
            Ask::Phones => json(&List { data: self.phones().await? }),
            Ask::Usage => json(&List { data: usage::all(&self.sip, &self.cashier).await? }),
            Ask::Queues => json(&List { data: self.queues().await? }),
            Ask::PauseMember(order) => json(&self.pause_member(&order).await?),
            Ask::Schedules => json(&List { data: schedules::list(&self.campaigns).await? }),
            Ask::Campaigns => json(&List { data: campaigns::list(&self.campaigns).await? }),
            Ask::Campaign(named) => json(&campaigns::show(&self.campaigns, &named.name).await?),
            Ask::OrderCampaign(order) => json(&campaigns::order(&self.campaigns, &order).await?),
            Ask::CampaignRows(wanted) => {
                json(&List { data: campaigns::rows(&self.campaigns, &wanted).await? })
            }
            Ask::NoCalls(order) => json(&campaigns::no_calls(&self.campaigns, &order).await?),
            Ask::Calls => json(&List { data: self.overviews().await? }),
            Ask::Call(wanted) => json(&self.call(&wanted.id).await?),
            Ask::Ended(wanted) => json(&self.history.record(&wanted.id).await?),
            Ask::Originate(order) => json(&self.originate(&order, None).await?),
            Ask::HangUp(order) => json(&self.hang_up(&order).await?),
            Ask::Mute(order) => json(&self.mute(&order).await?),
            Ask::Hold(order) => json(&self.hold(&order).await?),
            Ask::Oversee(order) => json(&self.oversee(&order).await?),
            Ask::Record(order) => json(&self.record(&order).await?),
            Ask::Transfer(order) => json(&self.transfer(&order).await?),
            Ask::Say(order) => json(&self.say(&order).await?),
            Ask::Press(order) => json(&self.press(&order).await?),
            Ask::History(sought) => json(&self.history_of(&sought).await?),
            Ask::Analytics(inquiry) => json(&self.insight(&inquiry).await?),
            Ask::Export(extract) => json(&self.extract(&extract).await?),
            Ask::Webhooks => json(&List { data: self.webhooks.list().await? }),
            Ask::TestWebhook(named) => json(&self.webhooks.test(&named.name).await?),
            Ask::WebhookLog(wanted) => json(&List { data: self.webhooks.log(&wanted).await? }),
            Ask::Replay(order) => json(&self.webhooks.replay(&order).await?),
            Ask::Reload(wish) => json(&self.reload(wish).await?),
            Ask::Trace(wish) => return Ok(Reply::Stream(Stream::Trace(wish))),
            Ask::Events => return Ok(Reply::Stream(Stream::Events)),
        };
        Ok(Reply::Whole(whole))
    }

    async fn sip<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Fault> {
        ask_shard(&self.sip, question).await
    }

    async fn reload(&self, wish: protocol::Reload) -> Result<ReloadView, Fault> {
        let (asker, answer) = oneshot::channel();
        self.reader(reload::Order::Read { dry: wish.dry, asker }).await?;
        let reloaded = answer.await.map_err(|_| going_down())?;
        reloaded.map_err(|why| Fault::new(FaultCode::Invalid, why))
    }

    async fn roll(&self) -> Result<Roll, Fault> {
        let (asker, answer) = oneshot::channel();
        self.calls.send(roll::Question::Calls(asker)).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())
    }

    /// Whether a call is up.
    ///
    /// # Errors
    /// When there is nobody to ask any more.
    pub async fn is_up(&self, call: CallId) -> Result<bool, Fault> {
        Ok(self.roll().await?.calls.iter().any(|(up, _)| *up == call))
    }

    /// Which route would take a call, and what each one before it says to it.
    ///
    /// # Errors
    /// When the call cannot be thought of, or the server has no files.
    pub async fn routed(&self, thought: Thought) -> Result<Value, Fault> {
        let (asker, answer) = oneshot::channel();
        self.reader(reload::Order::Route { thought: Box::new(thought), asker }).await?;
        let routed = answer.await.map_err(|_| going_down())?;
        routed.map_err(|why| Fault::new(FaultCode::Impossible, why))
    }

    /// Asks who reads the files.
    async fn reader(&self, order: reload::Order) -> Result<(), Fault> {
        let Some(reloads) = &self.reloads else {
            let text = "this server does not read its files again";
            return Err(Fault::new(FaultCode::Impossible, text));
        };
        reloads.send(order).await.map_err(|_| going_down())
    }

    /// How the server stands.
    ///
    /// # Errors
    /// When there is nobody to ask any more.
    pub async fn status(&self) -> Result<StatusView, Fault> {
        let (door, trunks) = (self.sip(Question::Door).await?, self.trunks().await?);
        // While the last calls end there may be nobody who keeps the roll.
        let roll = self.roll().await.unwrap_or_default();
        let sockets = self.sip.sockets.iter();
        let listens = sockets.map(|(transport, address)| format!("{transport}:{address}"));
        let state = reports::State {
            house: &self.house,
            listens: listens.collect(),
            active: self.active.load(Ordering::Relaxed).max(roll.calls.len()),
            roll: (roll.taken, roll.refused),
            gauges: &self.gauges,
            unrecorded: self.recorder.lost(),
        };
        Ok(reports::status(&state, &door, &trunks))
    }

    /// How every trunk stands.
    ///
    /// # Errors
    /// When there is nobody to ask any more.
    pub async fn trunks(&self) -> Result<Vec<TrunkView>, Fault> {
        let (reports, when) = (self.sip(Question::Trunks).await?, When::now());
        let limits = |name: &str| self.house.limits.get(name).cloned().unwrap_or_default();
        let view = |(report, count): &(_, _)| reports::trunk(report, *count, when);
        let views = reports.iter().map(view);
        Ok(views.map(|it| TrunkView { limits: limits(&it.name), ..it }).collect())
    }

    async fn trunk(&self, name: &str) -> Result<TrunkView, Fault> {
        let trunks = self.trunks().await?;
        let names: Vec<String> = trunks.iter().map(|trunk| trunk.name.clone()).collect();
        let found = trunks.into_iter().find(|trunk| trunk.name == name);
        found.ok_or_else(|| no_trunk(name, &names))
    }

    async fn test(&self, name: &str) -> Result<TrialView, Fault> {
        let trial = self.sip(|asker| Question::Try(name.into(), asker)).await?;
        let trial: Trial = match trial {
            Ok(trial) => trial,
            // Says which there are.
            Err(Untried::Unknown) => {
                return Err(self.trunk(name).await.err().unwrap_or_else(|| no_trunk(name, &[])));
            }
            Err(why @ Untried::Silent) => {
                let message = format!("trunk `{name}`: {why}");
                return Err(Fault::new(FaultCode::Impossible, message));
            }
        };
        Ok(diagnosis::verdict(&trial, &self.trunk(name).await?))
    }

    async fn phones(&self) -> Result<Vec<PhoneView>, Fault> {
        let (phones, when) = (self.sip(Question::Phones).await?, When::now());
        Ok(phones.iter().map(|phone| reports::phone(phone, when)).collect())
    }

    async fn queues(&self) -> Result<Vec<QueueView>, Fault> {
        let (asker, answer) = oneshot::channel();
        // Those who hold the queues go when the server does.
        self.queues.send(queues::Order::Look(asker)).await.ok();
        let views = answer.await.map_err(|_| going_down())?;
        Ok(views.iter().map(reports::queue).collect())
    }

    async fn pause_member(&self, order: &PauseMember) -> Result<PausedView, Fault> {
        let member = oversight::destination(&order.member)?;
        let (asker, answer) = oneshot::channel();
        let pause = queues::Order::Pause(member.clone(), order.paused, asker);
        self.queues.send(pause).await.ok();
        if !answer.await.map_err(|_| going_down())? {
            let text = format!("`{member}` serves no queue");
            return Err(Fault::new(FaultCode::NotFound, text));
        }
        tracing::info!(pii.member = %member, paused = order.paused, "an operator pauses a member");
        Ok(PausedView { member: member.to_string(), paused: order.paused })
    }

    /// The calls that are up.
    ///
    /// # Errors
    /// When there is nobody to ask any more.
    pub async fn overviews(&self) -> Result<Vec<CallView>, Fault> {
        let roll = self.roll().await?;
        let asked = roll.calls.iter().map(|(_, mailbox)| inquire(mailbox));
        let overviews: Vec<Overview> = join_all(asked).await.into_iter().flatten().collect();
        self.views(overviews).await
    }

    /// The calls that are looked for, those that are up among them.
    ///
    /// # Errors
    /// When there is nobody to ask any more, or the database must be asked and does not answer.
    pub async fn found(&self, wanted: Wanted) -> Result<Found, Fault> {
        let found = self.history.find(wanted, self.overviews().await?).await;
        found.map_err(|why| Fault::new(FaultCode::Busy, why.to_string()))
    }

    /// What calls that ended come to.
    ///
    /// # Errors
    /// When a word makes no sense, or the database does not answer.
    pub async fn insight(&self, inquiry: &Inquiry) -> Result<InsightView, Misfit> {
        insight::answer(&self.history, inquiry, (&self.house.zone, clock::since_epoch())).await
    }

    /// Some records of calls that ended, written for others to read.
    ///
    /// # Errors
    /// When a word makes no sense, or they cannot be found.
    pub async fn extract(&self, extract: &Extract) -> Result<ExtractView, Misfit> {
        export::page(&self.history, extract, &self.house.zone).await
    }

    async fn history_of(&self, sought: &Sought) -> Result<List<CallSummary>, Fault> {
        let wrong = |why: Wrong| Fault::new(FaultCode::Impossible, why.to_string());
        let limit = sought.limit.clamp(1, MOST_SOUGHT);
        let wanted = Wanted::read(&Sought { limit, ..sought.clone() }).map_err(wrong)?;
        Ok(List { data: self.found(wanted).await?.calls })
    }

    async fn call(&self, id: &str) -> Result<CallView, Fault> {
        let (call, mailbox) = self.find(id).await?;
        let gone = || Fault::new(FaultCode::NotFound, format!("{call} has just ended"));
        let overview = inquire(&mailbox).await.ok_or_else(gone)?;
        self.views(vec![overview]).await?.pop().ok_or_else(gone)
    }

    /// Keeps something with a call, be it up or over, and tells those who watch.
    ///
    /// # Errors
    /// When there is nobody to ask any more.
    pub async fn label(
        &self,
        call: CallId,
        patch: Patch,
    ) -> Result<Result<Label, Unlabelled>, Fault> {
        let is_up = self.is_up(call).await?;
        let labelled = self.history.keep((call, is_up), patch).await.ok_or_else(going_down)?;
        if let Ok(Label { name, metadata }) = labelled.clone() {
            self.announcer.tell(Announcement::CallLabelled { call, name, metadata });
        }
        Ok(labelled)
    }

    /// Adds which trunk carries each leg, and what programs keep with the calls.
    async fn views(&self, overviews: Vec<Overview>) -> Result<Vec<CallView>, Fault> {
        let legs = overviews.iter().flat_map(|it| &it.legs);
        let sessions: Vec<_> = legs.map(|leg| leg.session).collect();
        let carriers = self.sip(|asker| Question::Carriers(sessions, asker)).await?;
        let mut carriers = carriers.into_iter();
        let view = |overview: &Overview| {
            let own = carriers.by_ref().take(overview.legs.len()).collect();
            let Label { name, metadata } = self.history.label(overview.call).unwrap_or_default();
            CallView { name, metadata, ..reports::call(overview, own) }
        };
        Ok(overviews.iter().map(view).collect())
    }

    /// Begins a call, which goes by a playbill of its own if it has one.
    ///
    /// # Errors
    /// When there can be no such call.
    pub async fn originate(
        &self,
        order: &Originate,
        playbill: Option<Arc<Playbill>>,
    ) -> Result<OriginatedView, Fault> {
        let order = origination::wanted(order)?;
        let (asker, answer) = oneshot::channel();
        let given = roll::Given { reporter: None, playbill };
        let question = roll::Question::Originate(Box::new(order), asker, given);
        self.calls.send(question).await.map_err(|_| going_down())?;
        let begun = answer.await.map_err(|_| going_down())?;
        let call = begun.map_err(|why| Fault::new(FaultCode::Impossible, why))?;
        tracing::info!(%call, "an operator begins a call");
        Ok(OriginatedView { id: call.to_string() })
    }

    async fn hang_up(&self, order: &HangUp) -> Result<HungUpView, Fault> {
        if !(1..=127).contains(&order.q850) {
            let text = "a cause of Q.850 is a number from 1 to 127";
            return Err(Fault::new(FaultCode::Impossible, text));
        }
        let (call, mailbox) = self.find(&order.id).await?;
        let q850 = order.q850;
        tracing::info!(%call, q850, "an operator hangs up");
        mailbox.deliver(Input::HangUp { q850 }).await.map_err(|_| ended(call))?;
        Ok(HungUpView { id: call.to_string(), q850 })
    }

    async fn mute(&self, order: &Mute) -> Result<MutedView, Fault> {
        let (call, mailbox) = self.find(&order.id).await?;
        let muted = order.muted;
        tracing::info!(%call, muted, "an operator mutes a caller, or lets it be heard");
        let input = if muted { Input::Mute } else { Input::Unmute };
        mailbox.deliver(input).await.map_err(|_| ended(call))?;
        Ok(MutedView { id: call.to_string(), muted })
    }

    async fn record(&self, order: &Record) -> Result<RecordingView, Fault> {
        let (call, mailbox) = self.find(&order.id).await?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        if !overview.recorded {
            return Err(Fault::new(FaultCode::Impossible, format!("{call} is not recorded")));
        }
        let (taping, paused) = match order.action {
            Taping::Pause => (event::Taping::Pause, true),
            Taping::Resume => (event::Taping::Resume, false),
        };
        tracing::info!(%call, paused, "an operator pauses or resumes a recording");
        mailbox.deliver(Input::Recording(taping)).await.map_err(|_| ended(call))?;
        Ok(RecordingView { id: call.to_string(), paused })
    }

    async fn oversee(&self, order: &Oversee) -> Result<OverseenView, Fault> {
        let (role, phone) = oversight::wanted(order)?;
        let (call, mailbox) = self.find(&order.id).await?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        if let Some(why) = oversight::objection(&overview, role, &phone) {
            return Err(Fault::new(FaultCode::Impossible, format!("{call}: {why}")));
        }
        tracing::info!(%call, role = role.name(), pii.phone = %phone, "an operator oversees a call");
        mailbox.deliver(Input::Oversee { role, phone }).await.map_err(|_| ended(call))?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        let changed = || format!("{call}: it has just taken another turn; try again");
        let view = oversight::arranged(&overview, role);
        view.ok_or_else(|| Fault::new(FaultCode::Impossible, changed()))
    }

    /// The call that is meant.
    pub(super) async fn find(&self, id: &str) -> Result<(CallId, Mailbox), Fault> {
        let calls = self.roll().await?.calls;
        let meant = |call: &CallId| {
            let full = call.to_string();
            full == id || id.len() >= SHORTEST_ID && full.ends_with(id)
        };
        let mut found = calls.into_iter().filter(|(call, _)| meant(call));
        let first = found.next().ok_or_else(|| {
            let text = format!("no call `{id}` is up: `voxtrunk call list` shows those that are");
            Fault::new(FaultCode::NotFound, text)
        })?;
        if found.next().is_some() {
            let text = format!("several calls end with `{id}`: write more of the identity");
            return Err(Fault::new(FaultCode::Ambiguous, text));
        }
        Ok(first)
    }
}

impl Stream {
    /// Sends one thing after the other; tells how many were missed. Ends when nobody takes them.
    pub async fn run(self, clerk: Arc<Clerk>, out: mpsc::Sender<Value>) -> u64 {
        match self {
            Self::Trace(wish) => wiretap::run(&clerk.sip, wish, out).await,
            Self::Events => events::run(&clerk.facts, &clerk.announcer, out).await,
        }
    }
}

/// Asks a call how it stands; one that is too busy to say is left out.
pub(super) async fn inquire(mailbox: &Mailbox) -> Option<Overview> {
    timeout(CALL_ANSWERS_WITHIN, mailbox.inquire()).await.ok().flatten()
}

fn no_trunk(name: &str, others: &[String]) -> Fault {
    let text = match others {
        [] => format!("there is no trunk `{name}`: conf/server.toml names none"),
        others => format!("there is no trunk `{name}`; there are: {}", others.join(", ")),
    };
    Fault::new(FaultCode::NotFound, text)
}

pub(super) fn ended(call: CallId) -> Fault {
    Fault::new(FaultCode::NotFound, format!("{call} has just ended"))
}

/// The least of an identity that names a call.
const SHORTEST_ID: usize = 4;

/// How many calls an operator is told of at once.
const MOST_SOUGHT: usize = 1_000;

/// How long a call may take to say how it stands.
const CALL_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
