//! The E-model (ITU-T G.107), as far as a receiver can fill it in: what loss and delay make of the
//! opinion that people would have of a call.

use std::time::Duration;

use crate::audio::codec::Codec;

/// How a codec sounds, and how it bears loss (ITU-T G.113, appendix I).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// The equipment impairment without loss, `Ie`.
    pub equipment: f64,
    /// The robustness against loss, `Bpl`.
    pub robustness: f64,
}

impl Impairment {
    /// The impairment of a codec. G.113 knows G.711 with concealment and G.729; wideband codecs,
    /// which this scale of the telephone cannot praise, count as G.711.
    pub fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu
            | Codec::Pcma
            | Codec::L16Narrow
            | Codec::L16Wide
            | Codec::G722
            | Codec::Opus => Self { equipment: 0.0, robustness: 25.1 },
            Codec::G729 => Self { equipment: 11.0, robustness: 19.0 },
        }
    }
}

/// What is known of a reception.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// The codec.
    pub impairment: Impairment,
    /// The share of packets that were not heard: 0 to 1.
    pub loss: f64,
    /// How much longer losses are in a row than by chance: 1 and more.
    pub burst_ratio: f64,
    /// From mouth to ear.
    pub delay: Duration,
}

impl Conditions {
    /// The transmission rating R: 0 to 93.2.
    pub fn rating(&self) -> f64 {
        let delay = self.delay.as_secs_f64() * 1_000.0;
        // The usual simplification of G.107 for an echo-free line.
        let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
        let loss = self.loss.clamp(0.0, 1.0) * 100.0;
        let Impairment { equipment, robustness } = self.impairment;
        let bearing = loss / self.burst_ratio.max(1.0) + robustness;
        let by_equipment = equipment + (95.0 - equipment) * loss / bearing;
        (BEST - by_delay - by_equipment).clamp(0.0, BEST)
    }

    /// The mean opinion score: 1.0 to 4.41 (G.107, annex B).
    pub fn score(&self) -> f64 {
        let rating = self.rating();
        let curve = rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
        (1.0 + 0.035 * rating + curve).clamp(1.0, 4.5)
    }
}

/// The rating of a line to which nothing is done: the defaults of G.107.
const BEST: f64 = 93.2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conditions(loss: f64, millis: u64) -> Conditions {
        let impairment = Impairment::of(Codec::Pcma);
        Conditions { impairment, loss, burst_ratio: 1.0, delay: Duration::from_millis(millis) }
    }

    #[test]
    fn a_clean_line_is_as_good_as_a_telephone_can_be() {
        let best = conditions(0.0, 0);
        assert!((best.rating() - 93.2).abs() < 0.01);
        assert!((best.score() - 4.41).abs() < 0.01, "{}", best.score());
    }

    #[test]
    fn loss_delay_and_codec_cost_what_the_tables_say() {
        // 93.2 - 95 * 5 / 30.1, and 93.2 - 0.024 * 300 - 0.11 * 122.7.
        assert!((conditions(0.05, 0).rating() - 77.42).abs() < 0.01);
        assert!((conditions(0.0, 300).rating() - 72.50).abs() < 0.01);
        let foreign = Conditions { impairment: Impairment::of(Codec::G729), ..conditions(0.0, 0) };
        assert!((foreign.rating() - 82.2).abs() < 0.01);
        let bursts = Conditions { burst_ratio: 2.0, ..conditions(0.1, 0) };
        assert!(bursts.score() < conditions(0.1, 0).score());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn worse_is_never_better(
            loss in 0.0..1.0_f64,
            more in 0.0..1.0_f64,
            delay in 0_u64..2_000,
            later in 0_u64..2_000,
        ) {
            let (one, other) = (conditions(loss, delay), conditions(loss + more, delay + later));
            prop_assert!(other.rating() <= one.rating());
            prop_assert!((1.0..=4.5).contains(&other.score()));
        }
    }
}
