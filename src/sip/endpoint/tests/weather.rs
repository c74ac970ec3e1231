//! Calls over a bad network, many seeds: each ends once at each side, and both sides agree.

use std::time::Duration;

use super::link::{CALL, Link, Side, Weather, answer, endings, hang_up, ring};
use crate::sip::event::{Ending, Event};

const SEEDS: u64 = 150;

/// Drives a call whose callee rings and answers as soon as it hears of it.
fn call(seed: u64, loss: f64, length: Duration) -> Link {
    let mut link = Link::new(Weather::stormy(loss), seed);
    link.call();
    link.later(length, Side::Caller, hang_up(CALL));
    for _ in 0..400 {
        if link.callee_events.iter().any(|event| matches!(event, Event::Incoming(_))) {
            let session = link.incoming();
            link.command(Side::Callee, ring(session));
            link.later(Duration::from_secs(1), Side::Callee, answer(session));
            break;
        }
        link.run(Duration::from_millis(100));
    }
    link.run_out();
    link
}

fn count(events: &[Event], wanted: fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}

#[test]
fn every_call_ends_once_and_leaves_nothing_behind_at_20_percent_loss() {
    let mut answered = 0;
    for seed in 0..SEEDS {
        let link = call(seed, 0.2, Duration::from_secs(40));
        let (ours, theirs) = (endings(&link.caller_events), endings(&link.callee_events));
        let incoming = count(&link.callee_events, |event| matches!(event, Event::Incoming(_)));
        assert_eq!(ours.len(), 1, "seed {seed}: {ours:?}");
        assert_eq!(theirs.len(), incoming, "seed {seed}: {theirs:?}");
        assert!(incoming <= 1, "seed {seed}: one call is one call");
        assert!(link.is_empty(), "seed {seed}: something is left behind");
        let was_answered =
            count(&link.caller_events, |event| matches!(event, Event::Answered { .. })) == 1;
        let was_confirmed =
            count(&link.callee_events, |event| matches!(event, Event::Confirmed { .. })) == 1;
        assert_eq!(was_answered, was_confirmed, "seed {seed}: {:?}", link.ladder);
        answered += usize::from(was_answered);
        if was_answered {
            assert!(
                matches!(theirs[..], [Ending::Bye { .. }]),
                "seed {seed}: both sides know of the end: {theirs:?}"
            );
        }
    }
    assert!(answered as u64 >= SEEDS * 95 / 100, "only {answered} of {SEEDS} calls came about");
}

#[test]
fn a_caller_who_gives_up_at_a_bad_moment_ends_the_call_at_both_sides() {
    for seed in 0..SEEDS {
        let length = Duration::from_millis(20 * (seed % 100));
        let link = call(seed, 0.2, length);
        assert_eq!(endings(&link.caller_events).len(), 1, "seed {seed}");
        let incoming = count(&link.callee_events, |event| matches!(event, Event::Incoming(_)));
        assert_eq!(endings(&link.callee_events).len(), incoming, "seed {seed}");
        assert!(link.is_empty(), "seed {seed}: something is left behind");
    }
}

#[test]
fn reordering_and_duplicates_alone_lose_no_call() {
    for seed in 0..SEEDS {
        let link = call(seed, 0.0, Duration::from_secs(10));
        let incoming = count(&link.callee_events, |event| matches!(event, Event::Incoming(_)));
        let answered = count(&link.caller_events, |event| matches!(event, Event::Answered { .. }));
        assert_eq!((incoming, answered), (1, 1), "seed {seed}");
        assert!(matches!(endings(&link.callee_events)[..], [Ending::Bye { .. }]), "seed {seed}");
        assert!(matches!(endings(&link.caller_events)[..], [Ending::Bye { .. }]), "seed {seed}");
    }
}
