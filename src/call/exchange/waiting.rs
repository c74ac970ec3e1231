//! Message waiting: phones are told how many messages stand in their voicemail, when that changes
//! and when they register (RFC 3842). No phone needs to ask: the NOTIFY comes outside of any
//! subscription, as many PBXs send it and most phones take it. A phone that does ask, as others
//! must, is told in the dialog of its subscription only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::{Exchange, Output};
use crate::call::placement::Caller;
use crate::sip::event::{Asking, Command, Flow, OwnContact, Reach};
use crate::sip::method::Method;
use crate::sip::notice::SubscriptionId;

/// How many messages stand in each voicemail that phones have.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    messages: HashMap<Arc<str>, Messages>,
    /// The subscriptions, each with its phone and where that asked.
    subscribers: BTreeMap<SubscriptionId, (Arc<str>, Flow)>,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Messages {
    /// Nobody has looked at these.
    pub unread: usize,
    /// Somebody has looked at these.
    pub read: usize,
}

impl Exchange {
    /// So many messages stand in a voicemail from now on: its phones are told.
    pub fn messages_wait(&mut self, mailbox: &str, count: Messages) {
        let before = self.waiting.messages.insert(mailbox.into(), count);
        if before == Some(count) {
            return;
        }
        for phone in self.phones.with_voicemail(mailbox) {
            self.tell_of_messages(&phone);
        }
    }

    /// Tells a phone at each of its places what waits for it, if that is known.
    pub(super) fn tell_of_messages(&mut self, phone: &str) {
        let Some(mailbox) = self.phones.voicemail_of(phone) else { return };
        let Some(count) = self.waiting.messages.get(&mailbox).copied() else { return };
        let all = self.waiting.subscribers.iter().filter(|(_, (whose, _))| &**whose == phone);
        let all: Vec<(SubscriptionId, Flow)> = all.map(|(id, (_, flow))| (*id, *flow)).collect();
        for (id, flow) in &all {
            self.publish((*id, *flow), phone);
        }
        let has_asked =
            |reach: &Reach| all.iter().any(|(_, flow)| flow.remote == reach.flow.remote);
        let others = self.phones.of(phone).filter(|reach| !has_asked(reach));
        for reach in others.cloned().collect::<Vec<_>>() {
            let asking = self.notice_of(&mailbox, count, reach);
            self.outputs.push_back(Output::Command(Command::Ask(Box::new(asking))));
        }
    }

    /// A phone asks to be told: it is, at once.
    pub(super) fn subscribed(&mut self, id: SubscriptionId, phone: &Arc<str>, flow: Flow) {
        self.waiting.subscribers.insert(id, (phone.clone(), flow));
        self.publish((id, flow), phone);
    }

    /// A phone need not be told any more.
    pub(super) fn unsubscribed(&mut self, id: SubscriptionId) {
        self.waiting.subscribers.remove(&id);
    }

    /// Tells a subscriber what waits. Who has no voicemail has no messages.
    fn publish(&mut self, (id, flow): (SubscriptionId, Flow), phone: &str) {
        let mailbox = self.phones.voicemail_of(phone);
        let count = mailbox.as_ref().and_then(|name| self.waiting.messages.get(name)).copied();
        let caller =
            Caller { number: mailbox.as_deref().unwrap_or(phone).to_owned(), ..Caller::default() };
        let (from, _) = self.spoken_of(&caller, flow);
        let body = summary(&from, count.unwrap_or_default());
        self.outputs.push_back(Output::Command(Command::Publish { id, body }));
    }

    fn notice_of(&mut self, mailbox: &str, count: Messages, reach: Reach) -> Asking {
        let caller = Caller { number: mailbox.to_owned(), ..Caller::default() };
        let (from, _) = self.spoken_of(&caller, reach.flow);
        let headers = [
            ("Event", "message-summary"),
            // Nothing follows by this dialog: there is no subscription (RFC 6665 4.1.3).
            ("Subscription-State", "terminated;reason=noresource"),
        ];
        Asking {
            id: self.next_ask(),
            method: Method::Notify,
            to: format!("<{}>", reach.uri),
            target: reach.uri,
            body: summary(&from, count),
            from,
            flow: reach.flow,
            routes: reach.routes,
            max_forwards: 70,
            contact: Some(OwnContact { user: mailbox.to_owned(), params: String::new() }),
            series: None,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            content_type: Some("application/simple-message-summary".to_owned()),
            account: None,
        }
    }
}

/// The words of RFC 3842 5.1.
fn summary(from: &str, Messages { unread, read }: Messages) -> Bytes {
    let account = from.split(['<', '>']).nth(1).unwrap_or_default();
    let waits = if unread > 0 { "yes" } else { "no" };
    let text = format!(
        "Messages-Waiting: {waits}\r\nMessage-Account: {account}\r\n\
         Voice-Message: {unread}/{read} (0/0)\r\n"
    );
    text.into()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Settings, phones};
    use super::*;
    use crate::base::random::Random;
    use crate::sip::event::Notice;

    fn exchange() -> Exchange {
        let of_phones = [("101", "office"), ("102", "office"), ("103", "sales")];
        let voicemails = of_phones.map(|(phone, name)| (phone.into(), name.into()));
        let settings = phones::Settings {
            domain: "pbx.test".to_owned(),
            voicemails: voicemails.into(),
            ..phones::Settings::default()
        };
        let random = Random::repeatable(1);
        Exchange::new(Settings::default(), random, Instant::now()).with_phones(settings)
    }

    fn register(exchange: &mut Exchange, phone: &str) {
        let local = "192.0.2.1:5060".parse().expect("an address");
        let remote = "192.0.2.7:5060".parse().expect("an address");
        let flow = Flow::udp(local, remote);
        let uri = format!("sip:{phone}@192.0.2.7");
        let reaches = vec![Reach { uri, flow, routes: Vec::new() }];
        exchange.notice(&Notice::PhoneRegistered { phone: phone.into(), reaches });
    }

    fn told(exchange: &mut Exchange) -> Vec<(String, String)> {
        let all = std::iter::from_fn(|| exchange.poll());
        let told = all.filter_map(|output| match output {
            Output::Command(Command::Ask(asking)) => {
                assert_eq!(asking.method, Method::Notify);
                let text = String::from_utf8(asking.body.to_vec()).expect("a text");
                Some((asking.target, text))
            }
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn phones_are_told_what_waits_when_that_changes_and_when_they_come() {
        let mut exchange = exchange();
        register(&mut exchange, "101");
        assert_eq!(told(&mut exchange), [], "nothing is known yet");
        let count = Messages { unread: 2, read: 8 };
        exchange.messages_wait("office", count);
        let text = "Messages-Waiting: yes\r\nMessage-Account: sip:office@pbx.test\r\n\
                    Voice-Message: 2/8 (0/0)\r\n";
        let notice = |phone: &str| (format!("sip:{phone}@192.0.2.7"), text.to_owned());
        assert_eq!(told(&mut exchange), [notice("101")]);
        exchange.messages_wait("office", count);
        assert_eq!(told(&mut exchange), [], "that is no news");
        register(&mut exchange, "103");
        assert_eq!(told(&mut exchange), [], "it has another one");
        register(&mut exchange, "102");
        assert_eq!(told(&mut exchange), [notice("102")]);
        exchange.messages_wait("office", Messages { unread: 0, read: 10 });
        let all = told(&mut exchange);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|(_, text)| text.starts_with("Messages-Waiting: no\r\n")));
    }
}
