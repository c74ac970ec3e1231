//! Calls that are not taken.

use voxtrunk::base::destination::Destination;
use voxtrunk::call::cause::Cause;
use voxtrunk::dialplan::plan::Route;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::World;
use super::simulation::phone::Offer;

/// Plays a call that is refused; gives its status and reason.
fn refused(world: &mut World) -> (u16, Option<String>) {
    world.play();
    match world.ending() {
        Ending::Refused { by: Party::Peer, status, reason } => (*status, reason.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn media_that_nobody_here_understands_is_refused_with_488_and_a_reason() {
    for offer in [
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n\
         m=audio 40000 RTP/AVP 18\na=rtpmap:18 G729/8000\n",
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=video 40000 RTP/AVP 99\n",
        "this is no description\n",
    ] {
        let mut world = World::with_shop();
        world.phone.offer = Offer::These(offer);
        let (status, reason) = refused(&mut world);
        assert_eq!((status, world.cause()), (488, Cause::IncompatibleMedia), "{offer}");
        assert!(reason.is_some_and(|reason| !reason.is_empty()), "{offer}");
    }
}

#[test]
fn a_call_without_a_route_is_refused_with_404() {
    let mut world = World::with_shop();
    world.server.routes.clear();
    assert_eq!(refused(&mut world).0, 404);
    assert_eq!((world.cause(), world.record().route.as_deref()), (Cause::NoRoute, None));
}

#[test]
fn a_route_may_refuse() {
    for (to, status, cause) in [
        (Destination::Busy, 486, Cause::Busy),
        (Destination::Reject(603), 603, Cause::Rejected(603)),
    ] {
        let mut world = World::with_shop();
        world.server.routes = vec![Route::to(to)];
        assert_eq!((refused(&mut world).0, world.cause()), (status, cause));
    }
}

#[test]
fn a_call_for_which_no_port_is_left_is_refused_with_503() {
    let mut world = World::with_shop();
    world.server.pairs = 0;
    assert_eq!(refused(&mut world).0, 503);
    assert_eq!(world.cause(), Cause::Full);
}

#[test]
fn a_full_server_refuses_with_503_and_keeps_nothing() {
    let mut world = World::with_shop();
    world.server.max_calls = 0;
    assert_eq!(refused(&mut world).0, 503);
    assert!(world.server.facts.is_empty());
}
