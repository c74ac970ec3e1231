//! Phones that subscribe to what waits for them.

use std::time::Duration;

use bytes::Bytes;

use super::guests::{DESK, proved, raw};
use super::raw::{Raw, Text, header, respond, status};
use crate::sip::event::{Command, Notice, Standing, SubscriptionId};

const BODY: &[u8] = b"Messages-Waiting: no\r\n";

fn subscribe(more: &str) -> Text {
    Text::new("SUBSCRIBE").extra("Contact: <sip:101@10.0.0.7:5062>\r\n").extra(more)
}

fn publish(raw: &mut Raw, id: u64) -> Vec<String> {
    let id = SubscriptionId(id);
    raw.command_for(Command::Publish { id, body: Bytes::from_static(BODY) }, DESK)
}

/// Proves itself with an answer to a challenge; gives the text, our answer and what was noticed.
fn asked(raw: &mut Raw, text: Text) -> (Text, String, Vec<Notice>) {
    let (text, mut sent) = proved(raw, text, ("Proxy-Authenticate", "Proxy-Authorization"));
    (text, sent.remove(0), std::mem::take(&mut raw.notices))
}

#[test]
fn a_phone_is_told_at_once_when_it_changes_and_until_it_wants_no_more() {
    let mut raw = raw();
    let event = "Event: message-summary;id=7\r\nExpires: 600\r\n";
    let (text, granted, noticed) = asked(&mut raw, subscribe(event));
    assert_eq!((status(&granted), header(&granted, "Expires")), (200, Some("600")));
    let [Notice::Subscribed { id, phone, flow }] = &noticed[..] else { panic!("{noticed:?}") };
    assert_eq!((id.0, &**phone, flow.remote.to_string().as_str()), (1, "101", DESK));
    let again = raw.receive_from(&text.write(), DESK, Standing::Guest);
    assert_eq!((again, raw.notices.len()), (vec![granted.clone()], 0), "a repetition asks nothing");

    let told = publish(&mut raw, 1).remove(0);
    assert!(told.starts_with("NOTIFY sip:101@10.0.0.7:5062 SIP/2.0\r\n"), "{told}");
    assert_eq!(header(&told, "Event"), Some("message-summary;id=7"));
    assert_eq!(header(&told, "Subscription-State"), Some("active;expires=600"));
    assert_eq!(header(&told, "From"), header(&granted, "To"));
    assert!(told.ends_with("Messages-Waiting: no\r\n"));
    raw.receive_from(&respond(&told, "200 OK", "d", ""), DESK, Standing::Guest);
    let next = publish(&mut raw, 1).remove(0);
    assert_eq!(header(&next, "CSeq"), Some("2 NOTIFY"));
    raw.receive_from(&respond(&next, "200 OK", "d", ""), DESK, Standing::Guest);

    let tag = granted_tag(&granted);
    let over = "Event: message-summary;id=7\r\nExpires: 0\r\n";
    let over = subscribe(over).with_to_tag(&tag).sequence(9).branch("z9hG4bK-over");
    let (_, ended, noticed) = asked(&mut raw, over);
    assert_eq!((status(&ended), header(&ended, "Expires")), (200, Some("0")));
    assert!(matches!(&noticed[..], [Notice::Subscribed { id, .. }] if id.0 == 1), "{noticed:?}");
    let last = publish(&mut raw, 1).remove(0);
    assert_eq!(header(&last, "Subscription-State"), Some("terminated;reason=timeout"));
    assert_eq!(raw.notices, [Notice::Unsubscribed { id: SubscriptionId(1) }]);
    assert!(publish(&mut raw, 1).is_empty(), "nobody is told any more");
}

fn granted_tag(answer: &str) -> String {
    super::raw::to_tag(answer)
}

#[test]
fn a_subscription_ends_with_its_time_and_with_a_phone_that_forgot_it() {
    let mut raw = raw();
    let event = "Event: message-summary\r\n";
    let (_, granted, _) = asked(&mut raw, subscribe(&format!("{event}Expires: 90\r\n")));
    assert_eq!(header(&granted, "Expires"), Some("90"));
    let sent = raw.wait_for(Duration::from_secs(91), DESK);
    assert_eq!(header(&sent[0], "Subscription-State"), Some("terminated;reason=timeout"));
    assert_eq!(raw.notices, [Notice::Unsubscribed { id: SubscriptionId(1) }]);
    raw.notices.clear();

    let mut text = subscribe(event);
    text.call_id = "another".to_owned();
    let (_, granted, _) = asked(&mut raw, text);
    assert_eq!(header(&granted, "Expires"), Some("3600"), "an hour, when nothing is said");
    let told = publish(&mut raw, 2).remove(0);
    raw.receive_from(&respond(&told, "481 Gone", "d", ""), DESK, Standing::Guest);
    assert_eq!(raw.notices, [Notice::Unsubscribed { id: SubscriptionId(2) }]);
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    let table = [
        ("Event: presence\r\n", 489),
        ("", 489),
        ("Event: message-summary\r\nExpires: 10\r\n", 423),
        ("Event: message-summary\r\nExpires: soon\r\n", 400),
    ];
    for (more, expected) in table {
        let mut raw = raw();
        let (_, refused, noticed) = asked(&mut raw, subscribe(more));
        assert_eq!(status(&refused), expected, "{more}");
        assert!(noticed.is_empty());
    }
    let mut raw = raw();
    let stale = subscribe("Event: message-summary\r\n").with_to_tag("unknown");
    let (_, refused, _) = asked(&mut raw, stale);
    assert_eq!(status(&refused), 481);
    let trunk = raw.receive(&subscribe("Event: message-summary\r\n").branch("z9hG4bK-t").write());
    assert_eq!(status(&trunk[0]), 489, "a trunk has no voicemail");
    assert_eq!(header(&trunk[0], "Allow-Events"), Some("message-summary"));
}

#[test]
fn a_phone_that_never_ends_its_subscriptions_has_ten() {
    let mut raw = raw();
    for number in 1..=12_u32 {
        let mut text = subscribe("Event: message-summary\r\n");
        text.call_id = format!("call-{number}");
        text = text.branch(&format!("z9hG4bK-{number}"));
        let (_, granted, noticed) = asked(&mut raw, text);
        assert_eq!(status(&granted), 200);
        let ended = noticed.iter().find_map(|notice| match notice {
            Notice::Unsubscribed { id } => Some(id.0),
            _ => None,
        });
        let oldest = (number > 10).then(|| u64::from(number) - 10);
        assert_eq!(ended, oldest, "{number}: {noticed:?}");
    }
}
