//! The one piece of arithmetic that counts: products of small matrices in vector registers.

use pulp::Simd;

/// A matrix of weights with a row for each input and a column for each output, cut into panels of
/// 64 columns that lie one behind the other: a panel is read from its beginning to its end and
/// stays in the processor's nearest cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    inputs: usize,
    outputs: usize,
    panels: Vec<f32>,
}

impl Matrix {
    /// Packs `rows`, one for each of the outputs, which must be a multiple of 64.
    pub fn of_outputs(rows: &[f32], outputs: usize) -> Self {
        let inputs = rows.len() / outputs;
        let mut panels = Vec::with_capacity(rows.len());
        for panel in (0..outputs).step_by(PANEL) {
            for input in 0..inputs {
                let columns = panel..panel + PANEL;
                panels.extend(columns.map(|output| rows[output * inputs + input]));
            }
        }
        Self { inputs, outputs, panels }
    }

    /// How many values a row of the left side has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many values a row of the product has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Adds to each row of `y` the product of the same row of `x` with this matrix.
    #[inline(always)]
    pub fn accumulate<S: Simd>(&self, simd: S, x: &[f32], y: &mut [f32]) {
        // As many sums at once as the registers hold, with some left for weights and a value.
        match S::F32_LANES {
            16 => self.run::<S, 6, 4>(simd, x, y),
            8 => self.run::<S, 6, 2>(simd, x, y),
            _ => self.run::<S, 4, 2>(simd, x, y),
        }
    }

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        x: &[f32],
        y: &mut [f32],
    ) {
        let rows = y.len() / self.outputs;
        let whole = rows - rows % ROWS;
        for column in (0..self.outputs).step_by(VECTORS * S::F32_LANES) {
            for row in (0..whole).step_by(ROWS) {
                self.tile::<S, ROWS, VECTORS>(simd, [row, column], x, y);
            }
            let rest = [whole, column];
            match rows - whole {
                0 => {}
                1 => self.tile::<S, 1, VECTORS>(simd, rest, x, y),
                2 => self.tile::<S, 2, VECTORS>(simd, rest, x, y),
                3 => self.tile::<S, 3, VECTORS>(simd, rest, x, y),
                4 => self.tile::<S, 4, VECTORS>(simd, rest, x, y),
                _ => self.tile::<S, 5, VECTORS>(simd, rest, x, y),
            }
        }
    }

    /// One tile of the product: its sums stay in registers while the weights pass by.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        [row, column]: [usize; 2],
        x: &[f32],
        y: &mut [f32],
    ) {
        const WHOLE: &str = "panels come in whole vectors";
        let x: [&[f32]; ROWS] =
            std::array::from_fn(|index| &x[(row + index) * self.inputs..][..self.inputs]);
        let (y, _) = S::as_mut_simd_f32s(y);
        let (start, width) = (column / S::F32_LANES, self.outputs / S::F32_LANES);
        let mut sums: [[S::f32s; VECTORS]; ROWS] = std::array::from_fn(|index| {
            *y[(row + index) * width + start..].first_chunk().expect(WHOLE)
        });
        let panel = &self.panels[column / PANEL * PANEL * self.inputs..][..PANEL * self.inputs];
        let (panel, _) = S::as_simd_f32s(panel);
        let (start, wide) = (column % PANEL / S::F32_LANES, PANEL / S::F32_LANES);
        for (input, weights) in panel.chunks_exact(wide).enumerate() {
            let weights: &[S::f32s; VECTORS] = weights[start..].first_chunk().expect(WHOLE);
            for (sums, x) in sums.iter_mut().zip(&x) {
                let value = simd.splat_f32s(x[input]);
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = multiply_add(simd, *weight, value, *sum);
                }
            }
        }
        for (index, sums) in sums.iter().enumerate() {
            let start = (row + index) * width + column / S::F32_LANES;
            *y[start..].first_chunk_mut().expect(WHOLE) = *sums;
        }
    }
}

/// The columns of a panel: four of the widest vectors there are.
const PANEL: usize = 64;

/// Fused where the processor can; where it cannot, a fused product would be a slow subroutine.
#[inline(always)]
fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    match S::F32_LANES {
        8 | 16 => simd.mul_add_f32s(a, b, c),
        _ => simd.add_f32s(simd.mul_f32s(a, b), c),
    }
}

/// e to the power of `x`, to 2e-7 of its value, in steps that vectorise: Taylor's series around
/// the nearest power of two.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding this leaves the nearest integer in the lowest bits.
    const MAGIC: f32 = 12_582_912.0;
    // ln 2 in two parts, the first of which multiplies without error.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -0.000_212_194_44;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let power = shifted - MAGIC;
    let rest = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    let mut series = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * rest + coefficient;
    }
    // The integer becomes the exponent of a float.
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use pulp::{Arch, Scalar128b, WithSimd};

    struct Case<'a>(&'a Matrix, &'a [f32], &'a mut [f32]);

    impl WithSimd for Case<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            self.0.accumulate(simd, self.1, self.2);
        }
    }

    #[test]
    fn products_are_right_for_every_number_of_rows_and_every_processor() {
        let mut random = Random::repeatable(3);
        let mut some =
            |count| -> Vec<f32> { (0..count).map(|_| random.unit() as f32 - 0.5).collect() };
        let (inputs, columns) = (33, 128);
        let weights = some(inputs * columns);
        let matrix = Matrix::of_outputs(&weights, columns);
        for rows in 1..20 {
            let (x, y) = (some(rows * inputs), some(rows * columns));
            let (mut best, mut plain) = (y.clone(), y.clone());
            Arch::new().dispatch(Case(&matrix, &x, &mut best));
            Scalar128b.vectorize(Case(&matrix, &x, &mut plain));
            for (index, y) in y.iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let of = |input| x[row * inputs + input] * weights[column * inputs + input];
                let expected = y + (0..inputs).map(of).sum::<f32>();
                assert!((best[index] - expected).abs() < 1e-5, "{rows} rows, {index}");
                assert!((plain[index] - expected).abs() < 1e-5, "{rows} rows, {index}");
            }
        }
    }

    #[test]
    fn curves_follow_the_exact_ones() {
        for step in -4_000..=4_000 {
            let x = step as f32 / 50.0;
            let (near, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((near / exact - 1.0).abs() < 5e-7, "e^{x}: {near} against {exact}");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 3e-7, "tanh {x}");
        }
        assert_eq!((sigmoid(1e9), sigmoid(-1e9).round()), (1.0, 0.0));
    }
}
