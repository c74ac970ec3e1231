//! Holds the line of a call to somebody behind a WebSocket: what the caller says goes there as it
//! comes, and what is said there is heard by the caller. Whatever the other side does, it costs no
//! more than the settings allow, and the call learns how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::base::id::{CallId, PortId, UtteranceId};
use crate::call::event::Input;
use crate::call::stream::{End, News, Opening, StreamId};
use crate::engine::audio_streams::queue::{Flood, Queue, Step};
use crate::engine::clock;
use crate::engine::mailbox::Mailbox;
use crate::engine::media_shard::{MediaHandle, Order as MediaOrder};
use crate::engine::sip_shard::until;
use crate::media::event::{Command, Digit};
use crate::providers::error::ProviderError;
use crate::providers::framings::forms::framing;
use crate::providers::framings::framing::{Framing, Said, Start};
use crate::providers::framings::settings::Settings;
use crate::providers::websocket::{self, Received, Socket};

/// What is ordered of one who holds a line.
#[derive(Debug)]
pub enum Order {
    /// The caller is there: its port plays at this rate, and here is what it says, at 16 kHz.
    Begin(Rate, mpsc::Receiver<Frame>),
    /// The caller pressed a key.
    Key(Digit),
    /// The caller has heard everything up to the end of this utterance.
    Heard(UtteranceId),
    /// The call has no more to do with it.
    End,
}

/// A stream that is to be opened.
#[derive(Debug)]
pub struct Line {
    /// Which stream of the call it is.
    pub stream: StreamId,
    /// The call.
    pub call: CallId,
    /// What it is about.
    pub opening: Opening,
    /// How it is opened.
    pub settings: Arc<Settings>,
    /// The call.
    pub mailbox: Mailbox,
    /// Where the caller is heard.
    pub media: MediaHandle,
}

/// A stream at work.
struct Held {
    line: Line,
    socket: Socket,
    framing: Box<dyn Framing>,
    /// What the caller says, once it is there.
    ear: Option<Ear>,
    /// What the caller is to hear; before it is there, it is only kept.
    mouth: Mouth,
    out: Vec<Message>,
    /// Whether anything was said.
    has_spoken: bool,
    /// How much of what came made no sense.
    nonsense: u32,
    /// Commands in this second, and when it began.
    commands: (u32, Instant),
    /// When it is asked again whether it is there, and what it had shown of itself when it was
    /// asked last; since when it shows nothing.
    each_ping: Duration,
    ping: Instant,
    signs: (u64, Instant),
    /// It is done: until then what it said may still be heard.
    leaves: Option<Instant>,
    /// It takes nothing any more: until then what it said before may still be read.
    broken: Option<(ProviderError, Instant)>,
    until: Instant,
}

struct Ear {
    frames: mpsc::Receiver<Frame>,
    resampler: Resampler,
    /// When silence is sent in the place of a caller who sends nothing.
    silence: Instant,
}

enum Mouth {
    Early(Vec<Said>),
    Open(Box<Queue>),
}

impl Line {
    /// Runs until the stream is over; whoever has the other end of `done` sees when.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>, _done: oneshot::Sender<()>) {
        let (stream, mailbox) = (self.stream, self.mailbox.clone());
        let after = self.opening.after;
        let opened = tokio::select! {
            opened = self.open() => opened,
            _ = left(&mut orders) => return,
        };
        let (end, last) = match opened {
            Ok(socket) => {
                let mut held = Held::new(self, socket);
                let end = match held.hold(&mut orders).await {
                    Ok(end) => end,
                    Err(why) => End::Failed(why.reason),
                };
                held.part(&end).await;
                (end, held.mouth.last().unwrap_or(after))
            }
            Err(why) => (End::Failed(why.reason), after),
        };
        // A call that is gone needs nothing.
        mailbox.deliver(Input::Stream(stream, News::Ended { end, last })).await.ok();
    }

    /// Opens the socket.
    ///
    /// # Errors
    /// When nobody is there in time.
    pub async fn open(&self) -> Result<Socket, ProviderError> {
        let dial = self.settings.dial()?;
        websocket::open_within(&dial, self.settings.connect_timeout).await
    }

    /// A failure of whoever is there.
    pub fn failed(&self, reason: &str) -> ProviderError {
        ProviderError::passing(&self.settings.name, reason)
    }

    async fn tell(&self, news: News) {
        self.mailbox.deliver(Input::Stream(self.stream, news)).await.ok();
    }
}

impl Held {
    fn new(line: Line, socket: Socket) -> Self {
        let (now, settings) = (clock::now(), line.settings.clone());
        let each_ping = MOST_PATIENT.min(settings.timeout / 3);
        Self {
            framing: framing(settings.format, settings.rate),
            signs: (socket.signs(), now),
            socket,
            ear: None,
            mouth: Mouth::Early(Vec::new()),
            out: Vec::new(),
            has_spoken: false,
            nonsense: 0,
            commands: (0, now),
            each_ping,
            ping: now + each_ping,
            leaves: None,
            broken: None,
            until: now + settings.max_duration,
            line,
        }
    }

    /// Holds the line until somebody leaves.
    async fn hold(&mut self, orders: &mut mpsc::Receiver<Order>) -> Result<End, ProviderError> {
        self.line.tell(News::Open).await;
        loop {
            self.step().await;
            if self.leaves.is_some_and(|due| self.is_heard() || due <= clock::now()) {
                return Ok(End::Done);
            }
            let (silence, speech) = (self.silence_due(), self.mouth.deadline());
            let broken = self.broken.as_ref().filter(|_| self.leaves.is_none());
            let broken = broken.map(|(_, due)| *due);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::End) | None => return Ok(End::Left),
                    Some(order) => self.obey(order).await?,
                },
                received = self.socket.receive(), if self.leaves.is_none() => match received {
                    Some(message) => self.take(&message?).await?,
                    None => self.is_left()?,
                },
                Some(frame) = next(&mut self.ear) => self.hear(&frame).await,
                () = until(silence) => self.be_silent().await,
                () = until(speech) => {}
                () = until(Some(self.ping)) => self.ask().await?,
                () = until(self.leaves) => {}
                () = until(broken) => {
                    return Err(self.broken.take().map_or_else(|| self.line.failed("gone"), |it| it.0));
                }
                () = until(Some(self.until)) => return Ok(End::MaxDuration),
            }
        }
    }

    /// Says goodbye, unless nobody is there who could hear it.
    async fn part(&mut self, end: &End) {
        if self.leaves.is_some() || matches!(end, End::Failed(_)) {
            return;
        }
        let last = self.framing.end().filter(|_| self.ear.is_some());
        for message in last.into_iter().chain([Message::Close(None)]) {
            if self.socket.send(message).await.is_err() {
                return;
            }
        }
    }

    // From the call.

    async fn obey(&mut self, order: Order) -> Result<(), ProviderError> {
        match order {
            Order::Begin(rate, frames) => self.begin(rate, frames).await,
            Order::Key(digit) => {
                if let Some(message) = self.framing.key(digit.key()).filter(|_| self.ear.is_some())
                {
                    self.send(message).await;
                }
                Ok(())
            }
            Order::Heard(utterance) => {
                if let Mouth::Open(queue) = &mut self.mouth {
                    queue.heard(utterance);
                }
                Ok(())
            }
            Order::End => Ok(()),
        }
    }

    async fn begin(
        &mut self,
        rate: Rate,
        frames: mpsc::Receiver<Frame>,
    ) -> Result<(), ProviderError> {
        let (opening, settings) = (&self.line.opening, &self.line.settings);
        begin(&self.line, &mut *self.framing, false, &mut self.out);
        let resampler = Resampler::new(Rate::WIDE, self.framing.rate());
        self.ear = Some(Ear { frames, resampler, silence: clock::now() + PATIENCE });
        let queue = Box::new(Queue::new(rate, settings.buffer, opening.after));
        if let Mouth::Early(said) = std::mem::replace(&mut self.mouth, Mouth::Open(queue)) {
            for said in said {
                self.say(said)?;
            }
        }
        self.send_out().await;
        Ok(())
    }

    // From the caller.

    async fn hear(&mut self, frame: &Frame) {
        let Some(ear) = &mut self.ear else { return };
        ear.silence = clock::now() + PATIENCE;
        let mut samples = Vec::with_capacity(frame.samples.len());
        ear.resampler.push(&frame.samples, &mut samples);
        self.framing.sound(&samples, None, &mut self.out);
        self.send_out().await;
    }

    /// The caller sends nothing: whoever listens goes on hearing something.
    async fn be_silent(&mut self) {
        let silence = Frame::silence(Rate::WIDE, FRAME);
        let due = self.silence_due().unwrap_or_else(clock::now) + FRAME;
        self.hear(&silence).await;
        if let Some(ear) = &mut self.ear {
            ear.silence = due.max(clock::now());
        }
    }

    fn silence_due(&self) -> Option<Instant> {
        self.ear.as_ref().filter(|_| self.leaves.is_none()).map(|ear| ear.silence)
    }

    // From whoever is there.

    async fn take(&mut self, message: &Received) -> Result<(), ProviderError> {
        let Ok(said) = self.framing.read(message) else {
            self.nonsense += 1;
            let is_much = self.nonsense > MOST_NONSENSE;
            return if is_much {
                Err(self.line.failed("what it says makes no sense"))
            } else {
                Ok(())
            };
        };
        match said {
            Some(Said::Sound(frame)) if frame.samples.is_empty() => self.commanded(),
            Some(Said::Sound(frame)) => {
                self.has_spoken = true;
                self.say(Said::Sound(frame))
            }
            Some(Said::Keys(keys)) => {
                self.commanded()?;
                let digits: Vec<Digit> =
                    keys.chars().take(MOST_KEYS).filter_map(Digit::new).collect();
                if !digits.is_empty() {
                    self.line.tell(News::Dial(digits)).await;
                }
                Ok(())
            }
            Some(Said::HangUp) => {
                self.has_spoken = true;
                self.is_left()
            }
            Some(said @ (Said::Mark(_) | Said::Clear)) => {
                self.commanded()?;
                self.say(said)
            }
            None => self.commanded(),
        }
    }

    fn say(&mut self, said: Said) -> Result<(), ProviderError> {
        let now = clock::now();
        let done = match (&mut self.mouth, said) {
            (Mouth::Early(early), said) if early.len() < MOST_EARLY => {
                early.push(said);
                Ok(())
            }
            (Mouth::Early(_), _) => Err(Flood),
            (Mouth::Open(queue), Said::Sound(frame)) => queue.sound(now, &frame),
            (Mouth::Open(queue), Said::Mark(name)) => queue.mark(now, name),
            (Mouth::Open(queue), Said::Clear) => {
                queue.clear();
                Ok(())
            }
            (Mouth::Open(_), Said::Keys(_) | Said::HangUp) => Ok(()),
        };
        done.map_err(|Flood| self.line.failed("it says more than may wait to be heard"))
    }

    /// It says something that is no sound: so often, and no more.
    fn commanded(&mut self) -> Result<(), ProviderError> {
        let now = clock::now();
        if now.saturating_duration_since(self.commands.1) >= Duration::from_secs(1) {
            self.commands = (0, now);
        }
        self.commands.0 += 1;
        let is_flood = self.commands.0 > MOST_COMMANDS;
        if is_flood { Err(self.line.failed("it floods us with commands")) } else { Ok(()) }
    }

    /// It is done, or never was there.
    fn is_left(&mut self) -> Result<(), ProviderError> {
        if !self.has_spoken {
            return Err(self.line.failed("it hung up before it said anything"));
        }
        self.leaves = Some(clock::now() + LAST_WORDS);
        Ok(())
    }

    /// Whether the caller has heard everything.
    fn is_heard(&self) -> bool {
        match &self.mouth {
            Mouth::Early(_) => true,
            Mouth::Open(queue) => queue.is_silent(),
        }
    }

    // To the caller, and to whoever is there.

    async fn step(&mut self) {
        let port = self.line.opening.port;
        if let Mouth::Open(queue) = &mut self.mouth {
            queue.tick(clock::now());
            while let Some(step) = queue.poll() {
                let command = match step {
                    Step::Play(utterance, frame) => Command::Play { utterance, frame },
                    Step::Finish(utterance) => Command::Finish { utterance },
                    Step::Flush(through) => Command::Flush { through },
                    Step::Marked(name) => {
                        self.out.extend(self.framing.marked(&name));
                        continue;
                    }
                };
                self.line.media.order(MediaOrder::Command(PortId(port.0), command));
            }
        }
        self.send_out().await;
    }

    /// Asks whether it is there.
    async fn ask(&mut self) -> Result<(), ProviderError> {
        let now = clock::now();
        self.ping = now + self.each_ping;
        if self.leaves.is_some() {
            return Ok(());
        }
        if self.signs.0 != self.socket.signs() {
            self.signs = (self.socket.signs(), now);
        }
        if now.saturating_duration_since(self.signs.1) > self.line.settings.timeout {
            return Err(self.line.failed("it does not say whether it is there"));
        }
        self.send(Message::Ping(Bytes::new())).await;
        Ok(())
    }

    async fn send(&mut self, message: Message) {
        self.out.push(message);
        self.send_out().await;
    }

    /// Sends what waits, unless nobody takes it.
    async fn send_out(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        if self.leaves.is_some() || self.broken.is_some() {
            return;
        }
        if let Err(why) = self.pass(out).await {
            self.broken = Some((why, clock::now() + LAST_READ));
        }
    }

    async fn pass(&mut self, out: Vec<Message>) -> Result<(), ProviderError> {
        for message in out {
            self.socket.feed(message).await?;
        }
        self.socket.flush().await
    }
}

impl Mouth {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Early(_) => None,
            Self::Open(queue) => queue.deadline(),
        }
    }

    fn last(&self) -> Option<UtteranceId> {
        match self {
            Self::Early(_) => None,
            Self::Open(queue) => Some(queue.last()),
        }
    }
}

/// Says what is said first on a stream, which is of both sides or of the caller alone.
pub fn begin(line: &Line, framing: &mut dyn Framing, both: bool, out: &mut Vec<Message>) {
    let opening = &line.opening;
    let start = Start {
        call: line.call.to_string(),
        stream: digits(),
        call_digits: line.call.digits(),
        account: line.settings.account.clone(),
        from: opening.from.clone(),
        to: opening.to.clone(),
        parameters: opening.parameters.clone(),
        both,
    };
    framing.begin(&start, out);
}

/// Waits until the call has no more to do with a stream that is being opened.
async fn left(orders: &mut mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        if matches!(order, Order::End) {
            return;
        }
    }
}

/// What the caller says next, or never before it is there.
async fn next(ear: &mut Option<Ear>) -> Option<Frame> {
    match ear {
        Some(ear) => ear.frames.recv().await,
        None => std::future::pending().await,
    }
}

/// 32 hexadecimal digits by chance.
fn digits() -> String {
    let mut random = clock::random();
    format!("{:016x}{:016x}", random.u64(), random.u64())
}

/// What a frame lasts.
const FRAME: Duration = Duration::from_millis(20);

/// After how long without a packet of the caller silence is sent in its place.
const PATIENCE: Duration = Duration::from_millis(80);

/// How often it is asked at least whether it is there.
const MOST_PATIENT: Duration = Duration::from_secs(5);

/// How long what was said last may take to be heard.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// How long is read what was said before it took nothing any more.
const LAST_READ: Duration = Duration::from_secs(1);

/// How many messages may make no sense.
const MOST_NONSENSE: u32 = 50;

/// How many commands may come in a second.
const MOST_COMMANDS: u32 = 200;

/// How many messages may come before the caller is there.
const MOST_EARLY: usize = 500;

/// How many keys may come at once.
const MOST_KEYS: usize = 32;
