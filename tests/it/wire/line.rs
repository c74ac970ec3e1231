//! A line of our own: the SIP shard with trunks from the operator's file, without the rest of the
//! server, so that a test can place a leg and see what comes of it.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use voxtrunk::call::admission::{self, Doorkeeper};
use voxtrunk::call::event::Input;
use voxtrunk::call::keying::Offers;
use voxtrunk::call::placement::{Caller, Placement};
use voxtrunk::config::external::FilesOnly;
use voxtrunk::config::load::{Origin, Request, load};
use voxtrunk::engine::clock;
use voxtrunk::engine::doors::{self, Doors};
use voxtrunk::engine::mailbox;
use voxtrunk::engine::sip_shard::{Arrival, Order, SipHandle, SipShard};
use voxtrunk::server::trunks;
use voxtrunk::sip::endpoint::{Endpoint, Settings};
use voxtrunk::sip::event::{Command, Ending, Event, SessionId, Transport};

use super::server::PATIENCE;

/// A line at work. Its registrations are removed by `close`.
#[derive(Debug)]
pub struct Line {
    sip: SipHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Calls of others would arrive here; nobody waits for them.
    _arrivals: mpsc::Receiver<Arrival>,
}

impl Line {
    /// Opens a line with the trunks in `settings`, as they would stand in `server.toml`.
    pub fn open(settings: &str) -> Self {
        let text = |name: &str, text: &str| Origin::Text { name: name.into(), text: text.into() };
        let request = Request {
            server: Some(text("server.toml", settings)),
            dialplans: vec![text("main.toml", "[[route]]\nto = \"busy\"\n")],
            ..Request::default()
        };
        let loaded = load(&request, &|_| None, &FilesOnly);
        assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
        let any = "127.0.0.1:0".parse().expect("an address");
        let listen = vec![doors::Listen::plain(Transport::Udp, any)];
        let doors = Doors::open(doors::Settings { listen, ..Default::default() });
        let endpoint = Endpoint::new(Settings::default(), clock::random());
        let doorkeeper = Doorkeeper::new(admission::Settings::default(), clock::random());
        let (sender, arrivals) = mpsc::channel(8);
        let doors = doors.expect("a port");
        let (shard, sip) = SipShard::new(doors, endpoint, doorkeeper, sender);
        let shard = shard.with_trunks(trunks::settings(&loaded.server));
        let stop = CancellationToken::new();
        let task = tokio::spawn(shard.run(stop.clone()));
        Self { sip, stop, task, _arrivals: arrivals }
    }

    /// Places a leg and hangs up as soon as it is answered; gives how it ended.
    pub async fn place(&self, destination: &str, caller: Caller) -> Ending {
        let (mailbox, mut inbox) = mailbox::pair();
        let session = SessionId(clock::random().u64() >> 1);
        let placement = Placement {
            payer: None,
            trunks: Vec::new(),
            session,
            destination: destination.parse().expect("a destination"),
            caller,
            offers: Offers::plain(Bytes::from_static(OFFER)),
            is_secret: false,
            headers: vec![("X-Customer".to_owned(), "4711".to_owned())],
            ring_limit: Duration::from_secs(20),
        };
        self.sip.order(Order::Place(mailbox, Box::new(placement))).await;
        loop {
            let input = tokio::time::timeout(PATIENCE, inbox.inputs.recv()).await;
            match input.expect("the leg ends").expect("the shard lives") {
                Input::Sip(Event::Answered { .. }) => {
                    let command = Command::HangUp { session, reason: None };
                    self.sip.order(Order::Command(command)).await;
                }
                Input::Sip(Event::Ended { ending, .. }) => return ending,
                _ => {}
            }
        }
    }

    /// Removes the registrations and ends.
    pub async fn close(self) {
        self.stop.cancel();
        self.task.await.expect("the shard does not break");
    }
}

const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
                       t=0 0\r\nm=audio 9000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";
