//! Watches many sockets (`epoll`), as the thread needs it that carries audio: it waits to the
//! microsecond, and a socket that has more is told again, so that one read is enough.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Watches sockets.
#[derive(Debug)]
pub struct Watch {
    epoll: OwnedFd,
    waker: Waker,
}

/// Wakes whoever waits at a [`Watch`].
#[derive(Debug, Clone)]
pub struct Waker(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    file: OwnedFd,
    /// Whether nobody need ring: whoever watches looks by itself, and soon.
    looks_by_itself: AtomicBool,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the kernel gives no more files.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let file = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Each ring is told once, so it need not be read.
        epoll::add(&epoll, &file, EventData::new_u64(RUNG), EventFlags::IN | EventFlags::ET)?;
        let waker = Waker(Arc::new(Bell { file, looks_by_itself: AtomicBool::new(false) }));
        Ok(Self { epoll, waker })
    }

    /// What wakes the one who waits here.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Watches a socket; it is told by this token.
    ///
    /// # Errors
    /// When the kernel watches no more.
    pub fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(token as u64), EventFlags::IN)?)
    }

    /// Watches a socket no longer.
    pub fn remove(&self, socket: impl AsFd) {
        epoll::delete(&self.epoll, socket).ok();
    }

    /// Waits until a socket has something, somebody rings or the time is over; without a time
    /// however long it takes.
    pub fn wait(&self, timeout: Option<Duration>) {
        // Longer than a timespec is forever.
        let timeout = timeout.and_then(|it| Timespec::try_from(it).ok());
        let mut files = [PollFd::new(&self.epoll, PollFlags::IN)];
        // A signal may interrupt it; whoever waits looks at the clock anyway.
        poll(&mut files, timeout.as_ref()).ok();
    }

    /// Tells which sockets have something to be read, as many as are told at once.
    pub fn readable(&self, tokens: &mut Vec<usize>) {
        let mut room = [const { MaybeUninit::<Event>::uninit() }; AT_ONCE];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Ok((events, _)) = epoll::wait(&self.epoll, &mut room[..], Some(&at_once)) {
            let told = events.iter().map(|event| event.data.u64()).filter(|it| *it != RUNG);
            tokens.extend(told.map(|token| token as usize));
        }
    }

    /// Tells those who would ring that one looks by itself, and soon; or that one does so no
    /// longer. In that case what came without a ring is to be looked for once more.
    pub fn look_by_itself(&self, does: bool) {
        self.waker.0.looks_by_itself.store(does, Ordering::SeqCst);
    }
}

impl Waker {
    /// Wakes, or sees to it that the next wait does not begin.
    pub fn wake(&self) {
        if !self.0.looks_by_itself.load(Ordering::SeqCst) {
            // A counter that is full was rung often enough.
            rustix::io::write(&self.0.file, &1_u64.to_ne_bytes()).ok();
        }
    }
}

/// The token of a ring.
const RUNG: u64 = u64::MAX;

/// How many sockets are told at once; the others are told next.
const AT_ONCE: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").expect("a socket")
    }

    fn readable(watch: &Watch) -> Vec<usize> {
        let mut tokens = Vec::new();
        watch.readable(&mut tokens);
        tokens
    }

    #[test]
    fn a_socket_is_told_until_it_is_read_empty() {
        let watch = Watch::new().expect("a watch");
        let (here, there) = (socket(), socket());
        watch.add(&here, 7).expect("it is watched");
        assert!(readable(&watch).is_empty());
        for _ in 0..2 {
            there.send_to(b"x", here.local_addr().unwrap()).unwrap();
        }
        watch.wait(None);
        for _ in 0..2 {
            assert_eq!(readable(&watch), [7]);
            here.recv(&mut [0; 4]).unwrap();
        }
        assert!(readable(&watch).is_empty());
        watch.remove(&here);
        there.send_to(b"x", here.local_addr().unwrap()).unwrap();
        assert!(readable(&watch).is_empty());
    }

    #[test]
    fn a_ring_ends_a_wait_and_is_no_socket() {
        let watch = Watch::new().expect("a watch");
        let waker = watch.waker();
        let ringing = std::thread::spawn(move || waker.wake());
        watch.wait(None);
        ringing.join().unwrap();
        assert!(readable(&watch).is_empty());
    }

    #[test]
    fn nobody_rings_for_one_who_looks_by_itself() {
        let watch = Watch::new().expect("a watch");
        let rung = |watch: &Watch| {
            let mut files = [PollFd::new(&watch.epoll, PollFlags::IN)];
            poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("it polls") == 1
        };
        watch.look_by_itself(true);
        watch.waker().wake();
        assert!(!rung(&watch));
        watch.look_by_itself(false);
        watch.waker().wake();
        assert!(rung(&watch));
    }
}
