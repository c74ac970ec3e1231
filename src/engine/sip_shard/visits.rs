//! Calls that come without SIP: somebody at another door of the house brings them. To the call they are
//! a leg like any other; what is said to that leg is told to whoever brought it, and no message is
//! written.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use crate::call::admission::Badge;
use crate::call::admission::caps::Newcomer;
use crate::engine::arrival::Arrival;
use crate::engine::clock;
use crate::engine::mailbox;
use crate::engine::sip_shard::{NOWHERE, Order, SipHandle, SipShard};
use crate::sip::event::{
    Command, Ending, Event, Flow, Incoming, Input, Party, Refusal, SessionId, Transport,
};

/// A call that somebody brings.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The name of the door, which routes see as the trunk.
    pub door: Arc<str>,
    /// The tenant whose call it is; empty when it is nobody's.
    pub tenant: Arc<str>,
    /// What is called: a number, an extension, the name of an agent.
    pub number: String,
    /// Who calls, and the name that is shown.
    pub from: String,
    /// The name that is shown.
    pub name: Option<String>,
    /// What the call is known by where it comes from.
    pub call_id: String,
    /// What templates and routes may read, as headers of an INVITE.
    pub headers: Vec<(String, String)>,
    /// The session description that is offered.
    pub offer: Bytes,
}

/// What whoever brought a call learns of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It rings.
    Rings,
    /// It is answered, with this session description.
    Answered(Bytes),
    /// It is not taken: the status that SIP has for it, and why.
    Refused(u16, String),
    /// It is over.
    Ended,
}

/// A call that was brought. Dropping it hangs up.
#[derive(Debug)]
pub struct Visitor {
    news: mpsc::Receiver<News>,
    _stays: oneshot::Sender<()>,
}

/// A visit, and whom to tell whether it is taken.
#[derive(Debug)]
pub struct Knock {
    visit: Visit,
    asker: oneshot::Sender<Result<Visitor, Refusal>>,
}

/// Those who are here.
#[derive(Debug, Default)]
pub(super) struct Visits {
    last: u64,
    here: HashMap<SessionId, Guest>,
    /// Those who may leave.
    leaving: FuturesUnordered<BoxFuture<'static, SessionId>>,
}

#[derive(Debug)]
struct Guest {
    news: mpsc::Sender<News>,
    is_answered: bool,
}

impl SipHandle {
    /// Brings a call.
    ///
    /// # Errors
    /// How it is refused at the door.
    pub async fn visit(&self, visit: Visit) -> Result<Visitor, Refusal> {
        let (asker, answer) = oneshot::channel();
        self.order(Order::Visit(Box::new(Knock { visit, asker }))).await;
        answer.await.unwrap_or_else(|_| Err(Refusal::status(503)))
    }
}

impl Visitor {
    /// What happens next; `None` when nothing more does. Nothing is lost when the future is dropped.
    pub async fn news(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Visits {
    /// The next one who leaves; for ever none while nobody is here.
    pub(super) async fn left(&mut self) -> SessionId {
        match self.leaving.next().await {
            Some(session) => session,
            None => std::future::pending().await,
        }
    }
}

impl SipShard {
    /// Lets somebody in, or says why not.
    pub(super) fn knocked(&mut self, knock: Knock) {
        let Knock { visit, asker } = knock;
        // Who did not wait is not here any more, and leaves at once.
        asker.send(self.welcome(visit)).ok();
    }

    /// Takes a call that somebody brings, as it would one of a trunk.
    fn welcome(&mut self, visit: Visit) -> Result<Visitor, Refusal> {
        self.visits.last += 1;
        let session = SessionId(VISIT | self.visits.last);
        let here = self.sockets.iter().next().map_or(NOWHERE, |(_, address)| address);
        let badge = Badge {
            name: visit.door.clone(),
            context: visit.door.clone(),
            tenant: visit.tenant.clone(),
            ..Badge::default()
        };
        let newcomer = Newcomer { session, badge: &badge, number: &visit.number, address: here };
        self.doorkeeper.admit(clock::now(), &newcomer)?;
        let incoming = Incoming {
            session,
            flow: Flow { transport: Transport::Tcp, local: here, remote: here },
            phone: None,
            trunk: Some(visit.door),
            request_uri: format!("sip:{}@{here}", visit.number),
            called_user: visit.number,
            calling_user: visit.from,
            calling_name: visit.name,
            sip_call_id: visit.call_id,
            user_agent: None,
            headers: visit.headers,
            body: visit.offer,
            replaces: None,
        };
        let ((news, told), (stays, leaves)) = (mpsc::channel(NEWS), oneshot::channel());
        self.visits.here.insert(session, Guest { news, is_answered: false });
        self.visits.leaving.push(leaves.map(move |_| session).boxed());
        let (mailbox, inbox) = mailbox::pair();
        self.calls.insert(session, mailbox.clone());
        let incoming = Box::new(incoming);
        self.deliver(Arrival { incoming, trunk: badge, verification: None, mailbox, inbox });
        Ok(Visitor { news: told, _stays: stays })
    }

    /// Carries out a command: on the wire, or for somebody who is here.
    pub(super) fn command(&mut self, mut command: Command) {
        let session = command.session_mut().map(|session| *session);
        let Some(session) = session.filter(|session| self.visits.here.contains_key(session)) else {
            return self.endpoint.handle(clock::now(), Input::Command(command));
        };
        match command {
            Command::Progress { .. } => self.tell_guest(session, News::Rings),
            Command::Answer { body, .. } => {
                self.tell_guest(session, News::Answered(body));
                if let Some(guest) = self.visits.here.get_mut(&session) {
                    guest.is_answered = true;
                }
                self.happened(Event::Confirmed { session, body: Bytes::new() });
            }
            Command::Refuse { refusal, .. } => {
                let why = refusal.warning.as_ref().map(|warning| warning.text.clone());
                let news = News::Refused(refusal.status, why.unwrap_or_default());
                let status = refusal.status;
                self.gone(session, news, Ending::Refused { by: Party::Us, status, reason: None });
            }
            Command::Redirect { .. } => {
                let news = News::Refused(302, "it was sent elsewhere".to_owned());
                let ending = Ending::Refused { by: Party::Us, status: 302, reason: None };
                self.gone(session, news, ending);
            }
            Command::HangUp { reason, .. } => {
                self.gone(session, News::Ended, Ending::Bye { by: Party::Us, reason });
            }
            // What was agreed stays as it is.
            Command::Reoffer { .. } => {
                self.happened(Event::OfferAnswered { session, outcome: Err(488) });
            }
            Command::Refer { .. } | Command::ReferToSession { .. } => {
                self.happened(Event::Referred { session, status: 405 });
            }
            _ => {}
        }
    }

    /// Whoever brought a call hangs up, or is gone.
    pub(super) fn left(&mut self, session: SessionId) {
        let Some(guest) = self.visits.here.get(&session) else { return };
        let (by, reason) = (Party::Peer, None);
        let ending = match guest.is_answered {
            true => Ending::Bye { by, reason },
            false => Ending::Cancelled { by, reason },
        };
        self.gone(session, News::Ended, ending);
    }

    fn gone(&mut self, session: SessionId, news: News, ending: Ending) {
        self.tell_guest(session, news);
        self.visits.here.remove(&session);
        self.happened(Event::Ended { session, ending });
    }

    fn tell_guest(&mut self, session: SessionId, news: News) {
        if let Some(guest) = self.visits.here.get(&session) {
            // There are few of them, and who does not listen hangs up soon.
            guest.news.try_send(news).ok();
        }
    }
}

/// Marks the sessions of those who come without SIP.
const VISIT: u64 = 1 << 61;

/// How many news wait for whoever brought a call; there are at most four.
const NEWS: usize = 8;
