//! Which packets of a stream were here, and which index a sequence number stands for.

/// The last 128 indices.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    highest: Option<u64>,
    /// Bit n stands for `highest - n`.
    seen: u128,
}

impl Window {
    /// The highest index so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether an index was not here yet and is not too old to know.
    pub fn is_new(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < u64::from(u128::BITS) && self.seen & (1 << behind) == 0,
        }
    }

    /// Notes an index whose packet was authentic.
    pub fn note(&mut self, index: u64) {
        let highest = *self.highest.get_or_insert(index);
        if let Some(behind) = highest.checked_sub(index) {
            self.seen |=
                u32::try_from(behind).ok().and_then(|it| 1_u128.checked_shl(it)).unwrap_or(0);
            return;
        }
        let ahead = u32::try_from(index - highest).unwrap_or(u32::MAX);
        self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
        self.highest = Some(index);
    }
}

/// The index nearest to `highest` whose last 16 bits are `sequence` (RFC 3711 3.3.1); `None` when
/// that would be before the first.
pub fn guess(highest: u64, sequence: u16) -> Option<u64> {
    let ahead = sequence.wrapping_sub(highest as u16);
    if ahead < 1 << 15 {
        highest.checked_add(u64::from(ahead))
    } else {
        highest.checked_sub(u64::from(ahead.wrapping_neg()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_new_once_and_within_the_window() {
        let mut window = Window::default();
        for index in [1_000, 1_001, 1_100, 1_050] {
            assert!(window.is_new(index));
            window.note(index);
            assert!(!window.is_new(index));
        }
        assert!(window.is_new(973));
        assert!(!window.is_new(972));
        window.note(10_000);
        assert!(!window.is_new(1_100));
        assert!(window.is_new(9_873));
    }

    #[test]
    fn the_nearest_index_is_guessed_over_the_wrap() {
        assert_eq!(guess(0xffff, 0), Some(0x1_0000));
        assert_eq!(guess(0x1_0002, 0xfffe), Some(0xfffe));
        assert_eq!(guess(0x2_8000, 0x8001), Some(0x2_8001));
        assert_eq!(guess(0x2_8000, 0x0000), Some(0x2_0000));
        assert_eq!(guess(0x2_7fff, 0xffff), Some(0x1_ffff));
        assert_eq!(guess(5, 0xffff), None);
    }
}
