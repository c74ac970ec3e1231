//! Audio of many calls from one socket: a packet of 20 ms for each in turn, evenly over the time,
//! and what comes back.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};

use crate::engine::clock;
use crate::net::udp;

/// The socket of all calls.
#[derive(Debug)]
pub struct Stream {
    socket: UdpSocket,
    began: Instant,
    buffer: [u8; 2_048],
}

/// What came back.
#[derive(Debug, Default)]
pub struct Heard {
    /// How many packets.
    pub packets: u64,
    /// How late each was against the clock of its stream and the earliest of it, in milliseconds:
    /// when it was sent, as the kernel says, not when we came to read it.
    pub late: Vec<f64>,
    /// How long packets with our own payload were on their way, in milliseconds.
    turned: Vec<f64>,
}

impl Heard {
    /// How long packets with our own payload were on their way, in milliseconds.
    pub fn turned(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.turned)
    }
}

/// Where a stream stands that comes back.
#[derive(Debug, Default)]
struct Coming {
    first: Option<(f64, u32)>,
    /// When each packet came, less when it was due by its timestamp, in milliseconds.
    offsets: Vec<f64>,
}

impl Stream {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let socket = udp::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), udp::SIP_BUFFER)?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self { socket, began: clock::now(), buffer: [0; 2_048] })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// Sends to these ports of this machine, and hears what comes back.
    pub fn run(&mut self, ports: Vec<u16>, lasts: Duration) -> Heard {
        let mut heard = Heard::default();
        let mut coming: HashMap<u16, Coming> = HashMap::new();
        let (began, gap) = (clock::now(), PTIME.as_secs_f64() / ports.len().max(1) as f64);
        let mut sent = 0_u64;
        while began.elapsed() < lasts {
            let due = (began.elapsed().as_secs_f64() / gap) as u64;
            while sent < due {
                self.send(&ports, sent);
                sent += 1;
            }
            self.take(&mut heard, &mut coming);
            std::thread::sleep(BREATH);
        }
        for stream in coming.into_values() {
            let earliest = stream.offsets.iter().copied().fold(f64::INFINITY, f64::min);
            heard.late.extend(stream.offsets.iter().map(|offset| offset - earliest));
        }
        heard
    }

    /// The packet with that number of all: the calls take turns.
    fn send(&self, ports: &[u16], number: u64) {
        let count = ports.len() as u64;
        let (place, round) = ((number % count) as usize, number / count);
        let Some(port) = ports.get(place) else { return };
        let mut packet = [0_u8; 172];
        let (sequence, timestamp) = (round as u16, (round as u32).wrapping_mul(160));
        packet[0] = 0x80;
        packet[1] = 8;
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&(place as u32 + 1).to_be_bytes());
        let now = self.began.elapsed().as_nanos() as u64;
        packet[12..20].copy_from_slice(&now.to_be_bytes());
        packet[20..28].copy_from_slice(&MARK);
        self.socket.send_to(&packet, (Ipv4Addr::LOCALHOST, *port)).ok();
    }

    fn take(&mut self, heard: &mut Heard, coming: &mut HashMap<u16, Coming>) {
        while let Some((length, from, came)) = self.receive() {
            let now = self.began.elapsed();
            let Some(packet) = self.buffer.get(..length).filter(|it| it.len() >= 28) else {
                continue;
            };
            heard.packets += 1;
            let word = |at: usize| packet[at..at + 4].try_into().map_or(0, u32::from_be_bytes);
            let stream = coming.entry(from).or_default();
            let (first, timestamp) = *stream.first.get_or_insert((came, word(4)));
            let due = f64::from(word(4).wrapping_sub(timestamp)) / 8.0;
            stream.offsets.push(came - first - due);
            if packet[20..28] == MARK {
                let then = packet[12..20].try_into().map_or(0, u64::from_be_bytes);
                let took = now.saturating_sub(Duration::from_nanos(then));
                heard.turned.push(took.as_secs_f64() * 1_000.0);
            }
        }
    }

    /// The next datagram: how long it is, from which port it came and when the kernel had it, in
    /// milliseconds.
    fn receive(&mut self) -> Option<(usize, u16, f64)> {
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        let mut notes = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let flags = MsgFlags::MSG_DONTWAIT;
        let file = self.socket.as_raw_fd();
        let taken = recvmsg::<SockaddrIn>(file, &mut slices, Some(&mut notes), flags).ok()?;
        let came = taken.cmsgs().ok()?.find_map(|note| match note {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        })?;
        Some((taken.bytes, taken.address?.port(), came.as_secs_f64() * 1_000.0))
    }
}

/// How long a packet is.
const PTIME: Duration = Duration::from_millis(20);

/// How long the sender rests between two looks.
const BREATH: Duration = Duration::from_micros(100);

/// What a payload of ours has behind its time.
const MARK: [u8; 8] = *b"voxtrunk";
