//! The speech gate: from a row of speech probabilities to the edges of speech.

use std::time::Duration;

/// What makes speech begin and end.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A window with at least this probability counts as speech.
    pub threshold: f32,
    /// A window below this counts as silence; between the two, as before.
    pub release: f32,
    /// How much speech in a row makes it begin.
    pub min_speech: Duration,
    /// How much silence in a row makes it end.
    pub min_silence: Duration,
    /// Whether an echo of what we play is no speech.
    pub echo_gate: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            release: 0.35,
            min_speech: Duration::from_millis(64),
            min_silence: Duration::from_millis(160),
            echo_gate: true,
        }
    }
}

/// Speech began or ended, or may be about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Enough windows were speech.
    Started,
    /// The first window after voiced ones was silent, and more must follow before speech ends.
    Faded,
    /// A voiced window came after that.
    Returned,
    /// Enough windows in a row were silence.
    Ended {
        /// How long it has been silent: the last voiced window ended that long ago.
        silence: Duration,
    },
}

/// Turns the probabilities of one caller into edges.
#[derive(Debug, Clone)]
pub struct Gate {
    settings: Settings,
    /// Whether the last window counted as speech.
    voiced: bool,
    state: State,
}

/// Windows are counted, not times: a gate has no clock.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nobody speaks; so many more voiced windows than silent ones came lately.
    Silent { voiced: u32 },
    /// Somebody speaks; so many windows in a row were silent.
    Speaking { silent: u32 },
}

impl Gate {
    /// How long a window lasts.
    pub const WINDOW: Duration = Duration::from_millis(32);

    /// Makes a gate that has heard nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, voiced: false, state: State::Silent { voiced: 0 } }
    }

    /// Takes other settings from the next window on; what was heard stays.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Tells whether somebody is speaking, a short dip included.
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    /// Takes the probability of the next window; tells when speech begins or ends with it.
    pub fn hear(&mut self, probability: f32) -> Option<Edge> {
        self.voiced = match self.voiced {
            true => probability >= self.settings.release,
            false => probability >= self.settings.threshold,
        };
        match (self.state, self.voiced) {
            (State::Silent { voiced }, true) => {
                let voiced = voiced + 1;
                if voiced < windows_in(self.settings.min_speech) {
                    self.state = State::Silent { voiced };
                    return None;
                }
                self.state = State::Speaking { silent: 0 };
                Some(Edge::Started)
            }
            // A dip takes one window back and does not start again from nothing: an onset that
            // wavers is still heard soon.
            (State::Silent { voiced }, false) => {
                self.state = State::Silent { voiced: voiced.saturating_sub(1) };
                None
            }
            (State::Speaking { silent }, true) => {
                self.state = State::Speaking { silent: 0 };
                (silent > 0).then_some(Edge::Returned)
            }
            (State::Speaking { silent }, false) => {
                let silent = silent + 1;
                if silent < windows_in(self.settings.min_silence) {
                    self.state = State::Speaking { silent };
                    return (silent == 1).then_some(Edge::Faded);
                }
                self.state = State::Silent { voiced: 0 };
                Some(Edge::Ended { silence: Self::WINDOW * silent })
            }
        }
    }
}

/// As many windows as last for at least `duration`, and one at the least.
fn windows_in(duration: Duration) -> u32 {
    let windows = duration.as_micros().div_ceil(Gate::WINDOW.as_micros());
    u32::try_from(windows).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges with the number of the window at which each came.
    fn edges(probabilities: &[f32]) -> Vec<(usize, Edge)> {
        let mut gate = Gate::new(Settings::default());
        let edge = |(index, it): (usize, &f32)| Some((index, gate.hear(*it)?));
        let is_sure = |(_, edge): &(usize, Edge)| !matches!(edge, Edge::Faded | Edge::Returned);
        probabilities.iter().enumerate().filter_map(edge).filter(is_sure).collect()
    }

    #[test]
    fn a_voice_that_falls_off_is_told_at_once_and_once() {
        let mut gate = Gate::new(Settings::default());
        let row = [0.9, 0.9, 0.4, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
        let told: Vec<(usize, Edge)> =
            row.iter().enumerate().filter_map(|(at, it)| Some((at, gate.hear(*it)?))).collect();
        let silence = Duration::from_millis(160);
        let ended = Edge::Ended { silence };
        let expected = [(1, Edge::Started), (3, Edge::Faded), (5, Edge::Returned)];
        assert_eq!(told[..3], expected);
        assert_eq!(told[3..], [(7, Edge::Faded), (11, ended)]);
    }

    #[test]
    fn speech_starts_with_the_second_window_and_ends_after_five_silent_ones() {
        let row = [0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
        let silence = Duration::from_millis(160);
        assert_eq!(edges(&row), [(2, Edge::Started), (8, Edge::Ended { silence })]);
    }

    #[test]
    fn a_click_is_not_speech() {
        assert_eq!(edges(&[0.1, 0.99, 0.1, 0.1, 0.99, 0.1, 0.1]), []);
    }

    #[test]
    fn a_dip_inside_a_word_does_not_end_it() {
        let row = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9];
        assert_eq!(edges(&row), [(1, Edge::Started)]);
    }

    #[test]
    fn an_onset_that_wavers_is_still_heard() {
        assert_eq!(edges(&[0.9, 0.2, 0.9, 0.9]), [(3, Edge::Started)]);
    }

    #[test]
    fn between_the_thresholds_all_stays_as_it_was() {
        assert_eq!(edges(&[0.45; 20]), [], "silence stays silence");
        let mut row = vec![0.9, 0.9];
        row.extend([0.45; 20]);
        assert_eq!(edges(&row), [(1, Edge::Started)], "speech stays speech");
        row.push(0.3);
        row.extend([0.45; 4]);
        let silence = Duration::from_millis(160);
        assert_eq!(edges(&row)[1], (26, Edge::Ended { silence }), "a pause stays a pause");
    }

    #[test]
    fn no_duration_at_all_means_one_window() {
        let settings = Settings { min_speech: Duration::ZERO, ..Settings::default() };
        assert_eq!(Gate::new(settings).hear(0.6), Some(Edge::Started));
    }
}
