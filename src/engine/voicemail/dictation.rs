//! A message is written down: a transcriber hears the sound of a file as it would hear a caller, in
//! parts that are no longer than what callers say at a stretch.

use std::ops::Range;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};

/// Has a message written down; the sound is at 16 kHz.
///
/// # Errors
/// Why nobody wrote it down, in words without a key.
pub async fn write_down(
    who: &dyn Transcriber,
    context: &Context,
    sound: &[i16],
) -> Result<String, String> {
    let (heard, mut texts) = mpsc::channel(TEXTS);
    let opening = who.open(context.clone(), heard);
    let mut listening = opening.await.map_err(|why| why.to_string())?;
    let mut written: Vec<String> = Vec::new();
    for (part, number) in parts(sound).into_iter().zip(1..) {
        hear(&mut *listening, sound.get(part).unwrap_or_default()).await;
        let pause = PauseId(number);
        listening.finalize(pause);
        let text = tokio::time::timeout(WRITTEN_WITHIN, text_of(&mut texts, pause)).await;
        let text = match text {
            Ok(Some(text)) => text,
            Ok(None) | Err(_) => {
                let trouble = listening.trouble().map(|why| why.to_string());
                return Err(trouble.unwrap_or_else(|| "no text came in time".to_owned()));
            }
        };
        written.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        listening.forget();
    }
    Ok(written.join(" "))
}

/// Plays a part, faster than it was said, and not faster than a socket takes it.
async fn hear(listening: &mut dyn Listening, part: &[i16]) {
    listening.begin();
    let frame = Rate::WIDE.samples_in(FRAME);
    for (number, samples) in part.chunks(frame).enumerate() {
        let mut samples = samples.to_vec();
        samples.resize(frame, 0);
        listening.hear(&Frame::new(Rate::WIDE, samples));
        if number % AT_ONCE == AT_ONCE - 1 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The final text of this pause; `None` when no more comes.
async fn text_of(texts: &mut mpsc::Receiver<Heard>, pause: PauseId) -> Option<String> {
    loop {
        let heard = texts.recv().await?;
        match heard.transcript {
            Transcript::Final { text, .. } if heard.pause == pause => return Some(text),
            Transcript::Failed => return None,
            Transcript::Final { .. } | Transcript::Partial { .. } | Transcript::Judged { .. } => {}
        }
    }
}

/// The parts of a sound at 16 kHz: each ends where it is quietest, or at its end.
fn parts(sound: &[i16]) -> Vec<Range<usize>> {
    let (shortest, longest) = (Rate::WIDE.samples_in(SHORTEST), Rate::WIDE.samples_in(LONGEST));
    let mut parts = Vec::new();
    let mut begin = 0;
    while sound.len() - begin > longest {
        let end = begin + quietest(&sound[begin..begin + longest], shortest);
        parts.push(begin..end);
        begin = end;
    }
    parts.push(begin..sound.len());
    parts
}

/// The middle of the quietest stretch behind `from`.
fn quietest(sound: &[i16], from: usize) -> usize {
    let window = Rate::WIDE.samples_in(WINDOW);
    let loudness = |at: &usize| -> u64 {
        sound[*at..*at + window].iter().map(|it| u64::from(it.unsigned_abs())).sum()
    };
    let places = (from..=sound.len() - window).step_by(window / 2);
    places.min_by_key(loudness).map_or(sound.len(), |at| at + window / 2)
}

/// A part is at least so long: no word stands alone.
const SHORTEST: Duration = Duration::from_secs(10);

/// A part is at most so long: what callers say at a stretch.
const LONGEST: Duration = Duration::from_secs(20);

/// So much silence is where words part.
const WINDOW: Duration = Duration::from_millis(200);

const FRAME: Duration = Duration::from_millis(20);

/// So many frames are given at once, and then a pause of so long: five times as fast as it was said.
const AT_ONCE: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// How long the text of a part may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// How many texts may wait.
const TEXTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_parted_where_nobody_speaks() {
        let second = Rate::WIDE.0 as usize;
        let mut sound = vec![2_000_i16; 50 * second];
        // Whoever speaks takes a breath after 13 and after 31 seconds.
        for breath in [13, 31] {
            sound[breath * second..breath * second + second / 2].fill(3);
        }
        let parts = parts(&sound);
        let [one, two, three] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!((one.start, one.end, two.end), (0, two.start, three.start));
        assert_eq!(three.end, sound.len());
        for (end, breath) in [(one.end, 13), (two.end, 31)] {
            assert!((breath * second..breath * second + second / 2).contains(&end), "{end}");
        }
    }

    #[test]
    fn no_part_is_longer_than_a_turn_and_nothing_is_left_out() {
        for seconds in [0, 1, 20, 21, 95] {
            let sound = vec![5_i16; seconds * Rate::WIDE.0 as usize];
            let parts = parts(&sound);
            assert!(parts.iter().all(|part| part.len() <= Rate::WIDE.samples_in(LONGEST)));
            assert_eq!(parts.iter().map(Range::len).sum::<usize>(), sound.len());
        }
    }
}
