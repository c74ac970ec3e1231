//! The rooms of all conferences: one task has them, and tells each call who is there with it.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::id::PortId;
use crate::call::conference::{self, Conferences};
use crate::call::event::Input;
use crate::engine::mailbox::Mailbox;

/// What a call asks of the rooms.
#[derive(Debug)]
pub enum Order {
    /// A port comes into a room; its call is told who else is there.
    Join {
        /// The room.
        room: String,
        /// The port.
        port: PortId,
        /// Where its call hears.
        mailbox: Mailbox,
    },
    /// A port leaves wherever it is.
    Leave(PortId),
}

/// The way to the rooms.
pub type ConferencesHandle = mpsc::Sender<Order>;

/// The owner of all rooms.
#[derive(Debug)]
pub struct Rooms {
    conferences: Conferences,
    mailboxes: HashMap<PortId, Mailbox>,
    orders: mpsc::Receiver<Order>,
}

impl Rooms {
    /// Makes empty rooms and the way to them. Who asks waits while the way is full.
    pub fn new() -> (Self, ConferencesHandle) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let (conferences, mailboxes) = (Conferences::default(), HashMap::new());
        (Self { conferences, mailboxes, orders }, sender)
    }

    /// Runs until the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Join { room, port, mailbox }) => self.join(&room, port, mailbox),
                    Some(Order::Leave(port)) => self.leave(port),
                    None => return,
                },
                () = stop.cancelled() => return,
            }
        }
    }

    fn join(&mut self, room: &str, port: PortId, mailbox: Mailbox) {
        match self.conferences.join(room, port).map(<[PortId]>::to_vec) {
            Ok(members) => {
                self.mailboxes.insert(port, mailbox);
                self.tell(&members);
            }
            // A call that is gone needs no answer.
            Err(conference::Full) => drop(mailbox.post(Input::Gathered(None))),
        }
    }

    fn leave(&mut self, port: PortId) {
        self.mailboxes.remove(&port);
        let members = self.conferences.leave(port);
        self.tell(&members);
    }

    /// Tells each member who the others are. A call that is gone without a word leaves, too.
    fn tell(&mut self, members: &[PortId]) {
        let is_gone = |member: &&PortId| {
            let others = conference::others(members, **member);
            let mailbox = self.mailboxes.get(*member);
            mailbox.is_none_or(|mailbox| mailbox.post(Input::Gathered(Some(others))).is_err())
        };
        if let Some(gone) = members.iter().find(is_gone) {
            self.leave(*gone);
        }
    }
}

/// Orders that wait for their turn.
const ORDERS: usize = 256;
