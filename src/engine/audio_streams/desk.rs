//! The streams of one call: who holds its line, and how that one is reached.

use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::audio::frame::{Frame, Rate};
use crate::base::id::{CallId, PortId};
use crate::call::event::Input;
use crate::call::stream::{End, News, Opening, Order as Wish, StreamId};
use crate::engine::audio_streams::bot::{Line, Order};
use crate::engine::mailbox::Mailbox;
use crate::engine::media_shard::{MediaHandle, Order as MediaOrder};
use crate::engine::playbill::Playbill;

/// Who holds the line of a call, if anybody does.
#[derive(Debug, Default)]
pub struct Desk {
    line: Option<Open>,
    /// The end of one who was told to leave.
    farewell: Option<oneshot::Receiver<()>>,
}

#[derive(Debug)]
struct Open {
    stream: StreamId,
    port: PortId,
    orders: mpsc::Sender<Order>,
    done: oneshot::Receiver<()>,
}

/// What somebody needs who is to hold a line.
#[derive(Debug)]
pub struct Needs<'a> {
    /// The call.
    pub call: CallId,
    /// How streams are opened.
    pub playbill: &'a Playbill,
    /// The call.
    pub mailbox: &'a Mailbox,
    /// Where the caller is heard.
    pub media: &'a MediaHandle,
}

/// Where the caller is.
#[derive(Debug)]
pub struct Place<'a> {
    /// The rate of what its port plays.
    pub rate: Rate,
    /// Who has its port.
    pub media: &'a MediaHandle,
    /// Who hears it when no stream does.
    pub heard: &'a mpsc::Sender<Frame>,
}

/// What is to be done after an order.
#[derive(Debug)]
pub enum Then {
    /// Let somebody hold the line.
    Run(Line, mpsc::Receiver<Order>, oneshot::Sender<()>),
    /// Tell the call that there is no such stream.
    Refuse(Input),
}

impl Desk {
    /// Opens a stream.
    pub fn open(&mut self, stream: StreamId, opening: Opening, needs: &Needs<'_>) -> Then {
        let Some(settings) = needs.playbill.streams.get(&opening.stream).cloned() else {
            let end = End::Failed("it is not there".to_owned());
            let last = opening.after;
            return Then::Refuse(Input::Stream(stream, News::Ended { end, last }));
        };
        let (orders, wishes) = mpsc::channel(ORDERS);
        let (finish, done) = oneshot::channel();
        self.line = Some(Open { stream, port: opening.port, orders, done });
        let (mailbox, media) = (needs.mailbox.clone(), needs.media.clone());
        let line = Line { stream, call: needs.call, opening, settings, mailbox, media };
        Then::Run(line, wishes, finish)
    }

    /// Passes on what the call orders of the one who holds its line.
    pub fn order(&mut self, stream: StreamId, wish: &Wish, place: &Place<'_>) {
        let Some(line) = self.line.as_ref().filter(|line| line.stream == stream) else { return };
        let order = match wish {
            Wish::Begin => {
                let (heard, frames) = mpsc::channel(FRAMES);
                place.media.order(MediaOrder::Hear(line.port, heard));
                Order::Begin(place.rate, frames)
            }
            Wish::Digit(digit) => Order::Key(*digit),
            Wish::Heard(utterance) => Order::Heard(*utterance),
            Wish::End => Order::End,
            Wish::Open(_) => return,
        };
        let is_last = matches!(order, Order::End);
        // One who does not keep up with keys and marks misses them; its orders closed, it ends.
        if matches!(line.orders.try_send(order), Err(TrySendError::Full(_))) {
            tracing::warn!("who holds the line does not keep up");
        }
        if is_last {
            place.media.order(MediaOrder::Hear(line.port, place.heard.clone()));
            self.farewell = self.line.take().map(|line| line.done);
        }
    }

    /// The port at which somebody holds the line.
    pub fn port(&self) -> Option<PortId> {
        self.line.as_ref().map(|line| line.port)
    }

    /// Waits a little until the one who was told to leave has said goodbye.
    pub async fn part(&mut self) {
        if let Some(done) = self.farewell.take() {
            timeout(GOODBYE, done).await.ok();
        }
    }
}

/// How many orders may wait.
const ORDERS: usize = 64;

/// How many frames may wait for whoever holds the line: two seconds.
const FRAMES: usize = 100;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
