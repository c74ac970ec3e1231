//! Sums that are right: exact decimals, `+ - * / %` and brackets, read without a machine behind.

use std::fmt;

/// A decimal number: `mantissa` / 10^`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Reads an expression and works it out.
///
/// # Errors
/// With what is wrong with it.
pub fn evaluate(expression: &str) -> Result<String, &'static str> {
    if expression.len() > LONGEST {
        return Err("the expression is too long");
    }
    let letters = expression.replace(['×', '·'], "*").replace(['÷', ':'], "/").replace('−', "-");
    let letters: Vec<char> = letters.chars().filter(|c| !c.is_whitespace()).collect();
    let mut reader = Reader { letters: &letters, at: 0 };
    let value = reader.sum(0)?;
    match reader.peek() {
        None => Ok(value.to_string()),
        Some(_) => Err("the expression has something that is no number, bracket or + - * / %"),
    }
}

/// Reads from left to right.
struct Reader<'e> {
    letters: &'e [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let found = self.peek().filter(|letter| wanted.contains(letter))?;
        self.at += 1;
        Some(found)
    }

    fn sum(&mut self, depth: u32) -> Result<Decimal, &'static str> {
        let mut value = self.product(depth)?;
        while let Some(sign) = self.take(&['+', '-']) {
            let other = self.product(depth)?;
            let other = if sign == '-' { other.negated() } else { Some(other) };
            value = other.and_then(|other| value.plus(other)).ok_or(TOO_LARGE)?;
        }
        Ok(value)
    }

    fn product(&mut self, depth: u32) -> Result<Decimal, &'static str> {
        let mut value = self.signed(depth)?;
        while let Some(sign) = self.take(&['*', '/']) {
            let other = self.signed(depth)?;
            value = match sign {
                '*' => value.times(other).ok_or(TOO_LARGE)?,
                _ if other.mantissa == 0 => return Err("nothing can be divided by zero"),
                _ => value.over(other).ok_or(TOO_LARGE)?,
            };
        }
        Ok(value)
    }

    fn signed(&mut self, depth: u32) -> Result<Decimal, &'static str> {
        if depth > DEEPEST {
            return Err("the expression has too many brackets");
        }
        if let Some(sign) = self.take(&['+', '-']) {
            let value = self.signed(depth + 1)?;
            return if sign == '-' { value.negated().ok_or(TOO_LARGE) } else { Ok(value) };
        }
        let mut value = if self.take(&['(']).is_some() {
            let value = self.sum(depth + 1)?;
            self.take(&[')']).ok_or("a bracket is not closed")?;
            value
        } else {
            self.number()?
        };
        while self.take(&['%']).is_some() {
            value = value.over(Decimal { mantissa: 100, scale: 0 }).ok_or(TOO_LARGE)?;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Decimal, &'static str> {
        let (mut value, mut digits, mut is_fraction) =
            (Decimal { mantissa: 0, scale: 0 }, 0, false);
        while let Some(letter) = self.peek() {
            match letter.to_digit(10) {
                Some(digit) => {
                    let mantissa = value.mantissa.checked_mul(10);
                    let mantissa = mantissa.and_then(|it| it.checked_add(i128::from(digit)));
                    value.mantissa = mantissa.ok_or(TOO_LARGE)?;
                    value.scale += u32::from(is_fraction);
                    digits += 1;
                }
                None if letter == '.' && !is_fraction => is_fraction = true,
                None => break,
            }
            self.at += 1;
        }
        if digits == 0 {
            return Err("a number is missing");
        }
        value.fitting().ok_or(TOO_LARGE)
    }
}

impl Decimal {
    fn negated(self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_neg()?, ..self })
    }

    fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let mantissa = self.at(scale)?.checked_add(other.at(scale)?)?;
        Self { mantissa, scale }.fitting()
    }

    fn times(self, other: Self) -> Option<Self> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Self { mantissa, scale: self.scale + other.scale }.fitting()
    }

    /// The quotient, rounded half away from zero to ten decimals.
    fn over(self, other: Self) -> Option<Self> {
        let dividend = self.at(self.scale.max(other.scale))?;
        let divisor = other.at(self.scale.max(other.scale))?;
        let mantissa = dividend.checked_mul(power(DECIMALS)?)?;
        let (quotient, rest) = (mantissa.checked_div(divisor)?, mantissa.checked_rem(divisor)?);
        let up = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
        let step = i128::from(up) * mantissa.signum() * divisor.signum();
        Self { mantissa: quotient.checked_add(step)?, scale: DECIMALS }.fitting()
    }

    /// The mantissa at a larger scale.
    fn at(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(power(scale.checked_sub(self.scale)?)?)
    }

    /// The same without zeros at its end; `None` when it has more decimals than we keep.
    fn fitting(mut self) -> Option<Self> {
        while self.scale > 0 && self.mantissa % 10 == 0 {
            (self.mantissa, self.scale) = (self.mantissa / 10, self.scale - 1);
        }
        (self.scale <= MOST_DECIMALS).then_some(self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = self.scale as usize;
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let point = if scale > 0 { "." } else { "" };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

const TOO_LARGE: &str = "a number is too large";

/// How many decimals a quotient has.
const DECIMALS: u32 = 10;

/// How many decimals any number has.
const MOST_DECIMALS: u32 = 20;

/// The longest expression, in octets.
const LONGEST: usize = 500;

/// How deep brackets and signs may stand in each other.
const DEEPEST: u32 = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_are_exact() {
        for (expression, expected) in [
            ("0.1 + 0.2", "0.3"),
            ("3 * (19.90 - 2.5) / 2", "26.1"),
            ("2 + 3 * 4", "14"),
            ("-(-7)", "7"),
            ("1 / 3", "0.3333333333"),
            ("2 / 3", "0.6666666667"),
            ("-2 / 3", "-0.6666666667"),
            ("119.00 * 19%", "22.61"),
            ("10 − 4 ÷ 2 × 3", "4"),
            ("1000000 * 1000000", "1000000000000"),
            ("0.5 - 1", "-0.5"),
            ("7 / 2", "3.5"),
        ] {
            assert_eq!(evaluate(expression), Ok(expected.to_owned()), "{expression}");
        }
    }

    #[test]
    fn what_is_no_sum_is_refused() {
        for wrong in ["", "1 +", "(1", "1)", "1 / 0", "2 ** 3", "abs(1)", "1e9", "1.2.3", "0,5"] {
            assert!(evaluate(wrong).is_err(), "{wrong}");
        }
        assert!(evaluate(&"(".repeat(100)).is_err());
        assert!(evaluate(&"-".repeat(400)).is_err());
        assert!(evaluate(&"9".repeat(60)).is_err());
        assert!(evaluate("99999999999999999999 * 99999999999999999999").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_expression_makes_it_panic(text in "[0-9.+*/%() -]{0,40}") {
            let _ = evaluate(&text);
        }
    }
}
