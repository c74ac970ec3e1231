//! The caller goes: in mid-sentence, before the answer, and at the same moment as the answer.

use std::time::Duration;
use voxtrunk::call::cause::Cause;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::network::Side;
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{GREETING, World};

#[test]
fn the_record_of_a_caller_who_leaves_in_mid_sentence_has_the_words_that_were_heard() {
    let mut world = World::with_shop();
    world.then(When::Over(1_500), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::CallerHangup);
    let [line] = world.record().transcript.as_slice() else { panic!("one line") };
    assert!(line.interrupted);
    let (kept, heard) = (plain(&line.text), world.heard());
    assert!(plain(GREETING).starts_with(&kept) && kept.len() < plain(GREETING).len(), "{kept}");
    let (kept, heard) = (kept.split(' ').count(), heard.split(' ').count());
    assert!(kept.abs_diff(heard) <= 1, "{kept} words kept, {heard} heard");
}

#[test]
fn a_call_that_is_cancelled_before_the_answer_is_canceled() {
    let mut world = World::with_shop();
    world.server.bind_after = Duration::from_secs(2);
    world.then(When::At(500), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::Canceled);
    assert!(matches!(world.ending(), Ending::Cancelled { by: Party::Us, .. }));
    assert_eq!((world.record().answered, world.heard().as_str()), (None, ""));
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
       500  phone --> server  CANCEL
       520  phone <-- server  200 CANCEL
       520  phone <-- server  487 INVITE
       540  phone --> server  ACK
    ");
}

#[test]
fn a_cancel_that_crosses_the_200_ends_in_a_bye() {
    let mut world = World::with_shop();
    world.server.bind_after = Duration::from_millis(100);
    world.then(When::At(110), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::CallerHangup);
    assert_eq!((world.sent(Side::Phone, "ACK"), world.sent(Side::Phone, "BYE")), (1, 1));
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
       110  phone --> server  CANCEL
       120  phone <-- server  180 INVITE
       120  phone <-- server  200 INVITE
       130  phone <-- server  200 CANCEL
       140  phone --> server  ACK
       140  phone --> server  BYE
       160  phone <-- server  200 BYE
    ");
}

#[test]
fn both_sides_agree_whenever_the_caller_hangs_up() {
    for at in (0..400).step_by(7) {
        let mut world = World::with_shop();
        world.server.bind_after = Duration::from_millis(150);
        world.scene.lag = Duration::from_millis(5);
        world.then(When::At(at), Act::HangUp).play();
        match world.ending() {
            Ending::Cancelled { .. } => assert_eq!(world.cause(), Cause::Canceled, "at {at}"),
            Ending::Bye { .. } => assert_eq!(world.cause(), Cause::CallerHangup, "at {at}"),
            other => panic!("at {at}: {other:?}"),
        }
    }
}

#[test]
fn a_caller_whose_media_ceases_is_hung_up_on() {
    let mut world = World::with_shop();
    world.then(When::Over(500), Act::Mute).play();
    assert_eq!(world.cause(), Cause::MediaTimeout);
    let bye = world.sent_at(Side::Server, "BYE").expect("the server hung up");
    assert!((20_500..21_500).contains(&bye), "{bye}");
}
