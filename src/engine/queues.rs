//! Those who hold the queues: one task knows who waits and who serves, and tells the calls whom to
//! ring.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::briefing::Briefing;
use crate::call::event;
use crate::call::queue::{Input, Queues, View};
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
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
}

impl Attendants {
    /// Opens queues that stand in the files, and the way to them. Who asks waits while the way is
    /// full.
    pub fn new(briefing: &Briefing) -> (Self, QueuesHandle) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let (mut queues, mailboxes) = (Queues::new(clock::random()), HashMap::new());
        queues.know(clock::now(), &briefing.queues);
        (Self { queues, mailboxes, orders }, sender)
    }

    /// Runs until the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let deadline = self.queues.deadline();
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = until(deadline) => self.queues.tick(clock::now()),
                () = stop.cancelled() => return,
            }
            self.tell();
        }
    }

    fn obey(&mut self, order: Order) {
        let now = clock::now();
        match order {
            Order::Tell(caller, input, mailbox) => {
                if input == Input::Leave {
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
    fn tell(&mut self) {
        while let Some((caller, word)) = self.queues.poll() {
            let mailbox = self.mailboxes.get(&caller);
            let told = mailbox.map(|mailbox| mailbox.post(event::Input::Queue(word)));
            if !matches!(told, Some(Ok(()))) {
                self.mailboxes.remove(&caller);
                self.queues.handle(clock::now(), caller, Input::Leave);
            }
        }
    }
}

/// Orders that wait for their turn.
const ORDERS: usize = 256;
