//! Those who think and hear at work with scripted providers: who is asked when one fails, and what
//! the call is told. The patience is short and nothing is measured: what counts is the order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc;

use super::crew::Crew;
use super::health::Board;
use super::listen::{Ear, Order};
use super::shift::{Lineup, Member, Shift};
use super::think::Thinking;
use crate::agent::assistant::Patience;
use crate::agent::conversation::Request;
use crate::agent::event::{Delta, Input as Mind, PauseId, ThoughtId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::base::language::Language;
use crate::base::price::{Amount, Unit};
use crate::call::event::{Input, Service};
use crate::call::record::Stage;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::mailbox::{self, Inbox, Mailbox};
use crate::providers::error::{ProviderError, Retry};
use crate::providers::model::Model;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::voice::Voice;

/// One thing that a scripted model does.
#[derive(Debug, Clone)]
enum Step {
    Gives(Delta),
    Fails(Retry),
    Stalls,
}

/// A model that answers each request by the next of its scripts, and then by the last.
struct Scripted(Mutex<VecDeque<Vec<Step>>>);

impl Model for Scripted {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn think(&self, _request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let mut scripts = self.0.lock().unwrap();
        let steps = match scripts.len() {
            1 => scripts[0].clone(),
            _ => scripts.pop_front().expect("a script"),
        };
        stream::iter(steps)
            .then(|step| async {
                match step {
                    Step::Gives(delta) => Ok(delta),
                    Step::Fails(retry) => Err(ProviderError {
                        provider: "m".into(),
                        reason: "on purpose".into(),
                        retry,
                    }),
                    Step::Stalls => std::future::pending().await,
                }
            })
            .boxed()
    }
}

fn says(words: &str) -> Vec<Step> {
    vec![Step::Gives(Delta::Text(words.to_owned())), Step::Gives(Delta::Done)]
}

const PATIENCE: Patience = Patience {
    transcript: Duration::from_millis(20),
    first_word: Duration::from_millis(20),
    next_word: Duration::from_millis(20),
    answer: Duration::from_secs(30),
    audio: Duration::from_millis(20),
};

/// A call with models; each is called by its place, from `a`.
struct Call {
    models: Arc<Shift<dyn Model>>,
    mailbox: Mailbox,
    inbox: Inbox,
    announced: tokio::sync::broadcast::Receiver<Announcement>,
}

impl Call {
    fn with(models: Vec<Vec<Vec<Step>>>) -> Self {
        let announcer = Announcer::default();
        let announced = announcer.watch();
        let board = Board::new(announcer);
        let (mailbox, inbox) = mailbox::pair();
        let member = |(at, scripts): (usize, Vec<Vec<Step>>)| {
            let health = board.of(Stage::Think, NAMES[at], "");
            let who: Arc<dyn Model> = Arc::new(Scripted(Mutex::new(scripts.into())));
            Member { health, who }
        };
        let lineup = Lineup::of(models.into_iter().enumerate().map(member).collect());
        let models = Arc::new(Shift::new(lineup, mailbox.clone()));
        Self { models, mailbox, inbox, announced }
    }

    /// Thinks once; gives what the call was told, in short.
    async fn thinks(&mut self) -> Vec<String> {
        let thinking = Thinking {
            models: self.models.clone(),
            patience: PATIENCE,
            thought: ThoughtId(1),
            request: Request::default(),
            mailbox: self.mailbox.clone(),
        };
        thinking.run().await;
        let mut told = Vec::new();
        while let Ok(input) = self.inbox.inputs.try_recv() {
            told.push(short(input));
        }
        told
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn short(input: Input) -> String {
    match input {
        Input::Service(Service::Serves { provider, .. }) => format!("{provider} serves"),
        Input::Service(Service::Failed { provider, next, .. }) => {
            format!("{provider} failed, next {}", next.as_deref().unwrap_or("-"))
        }
        Input::Service(Service::Used(used)) => {
            let count: u64 = used.amounts.iter().map(|it| it.count).sum();
            format!("{} took {count}", used.provider)
        }
        Input::Mind(Mind::Thought { delta: Delta::Text(words), .. }) => words,
        Input::Mind(Mind::Thought { delta: Delta::Tool(call), .. }) => call.name,
        Input::Mind(Mind::Thought { delta, .. }) => format!("{delta:?}"),
        Input::Mind(Mind::Transcript { transcript: Transcript::Final { text, .. }, pause }) => {
            format!("{}: {text}", pause.0)
        }
        Input::Mind(Mind::Transcript { transcript, pause }) => {
            format!("{}: {transcript:?}", pause.0)
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn the_next_model_answers_and_stays_for_the_call() {
    let fails = vec![vec![Step::Fails(Retry::Now)]];
    let mut call = Call::with(vec![fails, vec![says("Yes.")]]);
    assert_eq!(call.thinks().await, ["a failed, next b", "b serves", "Yes.", "Done"]);
    assert_eq!(call.thinks().await, ["Yes.", "Done"], "the first is not tried in each turn");
}

#[tokio::test]
async fn a_late_first_word_is_overtaken() {
    let mut call = Call::with(vec![vec![vec![Step::Stalls]], vec![says("Yes.")]]);
    assert_eq!(call.thinks().await, ["a failed, next -", "b serves", "Yes.", "Done"]);
}

#[tokio::test]
async fn what_was_read_is_no_first_word_and_is_told_of_those_that_lose() {
    let read = |count| Step::Gives(Delta::Used(vec![Amount { unit: Unit::InputTokens, count }]));
    let late = vec![read(40), Step::Stalls];
    let mut call = Call::with(vec![vec![late], vec![[vec![read(30)], says("Yes.")].concat()]]);
    let told = call.thinks().await;
    let expected = ["a took 40", "b took 30", "a failed, next -", "b serves", "Yes.", "Done"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_gone_on_with_by_another() {
    let text = || Step::Gives(Delta::Text("We are open. But".to_owned()));
    for end in [vec![], vec![Step::Stalls], vec![Step::Fails(Retry::Now)]] {
        let broken = [vec![text()], end].concat();
        let mut call = Call::with(vec![vec![broken], vec![says("On Sundays not.")]]);
        let told = call.thinks().await;
        assert_eq!(told, ["a serves", "We are open. But", "a failed, next b", "BrokeOff"]);
        assert_eq!(call.thinks().await, ["b serves", "On Sundays not.", "Done"]);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_behind_a_tool_is_complete() {
    let call = crate::agent::tool::ToolCall {
        id: "1".to_owned(),
        name: "look_up".to_owned(),
        arguments: "{}".to_owned(),
    };
    let broken = vec![Step::Gives(Delta::Tool(call)), Step::Fails(Retry::Now)];
    let mut call = Call::with(vec![vec![broken], vec![says("It is red.")]]);
    assert_eq!(call.thinks().await, ["a serves", "look_up", "a failed, next b", "Done"]);
}

#[tokio::test]
async fn nothing_is_no_answer_while_there_is_somebody_to_ask() {
    let nothing = || vec![vec![Step::Gives(Delta::Done)]];
    let mut call = Call::with(vec![nothing(), vec![says("Yes.")]]);
    assert_eq!(call.thinks().await[0], "a failed, next b");
    let mut call = Call::with(vec![nothing()]);
    assert_eq!(call.thinks().await, ["a serves", "Done"]);
}

#[tokio::test]
async fn when_all_keys_are_refused_there_is_no_hope_and_otherwise_there_is() {
    let fails = |retry| vec![vec![Step::Fails(retry)]];
    let mut call = Call::with(vec![fails(Retry::Never), fails(Retry::Never)]);
    assert_eq!(call.thinks().await, ["a failed, next b", "b failed, next -", "Down"]);
    let mut call = Call::with(vec![fails(Retry::Never), fails(Retry::Now)]);
    assert_eq!(call.thinks().await.last().map(String::as_str), Some("Failed"));
}

#[tokio::test]
async fn who_asks_for_time_is_left_alone_and_the_operator_hears_of_it() {
    let wait = vec![vec![Step::Fails(Retry::After(Duration::from_secs(60)))]];
    let mut call = Call::with(vec![wait]);
    assert_eq!(call.thinks().await, ["a failed, next -", "Failed"]);
    assert_eq!(call.thinks().await, ["Failed"], "nobody is asked");
    let told = call.announced.try_recv().expect("it is announced");
    assert_eq!(told.name(), "provider.degraded");
}

#[tokio::test]
async fn a_provider_that_is_there_again_is_announced() {
    let script = vec![
        vec![Step::Fails(Retry::Now)],
        vec![Step::Fails(Retry::Now)],
        vec![Step::Fails(Retry::Now)],
        says("Yes."),
    ];
    let mut call = Call::with(vec![script]);
    for _ in 0..3 {
        call.thinks().await;
    }
    // Nobody else is there: the one who rests is asked all the same.
    assert_eq!(call.thinks().await, ["a serves", "Yes.", "Done"]);
    let names: Vec<&str> =
        std::iter::from_fn(|| call.announced.try_recv().ok().map(|it| it.name())).collect();
    assert_eq!(names, ["provider.degraded", "provider.recovered"]);
}

/// What a scripted transcriber does with a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Says how many samples it heard.
    Hears,
    /// Says that it cannot.
    Fails,
    /// Says nothing.
    Stalls,
    /// Does not open.
    Closed,
}

struct Counter(Manner);

struct Counting {
    manner: Manner,
    samples: usize,
    heard: mpsc::Sender<Heard>,
}

impl Transcriber for Counter {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn open(
        &self,
        _context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        let manner = self.0;
        Box::pin(async move {
            if manner == Manner::Closed {
                return Err(ProviderError::lasting("t", "the key is refused"));
            }
            Ok(Box::new(Counting { manner, samples: 0, heard }) as Box<dyn Listening>)
        })
    }
}

impl Listening for Counting {
    fn begin(&mut self) {
        self.samples = 0;
    }

    fn hear(&mut self, frame: &Frame) {
        self.samples += frame.samples.len();
    }

    fn finalize(&mut self, pause: PauseId) {
        let text = self.samples.to_string();
        let transcript = match self.manner {
            Manner::Hears => Transcript::Final { text, confidence: None, complete: true },
            Manner::Fails => Transcript::Failed,
            Manner::Stalls | Manner::Closed => return,
        };
        self.heard.try_send(Heard { pause, transcript }).unwrap();
    }

    fn forget(&mut self) {}
}

/// A call that is heard by these.
struct Listened {
    orders: mpsc::Sender<Order>,
    frames: mpsc::Sender<Frame>,
    inbox: Inbox,
    _work: tokio::task::JoinSet<()>,
}

struct Mute;

impl Voice for Mute {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn speak(&self, _text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        stream::empty().boxed()
    }

    fn identity(&self) -> String {
        "mute".to_owned()
    }
}

impl Listened {
    async fn by(manners: &[Manner]) -> Self {
        let board = Board::default();
        let member = |(at, manner): (usize, &Manner)| {
            let who: Arc<dyn Transcriber> = Arc::new(Counter(*manner));
            Member { health: board.of(Stage::Hear, NAMES[at], ""), who }
        };
        let lineup = Lineup::of(manners.iter().enumerate().map(member).collect());
        let context =
            Context { language: Language::english(), grammar: None, key_terms: Vec::new() };
        let voice: Arc<dyn Voice> = Arc::new(Mute);
        let health = board.of(Stage::Speak, "mute", "");
        let crew = Crew {
            transcribers: Some((lineup, context)),
            turn_model: None,
            models: Lineup::of(Vec::new()),
            voices: Lineup::of(vec![Member { health, who: voice }]),
            others: Default::default(),
            duplex: None,
            denoises: false,
            patience: PATIENCE,
        };
        let (mailbox, inbox) = mailbox::pair();
        let (orders, inbound) = mpsc::channel(16);
        let (frames, heard) = mpsc::channel(100);
        let mut work = tokio::task::JoinSet::new();
        work.spawn(Ear::new(mailbox).run(inbound, heard));
        orders.send(Order::Engage(Arc::new(crew))).await.unwrap();
        Self { orders, frames, inbox, _work: work }
    }

    /// The caller says so many frames and pauses.
    async fn says(&mut self, frames: usize, pause: u64) {
        self.orders.send(Order::Begin).await.unwrap();
        tokio::task::yield_now().await;
        for _ in 0..frames {
            self.frames.send(Frame::new(Rate::WIDE, vec![1; 320])).await.unwrap();
        }
        self.orders.send(Order::Finalize(PauseId(pause))).await.unwrap();
    }

    async fn told(&mut self) -> String {
        loop {
            let input = self.inbox.inputs.recv();
            let input = tokio::time::timeout(Duration::from_secs(20), input).await;
            let input = input.expect("something is told").expect("it lives");
            // What was heard is counted; how much, another test knows.
            if !matches!(input, Input::Service(Service::Used(_))) {
                return short(input);
            }
        }
    }
}

#[tokio::test]
async fn the_next_transcriber_hears_the_whole_turn_again() {
    for manner in [Manner::Fails, Manner::Stalls] {
        let mut call = Listened::by(&[manner, Manner::Hears]).await;
        call.says(30, 1).await;
        assert_eq!(call.told().await, "a failed, next b", "{manner:?}");
        assert_eq!(call.told().await, "b serves");
        assert_eq!(call.told().await, "1: 9600", "{manner:?}");
        call.orders.send(Order::Forget).await.unwrap();
        call.says(5, 2).await;
        assert_eq!(call.told().await, "2: 1600", "it stays for the call");
    }
}

#[tokio::test]
async fn a_transcriber_that_does_not_open_is_passed_over() {
    let mut call = Listened::by(&[Manner::Closed, Manner::Hears]).await;
    call.says(10, 1).await;
    assert_eq!(call.told().await, "a failed, next b");
    assert_eq!(call.told().await, "b serves");
    assert_eq!(call.told().await, "1: 3200");
}

#[tokio::test]
async fn when_nobody_can_say_what_was_heard_it_is_said() {
    let mut call = Listened::by(&[Manner::Fails, Manner::Fails]).await;
    call.says(10, 1).await;
    assert_eq!(call.told().await, "a failed, next b");
    assert_eq!(call.told().await, "b failed, next -");
    assert_eq!(call.told().await, "1: Failed");
    let mut call = Listened::by(&[Manner::Closed]).await;
    assert_eq!(call.told().await, "a failed, next -");
    call.says(10, 1).await;
    assert_eq!(call.told().await, "a failed, next -", "it is tried again in each turn");
    assert_eq!(call.told().await, "1: Failed");
}

#[tokio::test]
async fn a_lone_transcriber_is_waited_for() {
    let mut call = Listened::by(&[Manner::Stalls]).await;
    call.says(10, 1).await;
    call.says(10, 2).await;
    drop(call.orders);
    let mut heard = 0;
    while let Some(input) = call.inbox.inputs.recv().await {
        let Input::Service(Service::Used(used)) = input else { panic!("no failure is told") };
        heard += used.amounts.iter().map(|it| it.count).sum::<u64>();
    }
    assert_eq!(heard, 400, "milliseconds, each told once");
}
