//! Threads for engines that compute: few, at low priority, fed by one bounded queue.
//!
//! Speech engines block a thread for tens of milliseconds, so they run neither on the tasks of
//! calls nor on the threads of media.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A piece of work.
pub(super) trait Job: Send + 'static {
    /// Whether anybody still waits for it. One that nobody waits for is never begun.
    fn wanted(&self) -> bool;
}

/// The threads and their queue. Jobs are done in order of arrival. Dropping it lets each thread
/// end after the job in its hands; jobs still queued are dropped.
pub(super) struct Workers<J> {
    queue: Arc<Queue<J>>,
}

/// How many threads work and how many jobs may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Threads.
    pub threads: usize,
    /// The most jobs that wait.
    pub waiting: usize,
}

impl Size {
    /// Leaves one core to the media threads, and takes no more than `most` threads: each has an
    /// engine in memory.
    pub fn of_this_machine(most: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { threads: cores.saturating_sub(1).clamp(1, most), waiting: 256 }
    }
}

impl<J: Job> Workers<J> {
    /// Starts the threads. Each makes its own worker, which is kept until the thread ends or the
    /// worker panics. A worker that gives a job back wants it queued again, behind the others.
    pub fn start<W>(
        name: &str,
        size: Size,
        make: impl Fn() -> W + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        W: FnMut(J) -> Option<J>,
    {
        let workers = Self { queue: Arc::new(Queue::new(size.waiting)) };
        let make = Arc::new(make);
        for _ in 0..size.threads.max(1) {
            let (queue, make) = (workers.queue.clone(), make.clone());
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                // Lower than the media threads, which must never wait. On Linux this holds for
                // the thread alone; where it is refused, nothing is lost but the order.
                let _ = rustix::process::nice(5);
                serve(&queue, &*make);
            })?;
        }
        Ok(workers)
    }

    /// Queues a job, or gives it back when the queue is full of jobs that are still wanted.
    pub fn push(&self, job: J) -> Result<(), J> {
        let mut state = self.queue.lock();
        if state.jobs.len() >= self.queue.waiting {
            state.jobs.retain(Job::wanted);
        }
        if state.closed || state.jobs.len() >= self.queue.waiting {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.queue.filled.notify_one();
        Ok(())
    }
}

impl<J> Drop for Workers<J> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.queue.filled.notify_all();
    }
}

struct Queue<J> {
    waiting: usize,
    state: Mutex<State<J>>,
    filled: Condvar,
}

struct State<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

impl<J> Queue<J> {
    fn new(waiting: usize) -> Self {
        let state = State { jobs: VecDeque::new(), closed: false };
        Self { waiting, state: Mutex::new(state), filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        // Nothing that can panic runs under the lock but the destructor of a job.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; `None` when the workers are let go.
    fn pop(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a job that was begun behind the others. It has its place already, so the bound holds
    /// but for one job a thread.
    fn put_back(&self, job: J) {
        let mut state = self.lock();
        if !state.closed {
            state.jobs.push_back(job);
            drop(state);
            self.filled.notify_one();
        }
    }
}

fn serve<J: Job, W: FnMut(J) -> Option<J>>(queue: &Queue<J>, make: impl Fn() -> W) {
    let mut work = make();
    while let Some(job) = queue.pop() {
        if !job.wanted() {
            continue;
        }
        match catch_unwind(AssertUnwindSafe(|| work(job))) {
            Ok(Some(rest)) => queue.put_back(rest),
            Ok(None) => {}
            Err(_) => {
                tracing::error!("an engine's worker panicked; it starts afresh");
                work = make();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    enum Task {
        Say(u32, mpsc::Sender<u32>),
        Twice(u32, mpsc::Sender<u32>),
        Wait(mpsc::Receiver<()>),
        Panic,
        Unwanted,
    }

    impl Job for Task {
        fn wanted(&self) -> bool {
            !matches!(self, Self::Unwanted)
        }
    }

    fn workers(waiting: usize) -> Workers<Task> {
        Workers::start("test", Size { threads: 1, waiting }, || {
            |task| match task {
                Task::Say(number, to) => {
                    to.send(number).ok();
                    None
                }
                Task::Twice(number, to) => {
                    to.send(number).ok();
                    Some(Task::Say(number, to))
                }
                Task::Wait(until) => {
                    until.recv().ok();
                    None
                }
                Task::Panic => panic!("on purpose"),
                Task::Unwanted => unreachable!("nobody wants it"),
            }
        })
        .expect("threads can be started")
    }

    #[test]
    fn a_job_given_back_waits_behind_the_others() {
        let workers = workers(8);
        let (go, until) = mpsc::channel();
        let (to, said) = mpsc::channel();
        assert!(workers.push(Task::Wait(until)).is_ok());
        assert!(workers.push(Task::Twice(1, to.clone())).is_ok());
        assert!(workers.push(Task::Say(2, to)).is_ok());
        go.send(()).unwrap();
        assert_eq!(said.iter().take(3).collect::<Vec<_>>(), [1, 2, 1]);
    }

    #[test]
    fn a_full_queue_gives_the_job_back_unless_others_are_unwanted() {
        let workers = workers(2);
        let (_go, until) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        assert!(workers.push(Task::Say(0, begun)).is_ok());
        has_begun.recv().unwrap();
        assert!(workers.push(Task::Wait(until)).is_ok());
        // It is no longer in the queue as soon as the worker is at it.
        while !workers.queue.lock().jobs.is_empty() {
            std::thread::yield_now();
        }
        let (to, _said) = mpsc::channel();
        while workers.push(Task::Say(1, to.clone())).is_ok() {}
        assert!(workers.push(Task::Say(2, to.clone())).is_err());

        let mut state = workers.queue.lock();
        state.jobs.iter_mut().for_each(|job| *job = Task::Unwanted);
        drop(state);
        assert!(workers.push(Task::Say(3, to)).is_ok());
    }

    #[test]
    fn a_panic_costs_one_job() {
        let workers = workers(8);
        let (to, said) = mpsc::channel();
        assert!(workers.push(Task::Panic).is_ok());
        assert!(workers.push(Task::Say(7, to)).is_ok());
        assert_eq!(said.recv(), Ok(7));
    }
}
