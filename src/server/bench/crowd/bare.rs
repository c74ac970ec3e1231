//! What the server is measured beside: an echo and a timer that do nothing else.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::engine::clock;
use crate::server::bench::apart::on_the_first_core;
use crate::server::bench::{millis, stage};

/// A thread on the first core that sends every datagram back, each from the socket that it came to.
#[derive(Debug)]
pub struct Echo {
    ports: Vec<u16>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Echo {
    /// Opens so many sockets and starts.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(sockets: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut open = Vec::new();
        for number in 0..sockets {
            let mut socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
            open.push(socket);
        }
        let ports: io::Result<Vec<u16>> =
            open.iter().map(|socket| Ok(socket.local_addr()?.port())).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = on_the_first_core(|| {
            std::thread::Builder::new().spawn(move || send_back(poll, &open, &over))
        })??;
        Ok(Self { ports: ports?, is_over, thread })
    }

    /// Where the sockets are.
    pub fn ports(&self) -> Vec<u16> {
        self.ports.clone()
    }

    /// Ends it, and tells its processor time.
    pub fn stop(self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn send_back(mut poll: Poll, sockets: &[UdpSocket], is_over: &AtomicBool) -> Duration {
    let (mut events, mut buffer) = (Events::with_capacity(1_024), [0_u8; 2_048]);
    let before = stage::thread_time();
    while !is_over.load(Ordering::Relaxed) {
        if poll.poll(&mut events, Some(Duration::from_millis(100))).is_err() {
            continue;
        }
        for event in &events {
            let Some(socket) = sockets.get(event.token().0) else { continue };
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(buffer.get(..length).unwrap_or_default(), from).ok();
            }
        }
    }
    stage::thread_time().saturating_sub(before)
}

/// A thread on the first core that wakes each 2 ms and notes how late it was.
#[derive(Debug)]
pub struct Timer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<f64>>>,
}

impl Timer {
    /// Starts.
    pub fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = on_the_first_core(|| {
            std::thread::spawn(move || {
                let (mut due, mut late) = (clock::now(), Vec::new());
                while !over.load(Ordering::Relaxed) {
                    due += EACH;
                    std::thread::sleep(due.saturating_duration_since(clock::now()));
                    late.push(millis(clock::now().saturating_duration_since(due)));
                }
                late
            })
        });
        Self { is_over, thread: thread.ok() }
    }

    /// Ends it; tells how late it was each time, in milliseconds.
    pub fn stop(&mut self) -> Vec<f64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

const EACH: Duration = Duration::from_millis(2);
