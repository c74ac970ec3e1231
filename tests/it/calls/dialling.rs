//! Calls that go on to somebody else: they ring, are answered or not, and both sides talk.

use std::time::Duration;

use voxtrunk::audio::codec::Codec;
use voxtrunk::base::destination::Destination;
use voxtrunk::call::cause::Cause;
use voxtrunk::call::event::Fact;
use voxtrunk::dialplan::plan::Route;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::World;
use super::simulation::callee::{Act as Does, Manner};
use super::simulation::network::Side;
use super::simulation::phone::{Act, Moment, When};
use super::simulation::tongue::plain;

fn destination(text: &str) -> Destination {
    text.parse().expect("a destination")
}

/// A route to the first callee that rings for ten seconds.
fn route() -> Route {
    Route { ring: Some(Duration::from_secs(10)), ..Route::to(destination(ANNA)) }
}

fn status(world: &World) -> u16 {
    match world.ending() {
        Ending::Refused { by: Party::Peer, status, .. } => *status,
        other => panic!("{other:?}\n{}", world.ladder()),
    }
}

#[test]
fn what_is_said_at_one_end_comes_out_at_the_other() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Answers(2_000)).then(500, Does::Say(GOOD_DAY));
    world.say(When::Quiet, HOW_MUCH).then(When::After(1_500), Act::HangUp).play();
    assert_eq!(world.heard(), plain(GOOD_DAY));
    assert_eq!(world.callees[0].heard(&world.scene), plain(HOW_MUCH));
    assert_eq!(world.cause(), Cause::CallerHangup);
    let record = world.record();
    assert_eq!(record.legs.len(), 2);
    assert_eq!(record.legs[1].to.as_deref(), Some(ANNA));
    assert_eq!(record.bridges[0].legs, [0, 1]);
    for leg in &record.legs {
        assert_eq!(leg.codec, Some("PCMU"));
        assert!(leg.quality.received > 100 && leg.quality.sent > 100, "{leg:?}");
    }
    assert!(matches!(world.callees[0].endings[..], [Ending::Bye { by: Party::Peer, .. }]));
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
        20            server --> callee  INVITE
        40            server <-- callee  100 INVITE
        40            server <-- callee  180 INVITE
        60  phone <-- server  180 INVITE
      2040            server <-- callee  200 INVITE
      2060            server --> callee  ACK
      2060  phone <-- server  200 INVITE
      2080  phone --> server  ACK
      8320  phone --> server  BYE
      8340  phone <-- server  200 BYE
      8340            server --> callee  BYE
      8360            server <-- callee  200 BYE
    ");
}

#[test]
fn the_callee_may_hang_up_first_and_says_why() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Answers(300)).then(3_000, Does::HangUp);
    world.play();
    assert_eq!(world.cause(), Cause::CalleeHangup);
    match world.ending() {
        Ending::Bye { by: Party::Peer, reason: Some(reason) } => {
            assert!(reason.contains("Q.850;cause=16"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_there_is_a_refusal_here() {
    for (there, here, cause) in [
        (486, 486, Cause::Busy),
        (603, 603, Cause::Rejected(603)),
        (404, 404, Cause::Rejected(404)),
        (480, 480, Cause::NoAnswer),
    ] {
        let mut world = World::with_route(route());
        world.with_callee(Manner::Refuses(there));
        world.play();
        assert_eq!((status(&world), world.cause()), (here, cause), "{there}");
        assert_eq!(world.record().legs[1].cause, Some(cause));
    }
}

#[test]
fn nobody_answers_and_it_stops_ringing() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Rings);
    world.play();
    assert_eq!((status(&world), world.cause()), (480, Cause::NoAnswer));
    assert!(matches!(world.callees[0].endings[..], [Ending::Cancelled { by: Party::Peer, .. }]));
    let lasted = world.record().lasted;
    assert!((10_000..10_500).contains(&lasted.as_millis()), "{lasted:?}");
    assert!(world.phone.moments.iter().any(|(_, moment)| *moment == Moment::Rang));
}

#[test]
fn nobody_is_there_at_all() {
    let mut world = World::with_route(route());
    world.play();
    assert_eq!(status(&world), 480);
    assert!(matches!(world.cause(), Cause::Unreachable | Cause::NoAnswer));
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Rings);
    world.then(When::At(3_000), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::Canceled);
    assert!(matches!(world.ending(), Ending::Cancelled { by: Party::Us, .. }));
    assert!(matches!(world.callees[0].endings[..], [Ending::Cancelled { by: Party::Peer, .. }]));
    assert_eq!(world.sent(Side::Server, "CANCEL"), 1);
}

#[test]
fn when_nobody_answers_the_next_has_the_call_and_at_last_an_agent() {
    let mut world = World::with_route(Route {
        otherwise: vec![destination("sip:bob@192.0.2.8"), destination("agent:desk")],
        ..route()
    });
    world.with_callee(Manner::Rings);
    world.with_callee(Manner::Refuses(486));
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.cause(), Cause::AgentEnded, "{}", world.ladder());
    let causes: Vec<_> = world.record().legs.iter().map(|leg| leg.cause).collect();
    assert_eq!(causes, [None, Some(Cause::NoAnswer), Some(Cause::Busy)]);
    assert_eq!(world.record().agents, ["desk"]);
    assert!(world.heard().contains("how can i help you"));
}

#[test]
fn of_several_who_ring_the_first_to_answer_has_the_call() {
    let to = vec![destination(ANNA), destination("sip:bob@192.0.2.8")];
    let mut world = World::with_route(Route { to, ..route() });
    world.with_callee(Manner::Rings);
    world.with_callee(Manner::Answers(4_000)).then(200, Does::Say(GOOD_DAY));
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.heard(), plain(GOOD_DAY));
    assert_eq!(world.record().bridges[0].legs, [0, 2]);
    match &world.callees[0].endings[..] {
        [Ending::Cancelled { by: Party::Peer, reason: Some(reason) }] => {
            assert!(reason.contains("cause=200"), "no missed call: {reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_announced_before_the_answer_is_heard_before_the_answer() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Announces("Please hold the line.", 5_000));
    world.then(When::At(9_000), Act::HangUp).play();
    let answered = world.phone.moments.iter().find(|(_, moment)| *moment == Moment::Answered);
    assert!(answered.is_some_and(|(at, _)| *at >= 5_000));
    assert_eq!(world.sent(Side::Server, "183 INVITE"), 1);
    assert!(world.voice_between(0, 4_000).len() > 20, "the announcement reached the caller");
}

#[test]
fn two_who_share_no_codec_understand_each_other() {
    let mut world = World::with_route(route());
    let callee = world.with_callee(Manner::Answers(500));
    callee.codecs = vec![Codec::Pcma];
    callee.then(500, Does::Say(GOOD_DAY));
    world.phone.offer = super::simulation::phone::Offer::These(PCMU_ONLY);
    world.say(When::Quiet, HOW_MUCH).then(When::After(1_000), Act::HangUp).play();
    let codecs: Vec<_> = world.record().legs.iter().map(|leg| leg.codec).collect();
    assert_eq!(codecs, [Some("PCMU"), Some("PCMA")]);
    assert_eq!(world.heard(), plain(GOOD_DAY));
    assert_eq!(world.callees[0].heard(&world.scene), plain(HOW_MUCH));
}

#[test]
fn keys_of_the_callee_reach_the_caller() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Answers(500)).then(500, Does::Press("7")).then(3_000, Does::HangUp);
    world.play();
    assert!(world.phone.moments.iter().any(|(_, moment)| *moment == Moment::Key('7')));
}

#[test]
fn keys_reach_the_other_end() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Answers(500)).then(500, Does::Say(GOOD_DAY));
    world.then(When::Quiet, Act::Press("42#")).then(When::After(2_000), Act::HangUp).play();
    assert_eq!(world.callees[0].keys, "42#");
}

#[test]
fn who_is_put_on_hold_hears_music() {
    let mut world = World::with_route(route());
    let callee = world.with_callee(Manner::Answers(500));
    callee.then(500, Does::Say(GOOD_DAY)).then(14_000, Does::HangUp);
    world.then(When::Quiet, Act::Hold).then(When::After(4_000), Act::Resume);
    world.say(When::After(1_000), HOW_MUCH).play();
    assert!(world.callees[0].heard(&world.scene).ends_with(&plain(HOW_MUCH)));
    let sounds = world.callees[0].sounds(&world.scene, 4_000, 7_500);
    assert!(sounds > 100, "music while it was held: {sounds}");
    assert_eq!(world.cause(), Cause::CalleeHangup, "{}", world.ladder());
}

#[test]
fn a_caller_who_is_silent_does_not_end_the_call_of_one_who_speaks() {
    let mut world = World::with_route(route());
    world.server.media_timeout = Duration::from_secs(10);
    world.with_callee(Manner::Answers(500)).then(30_000, Does::Say(GOOD_DAY));
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.cause(), Cause::CallerHangup, "{}", world.ladder());
}

#[test]
fn a_leg_whose_media_stops_ends_the_call() {
    let mut world = World::with_route(route());
    world.server.media_timeout = Duration::from_secs(10);
    world.with_callee(Manner::Answers(500)).then(500, Does::Say(GOOD_DAY));
    world.then(When::Quiet, Act::Mute).play();
    assert_eq!(world.cause(), Cause::MediaTimeout);
}

#[test]
fn facts_tell_who_was_called_and_who_talked() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Answers(500)).then(2_000, Does::HangUp);
    world.play();
    let told = |wanted: fn(&Fact) -> bool| world.server.facts.iter().any(|it| wanted(&it.2));
    assert!(told(|fact| matches!(fact, Fact::Dialled { to } if to == ANNA)));
    assert!(told(|fact| matches!(fact, Fact::Bridged { with } if with == ANNA)));
    assert!(told(|fact| matches!(fact, Fact::Answered)));
}

#[test]
fn a_server_that_goes_down_hangs_both_up() {
    for at in [300, 1_500, 5_000] {
        let mut world = World::with_route(route());
        world.with_callee(Manner::Answers(2_000));
        world.shut_down = Some(at);
        world.play();
        assert_eq!(world.cause(), Cause::ServerShutdown, "at {at}");
        assert_eq!(world.callees[0].endings.len(), 1, "at {at}");
    }
}

#[test]
fn the_callee_sees_who_calls() {
    let mut world = World::with_route(route());
    world.with_callee(Manner::Refuses(486));
    world.play();
    let invite = &world.callees[0].invites[0];
    assert_eq!((invite.calling_user.as_str(), invite.called_user.as_str()), ("ann", "anna"));
    assert_eq!(invite.calling_name.as_deref(), Some("Ann"));
}

const ANNA: &str = "sip:anna@192.0.2.7";
const GOOD_DAY: &str = "Hello, this is Anna speaking.";
const HOW_MUCH: &str = "how much is the red bicycle";
const PCMU_ONLY: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n\
    m=audio 40000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";
