//! Who answers the questions of all calls about their turns: few threads at low priority. A call
//! has at most one question that waits and one at work.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::agent::event::PauseId;
use crate::agent::judgement::{Judgement, Likelihood};
use crate::providers::turn_model::{Judging, TurnModel};
use crate::providers::workers::{Job, Size, Workers};

/// The threads. Dropping it lets each end after the question in its hands.
pub struct Pool {
    workers: Arc<Workers<Ticket>>,
}

impl Pool {
    /// Starts the threads, at most `most`. Each makes its own network, which gives the probability
    /// that a turn is complete, or nothing when it cannot.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start<N>(most: usize, make: impl Fn() -> N + Send + Sync + 'static) -> io::Result<Self>
    where
        N: FnMut(&[i16]) -> Option<f32>,
    {
        let workers = Workers::start("turn-model", Size::of_this_machine(most), move || {
            // Lower than the transcribers, whose words weigh more. Where it is refused, nothing is
            // lost but the order.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            let mut network = make();
            move |ticket: Ticket| ticket.serve(&mut network)
        })?;
        Ok(Self { workers: Arc::new(workers) })
    }
}

impl TurnModel for Pool {
    fn open(&self, answers: mpsc::Sender<Judgement>) -> Box<dyn Judging> {
        let seat = Seat { state: Mutex::default(), answers };
        Box::new(Call { seat: Arc::new(seat), workers: self.workers.clone() })
    }
}

/// Transcribers have 5.
const NICENESS: i32 = 10;

/// A call.
struct Call {
    seat: Arc<Seat>,
    workers: Arc<Workers<Ticket>>,
}

impl Judging for Call {
    fn ask(&mut self, pause: PauseId, turn: Vec<i16>) {
        self.seat.lock().waiting = Some(Question { pause, turn });
        // The question waits at its seat: a ticket that is one too many finds nothing there.
        if self.workers.push(Ticket(self.seat.clone())).is_err() {
            self.seat.lock().waiting = None;
            tracing::warn!("too many turns wait to be judged; this one is not");
        }
    }

    fn forget(&mut self) {
        self.seat.lock().waiting = None;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Where the questions of a call wait.
struct Seat {
    state: Mutex<Waiting>,
    answers: mpsc::Sender<Judgement>,
}

#[derive(Default)]
struct Waiting {
    waiting: Option<Question>,
    is_served: bool,
}

struct Question {
    pause: PauseId,
    turn: Vec<i16>,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question that waits, unless another thread is at work for this call: that one looks
    /// again when it is done.
    fn begin(&self) -> Option<Question> {
        let mut state = self.lock();
        if state.is_served {
            return None;
        }
        let question = state.waiting.take()?;
        state.is_served = true;
        Some(question)
    }
}

/// Sees to it that the next question of a call is served, whatever became of this one.
struct Service<'a>(&'a Seat);

impl Drop for Service<'_> {
    fn drop(&mut self) {
        self.0.lock().is_served = false;
    }
}

/// The right of a call to be served once.
struct Ticket(Arc<Seat>);

impl Job for Ticket {
    fn wanted(&self) -> bool {
        self.0.lock().waiting.is_some() && !self.0.answers.is_closed()
    }
}

impl Ticket {
    /// Answers the question of the call; gives the ticket back when there is another by now.
    fn serve(self, network: &mut impl FnMut(&[i16]) -> Option<f32>) -> Option<Self> {
        let question = self.0.begin()?;
        let service = Service(&self.0);
        if let Some(probability) = network(&question.turn) {
            let complete = Likelihood::of(probability);
            // Who does not take answers in time gets none.
            self.0.answers.try_send(Judgement { pause: question.pause, complete }).ok();
        }
        drop(service);
        self.wanted().then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as threads;

    use super::*;

    /// A pool whose network gives the first sample of a turn in thousandths, when it is told to.
    /// It tells which turns it begins.
    fn pool() -> (Pool, threads::Receiver<i16>, threads::Sender<()>) {
        let (begins, begun) = threads::channel();
        let (go, until) = threads::channel();
        let until = Arc::new(Mutex::new(until));
        let pool = Pool::start(1, move || {
            let (begins, until) = (begins.clone(), until.clone());
            move |turn: &[i16]| {
                begins.send(turn[0]).ok();
                until.lock().unwrap().recv().ok()?;
                assert!(turn[0] >= 0, "on purpose");
                Some(f32::from(turn[0]) / 1_000.0)
            }
        });
        (pool.expect("threads can be started"), begun, go)
    }

    fn answer(judgements: &mut mpsc::Receiver<Judgement>) -> (u64, u16) {
        let Judgement { pause, complete } = judgements.blocking_recv().expect("an answer");
        (pause.0, (complete.probability() * 1_000.0).round() as u16)
    }

    #[test]
    fn a_newer_question_of_a_call_replaces_the_one_that_waits_and_not_that_of_another() {
        let (pool, begun, go) = pool();
        let (answers, mut judgements) = mpsc::channel(4);
        let (others, mut other_judgements) = mpsc::channel(4);
        let (mut one, mut other) = (pool.open(answers), pool.open(others));
        one.ask(PauseId(1), vec![100]);
        assert_eq!(begun.recv(), Ok(100));
        one.ask(PauseId(2), vec![200]);
        other.ask(PauseId(7), vec![700]);
        one.ask(PauseId(3), vec![300]);
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        assert_eq!(answer(&mut judgements), (1, 100));
        assert_eq!(answer(&mut judgements), (3, 300));
        assert_eq!(answer(&mut other_judgements), (7, 700));
        let order: Vec<i16> = begun.try_iter().collect();
        assert!(order == [300, 700] || order == [700, 300], "{order:?}");
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_never_begun() {
        let (pool, begun, go) = pool();
        let (answers, mut judgements) = mpsc::channel(4);
        let (unread, closed) = mpsc::channel(4);
        let (mut one, mut forgetful) = (pool.open(answers.clone()), pool.open(answers));
        let (mut gone, mut deaf) = (pool.open(unread.clone()), pool.open(unread));
        one.ask(PauseId(1), vec![100]);
        assert_eq!(begun.recv(), Ok(100));
        forgetful.ask(PauseId(2), vec![200]);
        forgetful.forget();
        gone.ask(PauseId(3), vec![300]);
        drop(gone);
        deaf.ask(PauseId(4), vec![400]);
        drop(closed);
        one.ask(PauseId(5), vec![500]);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(answer(&mut judgements), (1, 100));
        assert_eq!(answer(&mut judgements), (5, 500));
        assert_eq!(begun.try_iter().collect::<Vec<_>>(), [500]);
    }

    #[test]
    fn two_threads_never_serve_one_call_at_once() {
        let (answers, mut judgements) = mpsc::channel(4);
        let seat = Arc::new(Seat { state: Mutex::default(), answers });
        let ask = |pause: u64, sample: i16| {
            let question = Question { pause: PauseId(pause), turn: vec![sample] };
            seat.lock().waiting = Some(question);
            Ticket(seat.clone())
        };
        let first = ask(1, 100);
        let back = first.serve(&mut |turn: &[i16]| {
            let second = ask(2, 200);
            assert!(second.wanted());
            // Another thread takes the ticket while this one is at work: it has to let it be.
            let back = second.serve(&mut |_: &[i16]| panic!("the call is being served"));
            assert!(back.is_none());
            Some(f32::from(turn[0]) / 1_000.0)
        });
        let back = back.expect("the second question waits");
        assert!(back.serve(&mut |turn: &[i16]| Some(f32::from(turn[0]) / 1_000.0)).is_none());
        assert_eq!(answer(&mut judgements), (1, 100));
        assert_eq!(answer(&mut judgements), (2, 200));
    }

    #[test]
    fn a_network_that_breaks_costs_one_answer() {
        let (pool, begun, go) = pool();
        let (answers, mut judgements) = mpsc::channel(4);
        let mut call = pool.open(answers);
        call.ask(PauseId(1), vec![-1]);
        assert_eq!(begun.recv(), Ok(-1));
        call.ask(PauseId(2), vec![200]);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(answer(&mut judgements), (2, 200));
    }
}
