//! The door under calls, scans and floods.

use super::*;
use crate::sip::event::{Flow, Reach};

fn doorkeeper() -> Doorkeeper {
    doorkeeper_with(Strangers::Drop)
}

fn doorkeeper_with(strangers: Strangers) -> Doorkeeper {
    let trunk = Trunk {
        badge: badge(),
        allow: vec!["10.0.0.0/8".parse().expect("a network")],
        ..Trunk::default()
    };
    Doorkeeper::new(
        Settings {
            trunks: vec![trunk],
            phones: vec![phone()],
            phone_networks: vec!["192.168.0.0/16".parse().expect("a network")],
            strangers,
            ..Settings::default()
        },
        Random::repeatable(1),
    )
}

fn badge() -> Badge {
    Badge { name: "pbx".into(), ..Badge::default() }
}

fn phone() -> Badge {
    Badge { phone: "101".into(), context: "internal".into(), ..Badge::default() }
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn offended(remote: SocketAddr, offence: Offence) -> Notice {
    Notice::Offended { flow: flow(remote), offence }
}

fn flow(remote: SocketAddr) -> Flow {
    Flow::udp(at("10.0.0.1:5060"), remote)
}

fn registered(remote: SocketAddr) -> Notice {
    let reach =
        Reach { uri: "sip:101@192.168.1.7".to_owned(), flow: flow(remote), routes: Vec::new() };
    Notice::PhoneRegistered { phone: "101".into(), reaches: vec![reach] }
}

#[test]
fn a_trunk_is_never_limited_nor_banned() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let pbx = at("10.1.2.3:5060");
    door.notice(now, &offended(pbx, Offence::Scanner));
    assert!((0..10_000).all(|_| door.judge(now, pbx) == Verdict::Trunk(badge())));
}

#[test]
fn strangers_meet_what_the_operator_wants() {
    let now = Instant::now();
    let meets = |strangers| doorkeeper_with(strangers).judge(now, at("203.0.113.9:5060"));
    assert_eq!(meets(Strangers::Drop), Verdict::Stranger);
    assert_eq!(meets(Strangers::Reject), Verdict::Refused);
    assert_eq!(meets(Strangers::Challenge), Verdict::Guest);
    assert_eq!(doorkeeper().judge(now, at("192.168.1.7:5060")), Verdict::Guest);
}

#[test]
fn a_flood_of_one_stranger_is_ignored_and_forgiven_later() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let stranger = at("203.0.113.9:5060");
    let heard = (0..1_000).filter(|_| door.judge(now, stranger) == Verdict::Stranger).count();
    assert_eq!(heard, 20);
    let later = now + Duration::from_secs(1);
    let heard = (0..1_000).filter(|_| door.judge(later, stranger) == Verdict::Stranger).count();
    assert_eq!(heard, 5);
    assert_eq!(door.tally().of(Reason::SourceRate), 2_000 - 25);
}

#[test]
fn a_flood_of_many_strangers_is_bounded_in_answers_and_in_memory() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let mut heard = 0;
    for number in 0..150_000_u32 {
        let source = IpAddr::from((0xCB00_0000 + number).to_be_bytes());
        heard += usize::from(door.judge(now, (source, 5060).into()) == Verdict::Stranger);
        door.notice(now, &offended((source, 5060).into(), Offence::Malformed));
    }
    assert_eq!(heard, 100);
    assert!(door.strangers.sources.len() <= MOST_SOURCES);
    assert!(door.bans.len() <= 100_000);
    assert_eq!(door.tally().of(Reason::Stranger), 150_000);
}

#[test]
fn a_flood_of_strangers_leaves_phones_and_whom_we_called_their_room() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    for number in 0..10_000_u32 {
        let source = IpAddr::from((0xCB00_0000 + number).to_be_bytes());
        door.judge(now, (source, 5060).into());
    }
    assert_eq!(door.judge(now, at("192.168.1.7:5060")), Verdict::Guest);
    let called = at("198.51.100.5:5060");
    assert_eq!(door.judge(now, called), Verdict::Ignored);
    door.wrote(now, called, b"SIP/2.0 200 OK\r\n");
    assert_eq!(door.judge(now, called), Verdict::Ignored);
    door.wrote(now, called, b"INVITE sip:anna@198.51.100.5 SIP/2.0\r\n");
    assert!((0..400).all(|_| door.judge(now, called) == Verdict::Stranger));
}

#[test]
fn wrong_passwords_ban_the_address_but_not_the_phone_that_is_registered_there() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let (good, bad) = (at("192.168.1.7:5060"), at("192.168.1.7:6000"));
    door.notice(now, &registered(good));
    for _ in 0..11 {
        assert_eq!(door.judge(now, bad), Verdict::Guest);
        door.notice(now, &offended(bad, Offence::WrongPassword));
    }
    assert_eq!(door.judge(now, bad), Verdict::Ignored);
    assert_eq!(door.judge(now, good), Verdict::Guest);
    assert_eq!(door.judge(now + Duration::from_secs(3_600), bad), Verdict::Guest);
    door.notice(now, &Notice::PhoneGone { phone: "101".into() });
    assert_eq!(door.judge(now, good), Verdict::Ignored);
    assert!(door.addresses.is_empty() && door.phones.is_empty());
}

#[test]
fn a_scanner_is_banned_at_once_and_who_dials_toll_numbers_at_the_second() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let (scanner, dialler) = (at("203.0.113.9:5060"), at("203.0.113.10:5060"));
    door.notice(now, &offended(scanner, Offence::Scanner));
    door.notice(now, &offended(dialler, Offence::TollNumber));
    assert_eq!(door.judge(now, scanner), Verdict::Ignored);
    assert_eq!(door.judge(now, dialler), Verdict::Stranger);
    door.notice(now, &offended(dialler, Offence::TollNumber));
    assert_eq!(door.judge(now, dialler), Verdict::Ignored);
    assert_eq!(door.tally().of(Reason::Banned), 2);
}

#[test]
fn a_call_wears_the_badge_of_its_phone_or_of_its_trunk() {
    let door = doorkeeper();
    let name = Arc::from("101");
    assert_eq!(door.badge(Some(&name), "10.1.2.3".parse().expect("an address")), phone());
    assert_eq!(door.badge(None, "10.1.2.3".parse().expect("an address")), badge());
    assert_eq!(door.badge(None, "192.0.2.1".parse().expect("an address")), Badge::default());
}

#[test]
fn whoever_is_in_a_call_is_heard_whatever_others_at_his_address_do() {
    let (mut door, now) = (doorkeeper(), Instant::now());
    let (caller, thief) = (at("192.168.1.7:5060"), at("192.168.1.7:6000"));
    let session = SessionId(1);
    let newcomer = Newcomer { session, badge: &phone(), number: "102", address: caller };
    door.admit(now, &newcomer).expect("there is room");
    door.notice(now, &offended(thief, Offence::Scanner));
    assert_eq!(door.judge(now, caller), Verdict::Guest);
    assert_eq!(door.judge(now, thief), Verdict::Ignored);
    door.over(session);
    assert_eq!(door.judge(now, caller), Verdict::Ignored);
}

#[test]
fn a_trunk_with_a_password_is_a_guest_until_it_has_given_it() {
    let now = Instant::now();
    let network = |text: &str| vec![text.parse().expect("a network")];
    let must = |name: &str, allow| Trunk {
        badge: Badge { name: name.into(), ..Badge::default() },
        allow,
        proof: Proof::Password,
        ..Trunk::default()
    };
    let bound = must("bound", network("10.0.0.0/8"));
    let settings = Settings { trunks: vec![bound.clone()], ..Settings::default() };
    let mut door = Doorkeeper::new(settings, Random::repeatable(1));
    let at = |text: &str| text.parse().expect("an address");
    assert_eq!(door.judge(now, at("10.0.0.5:5060")), Verdict::Guest);
    assert_eq!(door.judge(now, at("192.0.2.5:5060")), Verdict::Stranger);
    assert!(door.may_speak_at("bound", [10, 0, 0, 5].into()));
    assert!(!door.may_speak_at("bound", [192, 0, 2, 5].into()));
    // It is registered there, and asked for its password all the same.
    door.learn(bound.badge.clone(), [192, 0, 2, 5].into());
    assert_eq!(door.judge(now, at("192.0.2.5:5060")), Verdict::Stranger);
    let settings = Settings { trunks: vec![must("anywhere", Vec::new())], ..Settings::default() };
    let mut door = Doorkeeper::new(settings, Random::repeatable(1));
    assert_eq!(door.judge(now, at("192.0.2.5:5060")), Verdict::Guest);
}

#[test]
fn the_addresses_of_a_name_are_those_of_its_last_answer() {
    let now = Instant::now();
    let trunk = Trunk {
        badge: Badge { name: "carrier".into(), ..Badge::default() },
        names: vec!["sip.carrier.example".to_owned()],
        ..Trunk::default()
    };
    let settings = Settings { trunks: vec![trunk.clone()], ..Settings::default() };
    let mut door = Doorkeeper::new(settings, Random::repeatable(1));
    let (first, second) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let at = |ip: std::net::IpAddr| std::net::SocketAddr::new(ip, 5060);
    assert_eq!(door.judge(now, at(first)), Verdict::Stranger);
    assert!(door.resolved(&"carrier".into(), "sip.carrier.example", &[first]));
    assert!(!door.resolved(&"carrier".into(), "sip.carrier.example", &[first]));
    assert_eq!(door.judge(now, at(first)), Verdict::Trunk(trunk.badge.clone()));
    assert!(door.resolved(&"carrier".into(), "sip.carrier.example", &[second]));
    assert_eq!(door.judge(now, at(first)), Verdict::Stranger);
    assert_eq!(door.judge(now, at(second)), Verdict::Trunk(trunk.badge));
}
