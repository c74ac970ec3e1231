//! G.711: µ-law and A-law by tables that are computed when the program is compiled, bit-exact with
//! the reference software of ITU-T G.191.

/// Gives the linear sample of a µ-law code: 14 bits, left-justified in 16.
pub fn ulaw_to_linear(code: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(code)]
}

/// Gives the linear sample of an A-law code: 13 bits, left-justified in 16.
pub fn alaw_to_linear(code: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(code)]
}

/// Gives the µ-law code of a sample. Of its 16 bits, the upper 14 count.
pub fn linear_to_ulaw(sample: i16) -> u8 {
    LINEAR_TO_ULAW[usize::from(sample.cast_unsigned() >> 2)]
}

/// Gives the A-law code of a sample. Of its 16 bits, the upper 12 count.
pub fn linear_to_alaw(sample: i16) -> u8 {
    LINEAR_TO_ALAW[usize::from(sample.cast_unsigned() >> 4)]
}

static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_ulaw(code as u8);
        code += 1;
    }
    table
};

static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_alaw(code as u8);
        code += 1;
    }
    table
};

static LINEAR_TO_ULAW: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress_ulaw(((index << 2) as u16).cast_signed());
        index += 1;
    }
    table
};

static LINEAR_TO_ALAW: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress_alaw(((index << 4) as u16).cast_signed());
        index += 1;
    }
    table
};

/// µ-law is a floating-point number, all bits inverted: sign, three bits of exponent, four of
/// mantissa, with a bias of 33 in 14 bits (G.711 table 2).
const fn expand_ulaw(code: u8) -> i16 {
    let bits = !code;
    let exponent = (bits >> 4) & 7;
    let mantissa = (bits & 15) as i16;
    let magnitude = ((2 * mantissa + 33) << exponent) - 33;
    let linear = magnitude << 2;
    if bits & 0x80 != 0 { -linear } else { linear }
}

/// A-law: the even bits are inverted, and the lowest two segments have the same step (G.711
/// table 1).
const fn expand_alaw(code: u8) -> i16 {
    let bits = code ^ 0x55;
    let exponent = (bits >> 4) & 7;
    let mantissa = (bits & 15) as i16;
    let magnitude = match exponent {
        0 => 2 * mantissa + 1,
        _ => (2 * mantissa + 33) << (exponent - 1),
    };
    let linear = magnitude << 3;
    if bits & 0x80 != 0 { linear } else { -linear }
}

/// Negative samples are inverted, not negated, so that both halves of the scale are alike (G.191).
const fn compress_ulaw(sample: i16) -> u8 {
    let magnitude = if sample < 0 { !sample } else { sample };
    let mut biased = (magnitude >> 2) + 33;
    if biased > 0x1FFF {
        biased = 0x1FFF;
    }
    // The bias makes bit 5 the lowest that can lead.
    let exponent = 10 - biased.leading_zeros();
    let mantissa = ((biased >> (exponent + 1)) & 15) as u8;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | ((exponent as u8) << 4) | mantissa)
}

const fn compress_alaw(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample }) >> 4;
    let bits = if magnitude < 32 {
        magnitude as u8
    } else {
        let shift = 11 - magnitude.leading_zeros();
        (((shift + 1) << 4) as u8) | ((magnitude >> shift) & 15) as u8
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | bits) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711's decision values: sample by sample, counted up from zero instead of computed by bits.
    /// Gives, for each magnitude, the number of its interval, 0 to 127.
    fn intervals(first_step: i32, bias: i32, top: i32) -> Vec<u8> {
        let mut intervals = Vec::new();
        let mut interval = 0;
        for segment in 0..8 {
            // A-law has no bias and two equal segments; µ-law doubles from the first.
            let doublings = if bias == 0 { (segment - 1).max(0) } else { segment };
            for step in 0..16 {
                let width = first_step << doublings;
                let width = if bias != 0 && segment == 0 && step == 0 { width / 2 } else { width };
                intervals.extend(std::iter::repeat_n(interval, width as usize));
                interval += 1;
            }
        }
        intervals.resize(top as usize, 127);
        intervals
    }

    #[test]
    fn every_sample_falls_into_the_interval_that_the_recommendation_draws() {
        let (ulaw, alaw) = (intervals(2, 33, 1 << 13), intervals(1, 0, 1 << 11));
        for sample in i16::MIN..=i16::MAX {
            let magnitude = if sample < 0 { !sample } else { sample } as usize;
            let sign = if sample < 0 { 0 } else { 0x80 };
            let expected = sign | (!ulaw[magnitude >> 2] & 0x7F);
            assert_eq!(linear_to_ulaw(sample), expected, "µ-law of {sample}");
            let expected = (sign | alaw[magnitude >> 4]) ^ 0x55;
            assert_eq!(linear_to_alaw(sample), expected, "A-law of {sample}");
        }
    }

    #[test]
    fn every_code_comes_back_and_only_negative_zero_becomes_zero() {
        for code in 0..=255 {
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(linear_to_ulaw(ulaw_to_linear(code)), expected, "µ-law {code:#x}");
            assert_eq!(linear_to_alaw(alaw_to_linear(code)), code, "A-law {code:#x}");
        }
    }

    #[test]
    fn known_codes_have_the_values_of_the_tables_in_g711() {
        assert_eq!([0x00, 0x80, 0xFF, 0x7F].map(ulaw_to_linear), [-32_124, 32_124, 0, 0]);
        assert_eq!([0xD5, 0x55, 0xAA, 0x2A].map(alaw_to_linear), [8, -8, 32_256, -32_256]);
        assert_eq!([0, -1, i16::MAX, i16::MIN].map(linear_to_ulaw), [0xFF, 0x7F, 0x80, 0x00]);
        assert_eq!([0, -1, i16::MAX, i16::MIN].map(linear_to_alaw), [0xD5, 0x55, 0xAA, 0x2A]);
    }
}
