//! The streams of one call: who holds its line, and how that one is reached.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::audio::frame::{Frame, Rate};
use crate::base::id::{CallId, PortId};
use crate::call::event::Input;
use crate::call::stream::{End, News, Opening, Order as Wish, StreamId};
use crate::engine::audio_streams::bot::{Line, Order};
use crate::engine::audio_streams::fork;
use crate::engine::mailbox::Mailbox;
use crate::engine::media_shard::{MediaHandle, Order as MediaOrder};
use crate::engine::playbill::Playbill;

/// Who holds the line of a call, if anybody does.
#[derive(Debug, Default)]
pub struct Desk {
    line: Option<Open>,
    /// The ends of those who leave.
    farewells: Vec<oneshot::Receiver<()>>,
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

impl Desk {
    /// Does what the call orders; gives the work that somebody does for it.
    pub fn order(
        &mut self,
        (stream, wish): (StreamId, Wish),
        needs: &Needs<'_>,
        place: &Place<'_>,
    ) -> Option<BoxFuture<'static, ()>> {
        match wish {
            Wish::Open(opening) => Some(self.open(stream, *opening, needs)),
            Wish::Listen(opening) => {
                let (finish, done) = oneshot::channel();
                let line = match line(stream, *opening, needs) {
                    Ok(line) => line,
                    Err(refusal) => return Some(refusal),
                };
                self.farewells.push(done);
                Some(fork::listen(line, place.rate, finish).boxed())
            }
            Wish::Begin | Wish::Digit(_) | Wish::Heard(_) | Wish::End => {
                self.tell(stream, &wish, place);
                None
            }
        }
    }

    /// The port at which somebody holds the line, or is to.
    pub fn port(&self, wish: &Wish) -> Option<PortId> {
        match wish {
            Wish::Open(opening) | Wish::Listen(opening) => Some(opening.port),
            _ => self.line.as_ref().map(|line| line.port),
        }
    }

    /// Waits a little until those who leave have said goodbye.
    pub async fn part(&mut self) {
        let goodbyes = join_all(std::mem::take(&mut self.farewells));
        timeout(GOODBYE, goodbyes).await.ok();
    }

    fn open(
        &mut self,
        stream: StreamId,
        opening: Opening,
        needs: &Needs<'_>,
    ) -> BoxFuture<'static, ()> {
        let (orders, wishes) = mpsc::channel(ORDERS);
        let (finish, done) = oneshot::channel();
        let port = opening.port;
        match line(stream, opening, needs) {
            Ok(line) => {
                self.line = Some(Open { stream, port, orders, done });
                line.run(wishes, finish).boxed()
            }
            Err(refusal) => refusal,
        }
    }

    /// Passes on what the call orders of the one who holds its line.
    fn tell(&mut self, stream: StreamId, wish: &Wish, place: &Place<'_>) {
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
            Wish::Open(_) | Wish::Listen(_) => return,
        };
        let is_last = matches!(order, Order::End);
        // One who does not keep up with keys and marks misses them; its orders closed, it ends.
        if matches!(line.orders.try_send(order), Err(TrySendError::Full(_))) {
            tracing::warn!("who holds the line does not keep up");
        }
        if is_last {
            place.media.order(MediaOrder::Hear(line.port, place.heard.clone()));
            self.farewells.extend(self.line.take().map(|line| line.done));
        }
    }
}

/// A stream that is to be opened; without settings for it, the news that it is over.
fn line(
    stream: StreamId,
    opening: Opening,
    needs: &Needs<'_>,
) -> Result<Line, BoxFuture<'static, ()>> {
    let (mailbox, media) = (needs.mailbox.clone(), needs.media.clone());
    let Some(settings) = needs.playbill.streams.get(&opening.stream).cloned() else {
        let end = End::Failed("it is not there".to_owned());
        let ended = Input::Stream(stream, News::Ended { end, last: opening.after });
        // A call that is gone needs nothing.
        return Err(async move {
            mailbox.deliver(ended).await.ok();
        }
        .boxed());
    };
    Ok(Line { stream, call: needs.call, opening, settings, mailbox, media })
}

/// How many orders may wait.
const ORDERS: usize = 64;

/// How many frames may wait for whoever holds the line: two seconds.
const FRAMES: usize = 100;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
