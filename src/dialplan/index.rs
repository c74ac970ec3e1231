//! Which routes a number called may take, found without a look at all of them.

use std::collections::HashMap;

use crate::dialplan::pattern::{Dialled, Match};

/// The places of routes by the number called.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index {
    /// Routes that name single numbers only.
    exact: HashMap<String, Vec<usize>>,
    /// All others.
    rest: Vec<usize>,
}

impl Index {
    /// Makes the index of routes by what each wants of the number called.
    pub fn of<'a>(wanted: impl Iterator<Item = &'a [Match]>) -> Self {
        let mut index = Self::default();
        for (at, patterns) in wanted.enumerate() {
            let numbers: Option<Vec<&str>> = patterns.iter().map(Match::exact).collect();
            match numbers.filter(|numbers| !numbers.is_empty()) {
                Some(numbers) => {
                    for number in numbers {
                        let places = index.exact.entry(number.to_owned()).or_default();
                        if places.last() != Some(&at) {
                            places.push(at);
                        }
                    }
                }
                None => index.rest.push(at),
            }
        }
        index
    }

    /// The places of the routes that do not name single numbers only.
    pub fn rest(&self) -> &[usize] {
        &self.rest
    }

    /// The places of the routes that may take a number, in their order.
    pub fn places(&self, dialled: &Dialled<'_>) -> impl Iterator<Item = usize> {
        let named = |text: &str| self.exact.get(text).map(Vec::as_slice).unwrap_or_default();
        let by_number = dialled.number.as_ref().map(|it| named(it.to_e164())).unwrap_or_default();
        let by_text = named(dialled.text);
        let mut lists = [by_number, by_text, self.rest.as_slice()];
        std::iter::from_fn(move || {
            let first = lists.iter().filter_map(|list| list.first()).min().copied()?;
            for list in &mut lists {
                *list = list.strip_prefix(&[first]).unwrap_or(list);
            }
            Some(first)
        })
    }
}
