//! Words as vendors tell them, with their times.

/// Puts words behind others.
pub(super) fn join(text: &mut String, more: &str) {
    let more = more.trim();
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The words that were not said before `began`; all of `text` when none was. Words are given with
/// their times, in samples; not every vendor tells them.
pub(super) fn since<'w>(
    began: u64,
    text: &str,
    words: impl Iterator<Item = (&'w str, Option<u64>)> + Clone,
) -> String {
    let is_older = |at: Option<u64>| at.is_some_and(|at| at + TOLERANCE < began);
    if !words.clone().any(|(_, at)| is_older(at)) {
        return text.to_owned();
    }
    let newer = words.filter(|(_, at)| !is_older(*at));
    newer.map(|(word, _)| word).collect::<Vec<_>>().join(" ")
}

/// A time of the stream in samples.
pub(super) fn samples(seconds: f64) -> u64 {
    (seconds.max(0.0) * 16_000.0).round() as u64
}

/// How far a vendor's times may be beside ours, in samples: 100 ms.
pub(super) const TOLERANCE: u64 = 1_600;
