//! A call that goes well: greeting, turns, goodbye; and one in which the caller says nothing.

use voxtrunk::call::cause::Cause;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::network::Side;
use super::simulation::phone::{Act, Offer, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, FAREWELL, GREETING, HOURS, World};

#[test]
fn the_agent_greets_whoever_calls() {
    let mut world = World::with_shop();
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.heard(), plain(GREETING));
    assert_eq!(world.cause(), Cause::CallerHangup);
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
        20  phone <-- server  180 INVITE
        20  phone <-- server  200 INVITE
        40  phone --> server  ACK
      4010  phone --> server  BYE
      4030  phone <-- server  200 BYE
    ");
}

#[test]
fn two_turns_are_understood_and_answered() {
    let mut world = World::with_shop();
    world.say(When::Quiet, "what are your opening hours").say(When::Quiet, "where are you");
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.heard(), plain(&[GREETING, HOURS, ADDRESS, FAREWELL].join(" ")));
    assert_eq!(world.understood(), ["what are your opening hours", "where are you", "goodbye"]);
    assert_eq!(world.cause(), Cause::AgentEnded);
    insta::assert_snapshot!(world.transcript(), @r"
        70  agent: Hello, this is the bicycle shop. How can I help you?
      4050  caller: what are your opening hours
      6381  agent: We are open from nine to six on weekdays,
      9021  agent: and until two on Saturdays.
     11461  caller: where are you
     12872  agent: You find us at number twelve in Harbor Street.
     16592  caller: goodbye
     17352  agent: Thank you for your call.
     18852  agent: Have a nice day.
    ");
}

#[test]
fn an_answer_comes_soon_after_the_last_word() {
    let mut world = World::with_shop();
    world.say(When::Quiet, "when are you open").then(When::Quiet, Act::HangUp).play();
    let waited = world.heard_at("we") - world.stopped(0);
    // Endpointing of an unclear end, two ways through the network, and some windows.
    assert!((500..900).contains(&waited), "{waited} ms");
    let turn = world.record().turns[0].latency;
    assert!(turn.transcript < turn.committed && turn.committed <= turn.first_packet, "{turn:?}");
}

#[test]
fn the_goodbye_is_heard_to_its_end_before_the_bye() {
    let mut world = World::with_shop();
    world.say(When::Quiet, "that is all").play();
    assert!(world.heard().ends_with(&plain(FAREWELL)), "{}", world.heard());
    let last = *world.voice_between(0, u64::MAX).last().expect("the agent spoke");
    let bye = world.sent_at(Side::Server, "BYE").expect("the server hung up");
    assert!(bye >= last, "the BYE at {bye} cuts the voice until {last}");
    assert_eq!(world.said().last(), Some(&"Have a nice day."));
}

#[test]
fn a_silent_caller_is_reminded_and_then_told_goodbye() {
    let mut world = World::with_shop();
    world.play();
    assert_eq!(world.cause(), Cause::SilenceTimeout);
    let reason = "Q.850;cause=16;text=\"silence_timeout\"".to_owned();
    assert_eq!(*world.ending(), Ending::Bye { by: Party::Peer, reason: Some(reason) });
    assert!(world.heard().ends_with("goodbye"), "{}", world.heard());
    insta::assert_snapshot!(world.transcript(), @r"
        70  agent: Hello, this is the bicycle shop. How can I help you?
     11300  agent: Are you still there?
     20550  agent: I am still here. How can I help you?
     30900  agent: Are you still there?
     33300  agent: Goodbye.
    ");
}

#[test]
fn a_caller_without_an_offer_gets_ours_and_hears_the_agent() {
    let mut world = World::with_shop();
    world.phone.offer = Offer::Late;
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.heard(), plain(&[GREETING, FAREWELL].join(" ")));
    assert_eq!(world.cause(), Cause::AgentEnded);
}
