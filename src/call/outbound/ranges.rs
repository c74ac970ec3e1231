//! The list of numbers that cost: read from a text that comes with the program.

use std::collections::HashMap;

/// What is the matter with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Premium rate: the called party earns.
    Premium,
    /// Shared cost: dearer than it looks.
    Shared,
    /// Satellites and networks without a country.
    Satellite,
    /// Countries that stolen lines are made to call.
    Fraud,
    /// Those who save lives.
    Emergency,
}

/// Ranges of numbers by their prefix.
#[derive(Debug, Clone, Default)]
pub struct Ranges {
    prefixes: HashMap<String, Class>,
    /// Short numbers, and the countries where they mean this; without any, everywhere.
    short: HashMap<String, Vec<String>>,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] =
        [Self::Premium, Self::Shared, Self::Satellite, Self::Fraud, Self::Emergency];

    /// Its name in settings and in the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Premium => "premium",
            Self::Shared => "shared",
            Self::Satellite => "satellite",
            Self::Fraud => "fraud",
            Self::Emergency => "emergency",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl Ranges {
    /// The list that comes with the program.
    pub fn known() -> Self {
        Self::read(include_str!("numbers.txt"))
    }

    /// Reads a list; lines that are none are left out.
    pub fn read(text: &str) -> Self {
        let mut ranges = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (Some(number), Some(class), Some(places), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Some(class) = Class::from_name(class) else { continue };
            match number.strip_prefix('=') {
                Some(short) => {
                    let places = places.split(',').filter(|place| *place != "*");
                    let places = places.map(str::to_owned).collect();
                    ranges.short.insert(short.to_owned(), places);
                }
                None => {
                    ranges.prefixes.insert(number.to_owned(), class);
                }
            }
        }
        ranges
    }

    /// What is the matter with a number in E.164, and how long the prefix is that says so.
    pub fn of(&self, number: &str) -> Option<(Class, usize)> {
        let ends = (2..=number.len().min(LONGEST)).rev();
        let mut prefixes = ends.filter_map(|end| number.get(..end));
        prefixes.find_map(|prefix| Some((*self.prefixes.get(prefix)?, prefix.len())))
    }

    /// Whether a number, as it is dialled in a country, calls those who save lives.
    pub fn is_emergency(&self, dialled: &str, country: &str) -> bool {
        let places = self.short.get(dialled);
        places.is_some_and(|all| all.is_empty() || all.iter().any(|place| place == country))
    }
}

/// No prefix in the list is longer, its plus included.
const LONGEST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        let text = include_str!("numbers.txt");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let ranges = Ranges::known();
        assert_eq!(lines.count(), ranges.prefixes.len() + ranges.short.len());
        for prefix in ranges.prefixes.keys() {
            let digits = prefix.strip_prefix('+').expect(prefix);
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{prefix}");
            assert!(prefix.len() <= LONGEST, "{prefix}");
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let ranges = Ranges::known();
        assert_eq!(ranges.of("+4990012345"), Some((Class::Premium, 6)));
        assert_eq!(ranges.of("+4971112345"), None);
        assert_eq!(ranges.of("+18765551234"), Some((Class::Fraud, 5)));
        assert_eq!(ranges.of("+12125551234"), None);
        assert_eq!(ranges.of("+8816123"), Some((Class::Satellite, 4)));
        assert!(ranges.is_emergency("110", "DE") && !ranges.is_emergency("110", "FR"));
        assert!(ranges.is_emergency("112", "US") && !ranges.is_emergency("101", "DE"));
    }
}
