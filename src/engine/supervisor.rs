//! The supervisor: takes the calls that arrive, keeps within the limits, and mourns the broken.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tracing::Instrument;

use crate::base::id::{CallId, PortId};
use crate::base::random::Random;
use crate::call::admission::Badge;
use crate::call::cause::Cause;
use crate::call::chronicle;
use crate::call::conductor::{self, Conductor};
use crate::call::origination::Origination;
use crate::engine::call_task::{CallTask, House, Stops};
use crate::engine::clock;
use crate::engine::conferences;
use crate::engine::mailbox::{self, Inbox, Mailbox};
use crate::engine::playbill::Playbill;
use crate::engine::queues;
use crate::engine::roll::{Given, Question, Roll};
use crate::engine::sip_shard::{Arrival, Order};
use crate::sip::event::{Command, SessionId};

/// Owns the tasks of all calls.
#[derive(Debug)]
pub struct Supervisor {
    house: Arc<House>,
    playbill: Arc<Playbill>,
    max_calls: usize,
    stops: Stops,
    random: Random,
    calls: JoinSet<()>,
    sessions: HashMap<Id, OnLine>,
    active: Arc<AtomicUsize>,
    taken: u64,
    refused: u64,
    questions: mpsc::Receiver<Question>,
}

/// A call that is up.
#[derive(Debug)]
struct OnLine {
    session: SessionId,
    call: CallId,
    mailbox: Mailbox,
}

impl Supervisor {
    /// Makes a supervisor; `active` shows how many calls are up.
    pub fn new(house: Arc<House>, playbill: Arc<Playbill>, limits: Limits, stops: Stops) -> Self {
        Self {
            house,
            playbill,
            max_calls: limits.max_calls,
            stops,
            random: clock::random(),
            calls: JoinSet::new(),
            sessions: HashMap::new(),
            active: limits.active,
            taken: 0,
            refused: 0,
            // Without operators nobody asks.
            questions: mpsc::channel(1).1,
        }
    }

    /// Answers these questions.
    #[must_use]
    pub fn with_questions(mut self, questions: mpsc::Receiver<Question>) -> Self {
        self.questions = questions;
        self
    }

    /// Runs until arrivals end, or until the stop: then until the last call is over.
    pub async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>) {
        loop {
            tokio::select! {
                biased;
                Some(done) = self.calls.join_next_with_id(), if !self.calls.is_empty() => {
                    self.bury(done).await;
                }
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.admit(arrival).await,
                    None => break,
                },
                Some(question) = self.questions.recv() => self.answer(question).await,
                () = self.stops.wind_up.cancelled(), if self.calls.is_empty() => return,
            }
            self.active.store(self.calls.len(), Ordering::Relaxed);
        }
        while let Some(done) = self.calls.join_next_with_id().await {
            self.bury(done).await;
        }
    }

    async fn admit(&mut self, arrival: Arrival) {
        let session = arrival.incoming.session;
        if let Err(cause) = self.judge(&arrival) {
            self.refused = self.refused.saturating_add(1);
            tracing::warn!(cause = cause.end_reason(), "a call was refused");
            let refusal = cause.refusal();
            return self.order(Command::Refuse { session, refusal }).await;
        }
        let mut came = self.arrival(arrival.trunk);
        came.verification = arrival.verification;
        let call = came.call;
        let conductor = Conductor::new(came, arrival.incoming, self.playbill.briefing.clone());
        self.house.sip.order(Order::Named(session, call)).await;
        self.run_call((call, Given::default()), conductor, (arrival.mailbox, arrival.inbox));
    }

    /// What a call is given that begins now.
    fn arrival(&mut self, trunk: Badge) -> chronicle::Arrival {
        let since_epoch = clock::since_epoch();
        let call = CallId::new(since_epoch, &mut self.random);
        let (at, random) = (clock::now(), clock::random());
        chronicle::Arrival { call, trunk, at, since_epoch, random, verification: None }
    }

    fn run_call(
        &mut self,
        (call, Given { reporter, playbill }): (CallId, Given),
        conductor: Conductor,
        post: (Mailbox, Inbox),
    ) {
        let (mailbox, inbox) = post;
        let playbill = playbill.unwrap_or_else(|| self.playbill.clone());
        let span = tracing::info_span!("call", %call);
        let session = conductor.sip_session();
        let given = (self.house.clone(), playbill);
        let task = CallTask::new(call, conductor, given, mailbox.clone()).reporting_to(reporter);
        let handle = self.calls.spawn(task.run(inbox, self.stops.clone()).instrument(span));
        self.taken = self.taken.saturating_add(1);
        self.sessions.insert(handle.id(), OnLine { session, call, mailbox });
    }

    /// Begins a call of ours.
    fn originate(&mut self, order: Origination, given: Given) -> Result<CallId, String> {
        if self.stops.wind_up.is_cancelled() {
            return Err("the server is going down".to_owned());
        }
        if self.calls.len() >= self.max_calls {
            return Err(format!("{} calls are up, and no more may be", self.max_calls));
        }
        let briefing = given.playbill.as_ref().unwrap_or(&self.playbill).briefing.clone();
        if let Some(why) = order.objection(&briefing) {
            return Err(why);
        }
        let came = self.arrival(Badge { tenant: order.tenant.clone(), ..Badge::default() });
        let call = came.call;
        let conductor = Conductor::originate(came, order, briefing);
        self.run_call((call, given), conductor, mailbox::pair());
        Ok(call)
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Calls(asker) => {
                let up = self.sessions.values().map(|it| (it.call, it.mailbox.clone()));
                let mut calls: Vec<(CallId, Mailbox)> = up.collect();
                calls.sort_unstable_by_key(|(call, _)| *call);
                // Who asked may have gone meanwhile.
                asker.send(Roll { calls, taken: self.taken, refused: self.refused }).ok();
            }
            Question::Originate(order, asker, given) => {
                let begun = self.originate(*order, given);
                if let Ok(call) = begun {
                    // What is said on the wire for it is found under its name.
                    self.house.sip.order(Order::Named(call.session(0), call)).await;
                }
                asker.send(begun).ok();
            }
            Question::Change(playbill, asker) => {
                self.playbill = playbill;
                asker.send(()).ok();
            }
        }
    }

    /// Whether there is room for the call, and its trunk may bring it.
    fn judge(&self, arrival: &Arrival) -> Result<(), Cause> {
        if self.stops.wind_up.is_cancelled() {
            return Err(Cause::ServerShutdown);
        }
        if self.calls.len() >= self.max_calls {
            return Err(Cause::Full);
        }
        let terms = self.playbill.briefing.trunks.get(&arrival.trunk.name);
        let may = terms.is_none_or(|terms| terms.may_deliver(&arrival.incoming.called_user));
        if may { Ok(()) } else { Err(Cause::NoRoute) }
    }

    /// A call's task is over. One that broke leaves people on the line: they are hung up.
    async fn bury(&mut self, done: Result<(Id, ()), tokio::task::JoinError>) {
        let (id, broke) = match &done {
            Ok((id, ())) => (*id, false),
            Err(why) => (why.id(), why.is_panic()),
        };
        let line = self.sessions.remove(&id);
        let (Some(OnLine { session, call, .. }), true) = (line, broke) else { return };
        tracing::error!("the task of a call broke; this is a bug");
        let caller = PortId(session.0);
        self.house.queues.send(queues::Order::Gone(caller)).await.ok();
        let placed = (1..conductor::MOST_LEGS).map(|number| call.session(number));
        for session in std::iter::once(session).chain(placed) {
            let reason = Some(Cause::InternalError.reason_header());
            self.order(Command::HangUp { session, reason }).await;
            let port = PortId(session.0);
            self.house.conferences.send(conferences::Order::Leave(port)).await.ok();
            self.house.media.order(crate::engine::media_shard::Order::Close(port));
        }
    }

    async fn order(&self, command: Command) {
        self.house.sip.order(Order::Command(command)).await;
    }
}

/// How many calls there may be, and how many there are.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Beyond it, 503 with Retry-After.
    pub max_calls: usize,
    /// How many are up now.
    pub active: Arc<AtomicUsize>,
}
