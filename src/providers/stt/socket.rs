//! A call that is heard over a socket: what vendors that take a stream of audio share. The socket
//! is opened when the call begins and kept open; when it breaks, another one is opened and hears
//! the caller's turn from where its text was certain.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::Frame;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::stt::pace::{self, Pace, Step};
use crate::providers::stt::trouble::Trouble;
use crate::providers::transcriber::{Heard, Listening};
use crate::providers::websocket::{self, Dial, Received, Socket};

/// How a vendor is spoken to. It lives as long as a call is heard and hears several sockets, one
/// after the other.
pub(super) trait Dialect: Send + 'static {
    /// Whether the vendor cuts off whoever sends more audio than the time that has passed holds.
    const IS_PACED: bool = false;

    /// Where a socket is opened.
    fn dial(&self) -> Dial;

    /// The same for vendors that have to be asked where.
    fn arrange(&self) -> BoxFuture<'static, Result<Dial, ProviderError>> {
        let dial = self.dial();
        Box::pin(async { Ok(dial) })
    }

    /// What is sent first.
    fn greeting(&self) -> Option<Message> {
        None
    }

    /// A new socket is open: it has heard nothing yet. The audio of the turn follows from where
    /// [`Out::settled`] stood.
    fn opened(&mut self);

    /// The caller's turn begins.
    fn begin(&mut self);

    /// Audio of the turn, at 16 kHz.
    fn hear(&mut self, samples: &[i16], out: &mut Out);

    /// The caller paused.
    fn finalize(&mut self, pause: PauseId, out: &mut Out);

    /// The turn was taken or came to nothing.
    fn forget(&mut self, out: &mut Out);

    /// The vendor said something.
    ///
    /// # Errors
    /// When nothing more is to be expected of this socket.
    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError>;

    /// The time that [`Out::wake`] asked for is over.
    fn wake(&mut self, out: &mut Out);

    /// What keeps a socket open on which nothing is sent.
    fn idle(&mut self) -> Message;

    /// What ends a socket.
    fn goodbye(&self) -> Message;
}

/// What a dialect wants done.
#[derive(Default)]
pub(super) struct Out {
    /// To be sent, in order.
    pub send: Vec<Message>,
    /// To be told to the call, in order.
    pub tell: Vec<Heard>,
    /// After this time, `wake` is called. A later wish takes the place of an earlier one.
    pub wake: Option<Duration>,
    /// So many samples of the turn need not be heard again by another socket.
    pub settled: usize,
}

/// The calls that are heard; the work of each is a task.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<JoinSet<()>>);

impl Calls {
    /// Begins to hear a call; the socket is opened meanwhile.
    pub fn open<D: Dialect>(
        &self,
        dialect: D,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let failed = heard.clone();
        let (pace, trouble) = (Pace::new(D::IS_PACED), Trouble::default());
        let session =
            Session { dialect, orders: inbox, heard, turn: None, pace, trouble: trouble.clone() };
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(session.run());
        let call = Call { orders, heard: failed, trouble };
        Box::pin(async move { Ok(Box::new(call) as Box<dyn Listening>) })
    }
}

/// Opens a socket and closes it again: so wrong keys and models are known before a caller calls.
pub(super) async fn try_out(dial: Dial, goodbye: Message) -> Result<(), ProviderError> {
    let mut socket = websocket::open(&dial).await?;
    let parting = async {
        socket.send(goodbye).await.ok();
        // Some vendors open to everybody, and say only then that the key is wrong.
        while let Some(received) = socket.receive().await {
            match received {
                Ok(_) => {}
                Err(why) if why.retry == Retry::Never => return Err(why),
                Err(_) => break,
            }
        }
        Ok(())
    };
    timeout(PART_WITHIN, parting).await.unwrap_or(Ok(()))
}

/// The samples as most vendors want them: 16 bits, little end first.
pub(super) fn linear16(samples: &[i16]) -> Message {
    let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    Message::binary(octets)
}

struct Call {
    orders: mpsc::Sender<Order>,
    heard: mpsc::Sender<Heard>,
    trouble: Trouble,
}

enum Order {
    Begin,
    Hear(Vec<i16>),
    Finalize(PauseId),
    Forget,
}

impl Call {
    fn order(&self, order: Order) {
        match self.orders.try_send(order) {
            Ok(()) => {}
            Err(
                TrySendError::Full(Order::Finalize(pause))
                | TrySendError::Closed(Order::Finalize(pause)),
            ) => {
                // Whoever waits for the text must not wait for ever.
                self.heard.try_send(Heard { pause, transcript: Transcript::Failed }).ok();
            }
            Err(TrySendError::Full(_)) => tracing::warn!("the transcriber does not keep up"),
            // It said why it ended.
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

impl Listening for Call {
    fn begin(&mut self) {
        self.order(Order::Begin);
    }

    fn hear(&mut self, frame: &Frame) {
        self.order(Order::Hear(frame.samples.clone()));
    }

    fn finalize(&mut self, pause: PauseId) {
        self.order(Order::Finalize(pause));
    }

    fn forget(&mut self) {
        self.order(Order::Forget);
    }

    fn trouble(&mut self) -> Option<ProviderError> {
        self.trouble.take()
    }
}

/// The work for one call.
struct Session<D> {
    dialect: D,
    orders: mpsc::Receiver<Order>,
    heard: mpsc::Sender<Heard>,
    turn: Option<Turn>,
    trouble: Trouble,
    pace: Pace,
}

/// The caller's turn, as another socket would have to hear it.
#[derive(Default)]
struct Turn {
    samples: Vec<i16>,
    /// The pause whose text is still to come.
    asked: Option<PauseId>,
    /// Whether the vendor has said anything since the turn began.
    answered: bool,
}

/// How a conversation over one socket ended.
enum End {
    /// The call is over.
    Call,
    /// The socket broke.
    Socket(ProviderError),
}

impl<D: Dialect> Session<D> {
    async fn run(mut self) {
        let mut failures = 0;
        while let Some(opened) = self.connect().await {
            let why = match opened {
                Ok(socket) => {
                    failures = 0;
                    match self.converse(socket).await {
                        End::Call => return,
                        End::Socket(why) => why,
                    }
                }
                Err(why) => {
                    self.trouble.is(&why);
                    self.give_up().await;
                    why
                }
            };
            tracing::warn!(%why, "the transcriber is away");
            self.trouble.is(&why);
            let pause = match why.retry {
                Retry::Never => return self.be_deaf().await,
                Retry::Now => BACK_OFF[failures.min(BACK_OFF.len() - 1)],
                Retry::After(pause) => pause.max(BACK_OFF[0]),
            };
            failures += 1;
            if self.wait(pause).await.is_none() {
                return;
            }
        }
    }

    /// Opens a socket, and keeps what is ordered meanwhile; `None` when the call is over.
    async fn connect(&mut self) -> Option<Result<Socket, ProviderError>> {
        let arranged = self.dialect.arrange();
        let opening = async { websocket::open(&arranged.await?).await };
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return Some(opened),
                order = self.orders.recv() => self.keep(order?),
            }
        }
    }

    /// Lets time pass without a socket; `None` when the call is over.
    async fn wait(&mut self, pause: Duration) -> Option<()> {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Some(()),
                order = self.orders.recv() => self.keep(order?),
            }
        }
    }

    /// There will be no text in this call.
    async fn be_deaf(&mut self) {
        self.give_up().await;
        while let Some(order) = self.orders.recv().await {
            if let Order::Finalize(pause) = order {
                self.tell(Heard { pause, transcript: Transcript::Failed }).await;
            }
        }
    }

    /// The text that is waited for does not come; and it is told without being asked, so that
    /// another one can hear the turn.
    async fn give_up(&mut self) {
        let asked = self.turn.as_mut().and_then(|turn| turn.asked.take());
        let pause = asked.unwrap_or_default();
        self.tell(Heard { pause, transcript: Transcript::Failed }).await;
    }

    /// Keeps what is ordered for the next socket. What the turn before said is of no use.
    fn keep(&mut self, order: Order) {
        match order {
            Order::Begin => {
                self.dialect.begin();
                self.turn = Some(Turn::default());
            }
            Order::Hear(samples) => {
                if let Some(turn) = &mut self.turn {
                    turn.keep(&samples);
                }
            }
            Order::Finalize(pause) => {
                if let Some(turn) = &mut self.turn {
                    turn.asked = Some(pause);
                }
            }
            Order::Forget => {
                self.dialect.forget(&mut Out::default());
                self.turn = None;
            }
        }
    }

    async fn converse(&mut self, mut socket: Socket) -> End {
        let mut out = self.begin_again();
        let mut wake = None;
        let (mut idle, mut time) = (interval(IDLE), interval(pace::EACH));
        let mut sent = true;
        loop {
            sent |= !out.send.is_empty();
            if let Some(after) = out.wake {
                wake = Some(Box::pin(sleep(after)));
            }
            if let Err(why) = self.settle(std::mem::take(&mut out), &mut socket).await {
                return End::Socket(why);
            }
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order, &mut out),
                    None => return self.part(socket).await,
                },
                received = socket.receive() => match received {
                    Some(Ok(Received::Text(text))) => {
                        if let Some(turn) = &mut self.turn {
                            turn.answered = true;
                        }
                        if let Err(why) = self.dialect.received(&text, &mut out) {
                            return End::Socket(why);
                        }
                    }
                    // Nobody who transcribes has anything to say in octets.
                    Some(Ok(Received::Binary(_))) => {}
                    Some(Err(why)) => return End::Socket(why),
                    None => {
                        let dial = self.dialect.dial();
                        let why = ProviderError::passing(&dial.provider, "closed the socket");
                        return End::Socket(why);
                    }
                },
                () = async { wake.as_mut().expect("it is there").await }, if wake.is_some() => {
                    wake = None;
                    self.dialect.wake(&mut out);
                }
                _ = time.tick(), if D::IS_PACED => {
                    self.pace.pass();
                    self.go_on(&mut out);
                }
                _ = idle.tick() => {
                    if !std::mem::take(&mut sent) {
                        out.send.push(self.dialect.idle());
                    }
                }
                () = self.heard.closed() => return self.part(socket).await,
            }
        }
    }

    /// Has a new socket hear what there is of the turn.
    fn begin_again(&mut self) -> Out {
        self.dialect.opened();
        self.pace.begin();
        let mut out = Out::default();
        out.send.extend(self.dialect.greeting());
        if let Some(turn) = &self.turn {
            for samples in turn.samples.chunks(REPLAYED) {
                self.pace.hear(samples.to_vec());
            }
            if let Some(pause) = turn.asked {
                self.pace.pause(pause);
            }
            self.go_on(&mut out);
        }
        out
    }

    fn obey(&mut self, order: Order, out: &mut Out) {
        self.obey_one(order, out);
        // Whatever else waits goes out with it: one write for many frames.
        for _ in 0..MOST_TOGETHER {
            let Ok(order) = self.orders.try_recv() else { return };
            self.obey_one(order, out);
        }
    }

    fn obey_one(&mut self, order: Order, out: &mut Out) {
        match order {
            Order::Begin => {
                self.pace.forget();
                self.dialect.begin();
                self.turn = Some(Turn::default());
            }
            Order::Hear(samples) => {
                let Some(turn) = &mut self.turn else { return };
                turn.keep(&samples);
                self.pace.hear(samples);
                self.go_on(out);
            }
            Order::Finalize(pause) => {
                let Some(turn) = &mut self.turn else { return };
                turn.asked = Some(pause);
                self.pace.pause(pause);
                self.go_on(out);
            }
            Order::Forget => {
                self.pace.forget();
                self.dialect.forget(out);
                self.turn = None;
            }
        }
    }

    /// Has the vendor hear what it may hear by now.
    fn go_on(&mut self, out: &mut Out) {
        while let Some(step) = self.pace.step() {
            match step {
                Step::Hear(samples) => self.dialect.hear(&samples, out),
                Step::Pause(pause) => self.dialect.finalize(pause, out),
            }
        }
    }

    /// Does what the dialect wants done.
    async fn settle(&mut self, out: Out, socket: &mut Socket) -> Result<(), ProviderError> {
        if let Some(turn) = &mut self.turn {
            turn.samples.drain(..out.settled.min(turn.samples.len()));
        }
        for heard in out.tell {
            self.tell(heard).await;
        }
        if out.send.is_empty() {
            return Ok(());
        }
        for message in out.send {
            socket.feed(message).await?;
        }
        socket.flush().await
    }

    async fn tell(&mut self, mut heard: Heard) {
        if self.turn.as_ref().is_some_and(Turn::is_ignored) {
            let provider = self.dialect.dial().provider;
            self.trouble.is(&ProviderError::passing(&provider, "it says nothing"));
            heard.transcript = Transcript::Failed;
        }
        match heard.transcript {
            Transcript::Partial { .. } => drop(self.heard.try_send(heard)),
            Transcript::Final { .. } | Transcript::Judged { .. } | Transcript::Failed => {
                if let Some(turn) = &mut self.turn
                    && turn.asked == Some(heard.pause)
                {
                    turn.asked = None;
                }
                self.heard.send(heard).await.ok();
            }
        }
    }

    /// Ends a socket as the vendor wants it: else it may be charged for longer.
    async fn part(&mut self, mut socket: Socket) -> End {
        let goodbye = self.dialect.goodbye();
        let parting = async {
            socket.send(goodbye).await.ok();
            while let Some(Ok(_)) = socket.receive().await {}
        };
        timeout(PART_WITHIN, parting).await.ok();
        End::Call
    }
}

impl Turn {
    /// Whether the vendor has heard enough to say something, and said nothing at all: no text then
    /// means that nobody is there.
    fn is_ignored(&self) -> bool {
        !self.answered && self.samples.len() >= ENOUGH
    }

    fn keep(&mut self, samples: &[i16]) {
        self.samples.extend_from_slice(samples);
        if self.samples.len() > LONGEST_TURN {
            self.samples.drain(..self.samples.len() - LONGEST_TURN / 2);
        }
    }
}

/// How many orders may wait: ten seconds of frames.
const ORDERS: usize = 512;

/// How many of them are obeyed before anything is sent.
const MOST_TOGETHER: usize = 64;

/// How much of a turn another socket would hear, in samples: a minute.
const LONGEST_TURN: usize = 60 * 16_000;

/// So much of a turn, in samples, makes every vendor say something: a second.
const ENOUGH: usize = 16_000;

/// In pieces of so many samples: 100 ms.
const REPLAYED: usize = 1_600;

/// How long to wait for the next attempt, by the failures before it.
const BACK_OFF: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// A socket on which nothing was sent for so long, and at most for twice as long, is kept open.
const IDLE: Duration = Duration::from_secs(3);

/// How long the vendor may take to end a socket.
const PART_WITHIN: Duration = Duration::from_secs(2);
