//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): two bands of 4 kHz, each coded by adaptive
//! differences, the lower one in six bits and the upper one in two.
//!
//! Names in capitals are those of the blocks in clause 6.2 of the recommendation. All arithmetic
//! is that of its 16 bits, in `i32` so that nothing overflows.

/// Encodes samples at 16 kHz.
#[derive(Debug, Clone)]
pub struct Encoder {
    split: Mirror,
    low: Band,
    high: Band,
    /// A sample that waits for its pair.
    odd: Option<i16>,
}

/// Decodes to samples at 16 kHz.
#[derive(Debug, Clone)]
pub struct Decoder {
    join: Mirror,
    low: Band,
    high: Band,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { split: Mirror::default(), low: Band::LOW, high: Band::HIGH, odd: None }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { join: Mirror::default(), low: Band::LOW, high: Band::HIGH }
    }
}

impl Encoder {
    /// Appends an octet for each pair of samples. A single one waits for the next call.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        let mut samples = samples.iter().copied();
        if let Some(first) = self.odd.take() {
            match samples.next() {
                Some(second) => payload.push(self.pair(first, second)),
                None => self.odd = Some(first),
            }
        }
        while let Some(first) = samples.next() {
            match samples.next() {
                Some(second) => payload.push(self.pair(first, second)),
                None => self.odd = Some(first),
            }
        }
    }

    fn pair(&mut self, first: i16, second: i16) -> u8 {
        let (odd, even) = self.split.filter(i32::from(first), i32::from(second));
        // 12 bits for the gain of the filters, one for their sum, one for the input of 15 bits.
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);
        let low = self.low.quantize_low(low);
        let high = self.high.quantize_high(high);
        high << 6 | low
    }
}

impl Decoder {
    /// Appends two samples for each octet.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        for octet in payload {
            let low = self.low.expand_low(octet & 0x3f);
            let high = self.high.expand_high(octet >> 6);
            let (second, first) = self.join.filter(low + high, low - high);
            samples.extend([first, second].map(|it| saturated(it >> 11) as i16));
        }
    }
}

/// The quadrature mirror filter: the last 24 samples (or sums and differences of bands).
#[derive(Debug, Clone, Default)]
struct Mirror {
    line: [i32; 24],
}

impl Mirror {
    /// Takes two values; gives the sums of the even taps and of the odd ones.
    fn filter(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.line.copy_within(2.., 0);
        [self.line[22], self.line[23]] = [first, second];
        let (pairs, _) = self.line.as_chunks::<2>();
        let taps = MIRROR.iter().zip(MIRROR.iter().rev());
        pairs.iter().zip(taps).fold((0, 0), |(one, two), (pair, (tap, mirrored))| {
            (one + pair[0] * tap, two + pair[1] * mirrored)
        })
    }
}

/// One band: its adaptive quantizer and its predictor of two poles and six zeros.
#[derive(Debug, Clone)]
struct Band {
    /// What is predicted (S), of which the zeros gave so much (SZ).
    predicted: i32,
    by_zeros: i32,
    /// The step of the quantizer (DET) and its logarithm (NB).
    step: i32,
    logarithm: i32,
    /// The last two reconstructed samples (RLT), and partial ones (PLT), newest first.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    /// The last six differences (DLT), newest first.
    differences: [i32; 6],
    zeros: [i32; 6],
}

impl Band {
    const LOW: Self = Self::with_step(32);
    const HIGH: Self = Self::with_step(8);

    const fn with_step(step: i32) -> Self {
        Self {
            predicted: 0,
            by_zeros: 0,
            step,
            logarithm: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            differences: [0; 6],
            zeros: [0; 6],
        }
    }

    /// SUBTRA and QUANTL: the code of the lower band in six bits.
    fn quantize_low(&mut self, sample: i32) -> u8 {
        let error = saturated(sample - self.predicted);
        let size = if error >= 0 { error } else { -(error + 1) };
        let step = self.step;
        let level = LEVELS_LOW.iter().position(|level| size < (level * step) >> 12);
        let level = level.unwrap_or(LEVELS_LOW.len()) as u8;
        // Positive codes run from 61 down to 32, negative ones from 63 and 62 and then from 31 down.
        let code = match (error >= 0, level) {
            (true, _) => 61 - level,
            (false, 0 | 1) => 63 - level,
            (false, _) => 33 - level,
        };
        self.adapt_low(code);
        code
    }

    /// SUBTRA and QUANTH: the code of the upper band in two bits.
    fn quantize_high(&mut self, sample: i32) -> u8 {
        let error = saturated(sample - self.predicted);
        let size = if error >= 0 { error } else { -(error + 1) };
        let large = size >= (564 * self.step) >> 12;
        let code = match (error >= 0, large) {
            (true, false) => 3,
            (true, true) => 2,
            (false, false) => 1,
            (false, true) => 0,
        };
        self.adapt_high(code);
        code
    }

    /// INVQBL, RECONS and LIMIT: the sample of a code of the lower band.
    fn expand_low(&mut self, code: u8) -> i32 {
        let difference = (self.step * SIX_BITS[usize::from(code & 0x3f)]) >> 15;
        let sample = (self.predicted + difference).clamp(-16_384, 16_383);
        self.adapt_low(code);
        sample
    }

    /// INVQAH, RECONS and LIMIT: the sample of a code of the upper band.
    fn expand_high(&mut self, code: u8) -> i32 {
        let predicted = self.predicted;
        let difference = self.adapt_high(code);
        (predicted + difference).clamp(-16_384, 16_383)
    }

    /// INVQAL, LOGSCL and SCALEL: the predictor hears four of the six bits.
    fn adapt_low(&mut self, code: u8) {
        let coarse = usize::from(code >> 2) & 0xf;
        let difference = (self.step * FOUR_BITS[coarse]) >> 15;
        let logarithm = ((self.logarithm * 127) >> 7) + GROWTH_LOW[coarse];
        self.logarithm = logarithm.clamp(0, 18_432);
        self.step = self.linear(8);
        self.predict(difference);
    }

    /// INVQAH, LOGSCH and SCALEH; gives the difference.
    fn adapt_high(&mut self, code: u8) -> i32 {
        let code = usize::from(code) & 3;
        let difference = (self.step * TWO_BITS[code]) >> 15;
        let logarithm = ((self.logarithm * 127) >> 7) + GROWTH_HIGH[code];
        self.logarithm = logarithm.clamp(0, 22_528);
        self.step = self.linear(10);
        self.predict(difference);
        difference
    }

    /// The step of the logarithm, in which 11 bits stand behind the point.
    fn linear(&self, most: i32) -> i32 {
        let mantissa = MANTISSAS[(self.logarithm >> 6) as usize & 31];
        let shift = most - (self.logarithm >> 11);
        let linear = if shift < 0 { mantissa << -shift } else { mantissa >> shift };
        linear << 2
    }

    /// Blocks 4L and 4H: adapts the predictor to a difference and predicts the next sample.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturated(self.predicted + difference);
        let partial = saturated(self.by_zeros + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ and PREDIC.
        let weighted = |(weight, value): (&i32, &i32)| (weight * saturated(value * 2)) >> 15;
        let by_poles: i32 = self.poles.iter().zip(&self.reconstructed).map(weighted).sum();
        let by_zeros: i32 = self.zeros.iter().zip(&self.differences).map(weighted).sum();
        self.by_zeros = saturated(by_zeros);
        self.predicted = saturated(saturated(by_poles) + self.by_zeros);
    }

    /// UPPOL2 and UPPOL1, with the limits that keep the filter stable.
    fn adapt_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let like = |other: i32| (partial < 0) == (other < 0);
        let quadruple = saturated(first * 4);
        let towards = if like(self.partial[0]) { -quadruple } else { quadruple };
        let push = if like(self.partial[1]) { 128 } else { -128 };
        let new_second = push + (towards.min(32_767) >> 7) + ((second * 32_512) >> 15);
        let new_second = new_second.clamp(-12_288, 12_288);
        let push = if like(self.partial[0]) { 192 } else { -192 };
        let limit = saturated(15_360 - new_second);
        let new_first = saturated(push + ((first * 32_640) >> 15)).clamp(-limit, limit);
        self.poles = [new_first, new_second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            let like = (difference < 0) == (*past < 0);
            let push = if like { push } else { -push };
            *zero = saturated(push + ((*zero * 32_640) >> 15));
        }
    }
}

fn saturated(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// Half of the symmetric filter of 24 taps (table 11).
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Where the levels of the lower quantizer end (Q6).
const LEVELS_LOW: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023,
    1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];

/// What a code of the lower band stands for in four bits (QQ4).
const FOUR_BITS: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];

/// The same in six bits (QQ6).
const SIX_BITS: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];

/// What a code of the upper band stands for (QQ2).
const TWO_BITS: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// How the logarithm of the lower step grows with a code of four bits (WL by RIL).
const GROWTH_LOW: [i32; 16] =
    [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];

/// How that of the upper step grows (WH by IH).
const GROWTH_HIGH: [i32; 4] = [798, -214, 798, -214];

/// The powers of two between 2048 and 4096 in steps of a 32nd (ILB).
const MANTISSAS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 ms of noise from a generator of whole numbers: first soft, then as loud as can be.
    fn noise() -> Vec<i16> {
        let mut state = 1_u32;
        let mut draw = |at: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = (state >> 16) as i16;
            if at < 320 { sample / 16 } else { sample }
        };
        (0..640).map(&mut draw).collect()
    }

    fn digest(octets: impl IntoIterator<Item = u8>) -> u64 {
        let step = |hash: u64, octet| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3);
        octets.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    #[test]
    fn codes_and_samples_are_those_of_the_recommendation() {
        // A second implementation gives every octet and every sample of these, once both begin
        // with the steps of the recommendation.
        let mut payload = Vec::new();
        Encoder::default().encode(&noise(), &mut payload);
        assert_eq!(digest(payload.iter().copied()), 0x479e_1ff3_5577_fb92);
        let mut samples = Vec::new();
        Decoder::default().decode(&payload, &mut samples);
        let octets = samples.iter().flat_map(|it| it.to_be_bytes());
        assert_eq!(digest(octets), 0x32ea_5985_6f1c_6cea);
    }

    #[test]
    fn pieces_of_any_length_make_the_same_stream() {
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Encoder::default().encode(&noise(), &mut whole);
        let mut encoder = Encoder::default();
        for piece in noise().chunks(7) {
            encoder.encode(piece, &mut pieces);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn silence_is_heard_as_silence() {
        let (mut payload, mut samples) = (Vec::new(), Vec::new());
        Encoder::default().encode(&[0; 3_200], &mut payload);
        Decoder::default().decode(&payload, &mut samples);
        assert!(samples.iter().all(|sample| sample.unsigned_abs() <= 8), "{samples:?}");
    }

    #[test]
    fn the_loudest_and_the_strangest_stay_within_sixteen_bits() {
        let square: Vec<i16> =
            (0..6_400).map(|at| if at / 9 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let (mut payload, mut samples) = (Vec::new(), Vec::new());
        Encoder::default().encode(&square, &mut payload);
        Decoder::default().decode(&payload, &mut samples);
        let every: Vec<u8> = (0..=255).cycle().take(51_200).collect();
        let flat = [[0_u8; 4_000], [0x3f; 4_000], [0xc4; 4_000]].concat();
        let mut decoder = Decoder::default();
        decoder.decode(&every, &mut samples);
        decoder.decode(&flat, &mut samples);
        assert_eq!(samples.len(), 6_400 + 2 * (51_200 + 12_000));
    }
}
