//! Who answers a call of ours: people, machines and those who ask who is calling, told apart by their
//! sound and by their words.

use voxtrunk::call::amd::Verdict;
use voxtrunk::server::bench::amd::Scores;

#[tokio::test]
async fn people_and_machines_are_told_apart_within_two_seconds() {
    for hears in [false, true] {
        let scores = Scores::of(hears).await.expect("the voices of this machine");
        println!("{}", scores.matrix());
        let right = |label| scores.count(label, label);
        assert!(scores.items() >= 60, "{}", scores.items());
        // What was measured, less a little for other versions of the voices.
        assert!(right(Verdict::Human) >= 18, "people");
        assert!(right(Verdict::Machine) >= 20, "machines");
        assert!(right(Verdict::Unknown) >= 6, "nobody");
        assert!(!hears || right(Verdict::Screening) >= 8, "those who ask who calls");
        let [_, median, _, at_tone] = scores.figures();
        // In the time of the call, which is virtual.
        assert!(median.value <= 2.0, "{median:?}");
        assert!(at_tone.value >= 17.0, "{at_tone:?}");
    }
}
