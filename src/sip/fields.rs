//! Where the header lines of a message stand, and which of them bear a name: found once, as the
//! message is read, so that nobody searches all lines for one.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use smallvec::SmallVec;

use super::header::Name;

/// The header lines of a message in order.
#[derive(Clone)]
pub(super) struct Fields {
    /// As many as a phone usually sends need no memory of their own.
    lines: SmallVec<[FieldSpan; 20]>,
    reaches: [Reach; Name::COUNT],
}

/// Octets `start..end` of the message, which is shorter than 64 KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) end: u16,
}

/// One header line: its name, and where the octets of both halves are.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldSpan {
    pub(super) name: Name,
    pub(super) text: Span,
    pub(super) value: Span,
}

/// From the first to the last line of a name; lines of other names may stand between them.
#[derive(Debug, Clone, Copy)]
struct Reach {
    first: u8,
    last: u8,
}

impl Reach {
    /// No line bears the name.
    const NONE: Self = Self { first: u8::MAX, last: 0 };
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { lines: SmallVec::new(), reaches: [Reach::NONE; Name::COUNT] }
    }

    /// Adds a line. There are at most `parse::MOST_HEADERS`, fewer than 255.
    #[inline]
    pub(super) fn push(&mut self, line: FieldSpan) {
        let place = u8::try_from(self.lines.len()).unwrap_or(u8::MAX);
        if let Some(reach) = self.reaches.get_mut(line.name.index()) {
            *reach = Reach { first: reach.first.min(place), last: place };
        }
        self.lines.push(line);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FieldSpan> {
        self.lines.iter()
    }

    /// Those of a name.
    #[inline]
    pub(super) fn of(&self, name: Name) -> impl Iterator<Item = &FieldSpan> {
        let reach = self.reaches.get(name.index()).copied().unwrap_or(Reach::NONE);
        let reach = usize::from(reach.first)..usize::from(reach.last).saturating_add(1);
        let lines = self.lines.get(reach).unwrap_or_default();
        lines.iter().filter(move |line| line.name == name)
    }
}

impl Span {
    /// The octets from `start` to `end`, both at most `parse::MOST_OCTETS`.
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u16, end: end as u16 }
    }

    pub(super) fn length(self) -> u16 {
        self.end.saturating_sub(self.start)
    }

    /// The octets of the message that it means.
    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}
