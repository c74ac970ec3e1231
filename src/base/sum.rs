//! Sums of files: SHA-256, by which it is found out when one is changed.

use std::fmt::Write;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Reads to the end: the SHA-256 in hexadecimal digits, and how many octets there were.
///
/// # Errors
/// When the source cannot be read.
pub fn sha256(mut source: impl Read) -> io::Result<(String, u64)> {
    let (mut sum, mut length) = (Sha256::new(), 0);
    let mut part = vec![0; AT_ONCE];
    loop {
        let count = source.read(&mut part)?;
        if count == 0 {
            return Ok((hexadecimal(&sum.finalize()), length));
        }
        sum.update(part.get(..count).unwrap_or_default());
        length += count as u64;
    }
}

/// Octets as hexadecimal digits.
pub fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        write!(text, "{octet:02x}").expect("a text takes everything");
        text
    })
}

/// How much is read at once.
const AT_ONCE: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_the_standard() {
        // FIPS 180-2, B.1 and B.3.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&b"abc"[..]).unwrap(), (abc.to_owned(), 3));
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(
            sha256(io::repeat(b'a').take(1_000_000)).unwrap(),
            (million.to_owned(), 1_000_000)
        );
    }
}
