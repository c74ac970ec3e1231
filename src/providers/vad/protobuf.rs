//! A reader for the wire format of protocol buffers, as far as a model file needs it.

/// The fields of one message, in the order of the octets.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A variable-length integer.
    Number(u64),
    /// A string, a message or packed numbers.
    Octets(&'a [u8]),
    /// Four or eight octets, which nothing here needs.
    Fixed,
}

/// The octets are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broken protocol buffer")]
pub struct Broken;

impl<'a> Fields<'a> {
    /// Reads `message`.
    pub fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The messages or strings of one field.
    pub fn octets(self, number: u64) -> impl Iterator<Item = Result<&'a [u8], Broken>> {
        self.filter_map(move |field| match field {
            Ok((it, Value::Octets(octets))) if it == number => Some(Ok(octets)),
            Ok(_) => None,
            Err(broken) => Some(Err(broken)),
        })
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Broken> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| Broken)?;
                Value::Octets(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Broken),
        };
        Ok((tag >> 3, value))
    }

    fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let octet = self.take(1)?[0];
            number |= u64::from(octet & 0x7F) << shift;
            if octet < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_come_in_order() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1D, 1, 2, 3, 4];
        let fields: Vec<_> = Fields::of(&message).collect();
        let expected =
            [Ok((1, Value::Number(150))), Ok((2, Value::Octets(b"hi"))), Ok((3, Value::Fixed))];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_field_that_says_too_much_is_broken_and_the_last() {
        let fields: Vec<_> = Fields::of(&[0x12, 0xFF, 0xFF, 0x03, 1, 2]).collect();
        assert_eq!(fields, [Err(Broken)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_octets_come_to_an_end(octets: Vec<u8>) {
            prop_assert!(Fields::of(&octets).count() <= octets.len());
        }
    }
}
