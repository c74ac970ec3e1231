//! Those who hold the queues: one task knows who waits and who serves, and tells the calls whom to
//! ring.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::briefing::Briefing;
use crate::call::event;
use crate::call::queue::{Back, Input, Queues, View, Word};
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
use crate::engine::roll::{Given, Question};
use crate::engine::sip_shard::until;

/// What is asked of those who hold the queues.
#[derive(Debug)]
pub enum Order {
    /// The call of a caller says something; it is answered by `Input::Queue` there.
    Tell(PortId, Input, Mailbox),
    /// The call of a caller is gone.
    Gone(PortId),
    /// The queues as they stand in the files from now on.
    Know(Arc<Briefing>),
    /// An operator lets a member rest, or work again; told whether it serves a queue.
    Pause(Destination, bool, oneshot::Sender<bool>),
    /// An operator wants to see all queues.
    Look(oneshot::Sender<Vec<View>>),
}

/// The way to them.
pub type QueuesHandle = mpsc::Sender<Order>;

/// The owner of all queues.
#[derive(Debug)]
pub struct Attendants {
    queues: Queues,
    mailboxes: HashMap<PortId, Mailbox>,
    orders: mpsc::Receiver<Order>,
    /// Calls back that are to begin, and whether they did.
    backs: JoinSet<(PortId, bool)>,
}

impl Attendants {
    /// Opens queues that stand in the files, and the way to them. Who asks waits while the way is
    /// full.
    pub fn new(briefing: &Briefing) -> (Self, QueuesHandle) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let (mut queues, mailboxes) = (Queues::new(clock::random()), HashMap::new());
        queues.know(clock::now(), &briefing.queues);
        (Self { queues, mailboxes, orders, backs: JoinSet::new() }, sender)
    }

    /// Runs until the stop; `calls` begins calls.
    pub async fn run(mut self, calls: mpsc::Sender<Question>, stop: CancellationToken) {
        loop {
            let deadline = self.queues.deadline();
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some(begun) = self.backs.join_next(), if !self.backs.is_empty() => {
                    if let Ok((caller, false)) = begun {
                        self.queues.handle(clock::now(), caller, Input::NotTaken);
                    }
                }
                () = until(deadline) => self.queues.tick(clock::now()),
                () = stop.cancelled() => return,
            }
            self.tell(&calls);
        }
    }

    fn obey(&mut self, order: Order) {
        let now = clock::now();
        match order {
            Order::Tell(caller, input, mailbox) => {
                if matches!(input, Input::Leave | Input::CallBack { .. }) {
                    self.mailboxes.remove(&caller);
                } else {
                    self.mailboxes.insert(caller, mailbox);
                }
                self.queues.handle(now, caller, input);
            }
            Order::Gone(caller) => {
                self.mailboxes.remove(&caller);
                self.queues.handle(now, caller, Input::Leave);
            }
            Order::Know(briefing) => self.queues.know(now, &briefing.queues),
            // Who asked may have gone meanwhile.
            Order::Pause(member, paused, asker) => {
                let serves = self.queues.pause(now, &member, paused);
                asker.send(serves).ok();
            }
            Order::Look(asker) => drop(asker.send(self.queues.views(now))),
        }
    }

    /// Tells the calls what there is to be told. A call that is gone without a word leaves.
    fn tell(&mut self, calls: &mpsc::Sender<Question>) {
        while let Some((caller, word)) = self.queues.poll() {
            if let Word::CallBack(back) = word {
                self.backs.spawn(call_back(calls.clone(), (caller, back)));
                continue;
            }
            let mailbox = self.mailboxes.get(&caller);
            let told = mailbox.map(|mailbox| mailbox.post(event::Input::Queue(word)));
            if !matches!(told, Some(Ok(()))) {
                self.mailboxes.remove(&caller);
                self.queues.handle(clock::now(), caller, Input::Leave);
            }
        }
    }
}

/// Has a call back begin; tells whether it did.
async fn call_back(calls: mpsc::Sender<Question>, back: (PortId, Back)) -> (PortId, bool) {
    let (caller, (asker, begun)) = (back.0, oneshot::channel());
    let question = Question::Originate(Box::new(back.into()), asker, Given::default());
    if calls.send(question).await.is_err() {
        return (caller, false);
    }
    match begun.await {
        Ok(Ok(_)) => (caller, true),
        Ok(Err(why)) => {
            tracing::warn!(why, "a caller of a queue could not be called back; it is tried again");
            (caller, false)
        }
        Err(_) => (caller, false),
    }
}

/// Orders that wait for their turn.
const ORDERS: usize = 256;
