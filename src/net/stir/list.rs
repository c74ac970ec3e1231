//! The list of numbers that a certificate speaks for: TNAuthList (RFC 8226 9).

use x509_parser::asn1_rs::{Any, Class, FromDer, Ia5String, Sequence};

/// For which numbers somebody may sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entitlement {
    /// Service provider codes: whoever has one signs for all of its customers.
    providers: Vec<String>,
    /// Numbers: the first, and how many from there on.
    ranges: Vec<(String, u64)>,
}

/// It cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its TNAuthList cannot be read")]
pub struct NotAList;

impl Entitlement {
    /// Reads the value of the extension.
    ///
    /// # Errors
    /// When it breaks its grammar, is empty or longer than any honest one.
    pub fn read(value: &[u8]) -> Result<Self, NotAList> {
        let (rest, list) = Sequence::from_der(value).map_err(|_| NotAList)?;
        let mut entries: &[u8] = list.content.as_ref();
        let mut found = Self::default();
        let mut count = 0;
        while !entries.is_empty() {
            let (after, entry) = Any::from_der(entries).map_err(|_| NotAList)?;
            found.add(&entry)?;
            entries = after;
            count += 1;
            if count > MOST_ENTRIES {
                return Err(NotAList);
            }
        }
        if count == 0 || !rest.is_empty() { Err(NotAList) } else { Ok(found) }
    }

    /// The service provider codes.
    pub fn providers(&self) -> &[String] {
        &self.providers
    }

    /// Whether it has a number, in digits.
    pub fn holds(&self, number: &str) -> bool {
        let within = |(first, count): &(String, u64)| {
            if first == number {
                return true;
            }
            // A range counts numbers of one length.
            let (Ok(start), Ok(wanted)) = (first.parse::<u64>(), number.parse::<u64>()) else {
                return false;
            };
            let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let after = wanted.checked_sub(start);
            is_digits && first.len() == number.len() && after.is_some_and(|after| after < *count)
        };
        !self.providers.is_empty() || self.ranges.iter().any(within)
    }

    /// An entry: `[0]` a code, `[1]` a range, `[2]` one number.
    fn add(&mut self, entry: &Any<'_>) -> Result<(), NotAList> {
        if entry.header.class() != Class::ContextSpecific {
            return Err(NotAList);
        }
        match entry.header.tag().0 {
            0 => self.providers.push(text(entry.data)?.1),
            1 => {
                let (_, range) = Sequence::from_der(entry.data).map_err(|_| NotAList)?;
                let (rest, first) = text(&range.content)?;
                let (_, count) = u64::from_der(rest).map_err(|_| NotAList)?;
                self.ranges.push((first, count));
            }
            2 => self.ranges.push((text(entry.data)?.1, 1)),
            _ => return Err(NotAList),
        }
        Ok(())
    }
}

/// A code or a number, and what follows it.
fn text(der: &[u8]) -> Result<(&[u8], String), NotAList> {
    let (rest, text) = Ia5String::from_der(der).map_err(|_| NotAList)?;
    let text = text.as_ref();
    let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
    if fits { Ok((rest, text.to_owned())) } else { Err(NotAList) }
}

/// The most entries.
const MOST_ENTRIES: usize = 1_000;

/// The longest code or number.
const LONGEST: usize = 32;
