//! Lets somebody behind a WebSocket listen to a call that goes on without them. A listener that is
//! slow, gone or never there costs the call nothing: what it does not take in time is dropped and
//! counted, and the call only notes how it ended.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::call::event::Input;
use crate::call::stream::{End, News};
use crate::engine::audio_streams::bot::{Line, begin};
use crate::engine::audio_streams::tap::Tap;
use crate::engine::clock;
use crate::engine::media_shard::Order as MediaOrder;
use crate::engine::sip_shard::until;
use crate::providers::error::ProviderError;
use crate::providers::framings::forms::framing;
use crate::providers::framings::framing::Framing;
use crate::providers::websocket::Socket;

/// A listener at work.
struct Listening {
    line: Line,
    socket: Socket,
    framing: Box<dyn Framing>,
    resamplers: (Resampler, Resampler),
    each_ping: Duration,
    ping: Instant,
    signs: (u64, Instant),
}

/// Listens at a port that plays at `rate`, until it closes.
pub async fn listen(line: Line, rate: Rate, _done: oneshot::Sender<()>) {
    let (stream, mailbox) = (line.stream, line.mailbox.clone());
    let last = line.opening.after;
    let end = match line.open().await {
        Ok(socket) => Listening::new(line, socket, rate).work().await,
        Err(why) => End::Failed(why.reason),
    };
    // A call that is gone needs nothing.
    mailbox.deliver(Input::Stream(stream, News::Ended { end, last })).await.ok();
}

impl Listening {
    fn new(line: Line, socket: Socket, rate: Rate) -> Self {
        let (now, settings) = (clock::now(), line.settings.clone());
        let framing = framing(settings.format, settings.rate);
        let resampler = || Resampler::new(rate, framing.rate());
        let each_ping = Duration::from_secs(5).min(settings.timeout / 3);
        Self {
            resamplers: (resampler(), resampler()),
            framing,
            signs: (socket.signs(), now),
            socket,
            each_ping,
            ping: now + each_ping,
            line,
        }
    }

    async fn work(mut self) -> End {
        let (tap, mut heard, lost) = Tap::new();
        let port = self.line.opening.port;
        self.line.media.order(MediaOrder::Fork(port, Some(Box::new(tap))));
        let end = match self.pass_on(&mut heard).await {
            Ok(()) => End::Left,
            Err(why) => End::Failed(why.reason),
        };
        self.line.media.order(MediaOrder::Fork(port, None));
        let lost = lost.load(Ordering::Relaxed);
        if lost > 0 {
            let stream = &self.line.settings.name;
            tracing::warn!(stream, lost, "who listens does not keep up: packets are lost to it");
        }
        if end == End::Left {
            let last = self.framing.end();
            for message in last.into_iter().chain([Message::Close(None)]) {
                if self.socket.send(message).await.is_err() {
                    break;
                }
            }
        }
        end
    }

    async fn pass_on(
        &mut self,
        heard: &mut mpsc::Receiver<(Frame, Frame)>,
    ) -> Result<(), ProviderError> {
        let mut out = Vec::new();
        begin(&self.line, &mut *self.framing, self.line.settings.both, &mut out);
        self.send(&mut out).await?;
        loop {
            tokio::select! {
                sides = heard.recv() => {
                    let Some((caller, ours)) = sides else { return Ok(()) };
                    self.add(&caller, &ours, &mut out);
                    self.send(&mut out).await?;
                }
                // Whatever a listener says, nobody hears it.
                said = self.socket.receive() => {
                    let gone = || self.line.failed("it hung up");
                    said.ok_or_else(gone)??;
                }
                () = until(Some(self.ping)) => self.ask().await?,
            }
        }
    }

    fn add(&mut self, caller: &Frame, ours: &Frame, out: &mut Vec<Message>) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        self.resamplers.0.push(&caller.samples, &mut first);
        self.resamplers.1.push(&ours.samples, &mut second);
        let second = self.line.settings.both.then_some(second.as_slice());
        self.framing.sound(&first, second, out);
    }

    async fn ask(&mut self) -> Result<(), ProviderError> {
        let now = clock::now();
        self.ping = now + self.each_ping;
        if self.signs.0 != self.socket.signs() {
            self.signs = (self.socket.signs(), now);
        }
        if now.saturating_duration_since(self.signs.1) > self.line.settings.timeout {
            return Err(self.line.failed("it does not say whether it is there"));
        }
        self.socket.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, out: &mut Vec<Message>) -> Result<(), ProviderError> {
        for message in out.drain(..) {
            self.socket.feed(message).await?;
        }
        self.socket.flush().await
    }
}
