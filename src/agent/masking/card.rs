//! Numbers of payment cards: by their first digits, their length and the Luhn sum (ISO/IEC 7812);
//! without the sum where somebody says that it is one.

use std::ops::Range;

use super::run::Run;
use super::sheet::Sheet;
use super::topic::Topic;
use crate::agent::lexicon::account;

/// The pieces of all that is the number of a card, or its code.
pub fn found(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    sheet.runs.iter().flat_map(|run| in_run(run, sheet)).collect()
}

fn in_run(run: &Run, sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < run.elements.len() && !run.plus {
        let Some(end) = begins_at(run, at, sheet) else {
            at += 1;
            continue;
        };
        // Behind the number, in the same breath, come the month in which it expires and its code.
        let behind = (end..run.elements.len()).take_while(|at| !sheet.begins_line(run, *at));
        let count = behind.count();
        let rest: usize = run.elements.iter().skip(end).take(count).map(|it| it.digits.len()).sum();
        let end = if rest <= MOST_BEHIND { end + count } else { end };
        found.extend(sheet.span_of(run, at..end));
        at = end;
    }
    if found.is_empty() && is_said_to_be_one(run, sheet) {
        found.push(run.pieces());
    }
    found
}

/// Where a number ends that begins at an element.
fn begins_at(run: &Run, at: usize, sheet: &Sheet<'_>) -> Option<usize> {
    let element = run.elements.get(at)?;
    if element.digits.len() > LONGEST {
        let heads = (SHORTEST..=LONGEST).filter_map(|length| element.digits.get(..length));
        return heads.into_iter().any(is_card).then_some(at + 1);
    }
    let (mut best, mut length) = (None, 0);
    for end in at + 1..=run.elements.len() {
        length += run.elements.get(end - 1).map_or(0, |it| it.digits.len().min(99));
        if length > LONGEST + 6 {
            break;
        }
        if run.readings(at..end).iter().any(|digits| is_card(digits)) {
            best = Some(end);
        }
    }
    let end = best?;
    // Where nothing says that it begins here, it goes on to the end.
    let behind: usize = run.elements.iter().skip(end).map(|it| it.digits.len()).sum();
    let begins = at == 0 || element.digits.len() >= 4 || sheet.begins_line(run, at);
    (begins || behind <= MOST_BEHIND).then_some(end)
}

/// Whether these digits are the number of a card of one of the large schemes.
pub fn is_card(digits: &str) -> bool {
    let head = |length: usize| digits.get(..length).and_then(|head| head.parse::<u32>().ok());
    let (Some(two), Some(four)) = (head(2), head(4)) else { return false };
    let fits = match (two, four) {
        (40..=49, _) => matches!(digits.len(), 16 | 19),
        (51..=55, _) | (_, 2221..=2720) => digits.len() == 16,
        (34 | 37, _) => digits.len() == 15,
        (36 | 38 | 39, _) | (_, 3000..=3059) => digits.len() == 14,
        (35 | 62 | 64 | 65, _) | (_, 6011) => (16..=19).contains(&digits.len()),
        (50 | 56..=58 | 63 | 67, _) => (13..=19).contains(&digits.len()),
        _ => false,
    };
    fits && account::luhn(digits)
}

/// Whether somebody says that it is one, even where a digit was misheard or is missing.
fn is_said_to_be_one(run: &Run, sheet: &Sheet<'_>) -> bool {
    let (at, length) = (run.pieces().start, run.digits().len());
    let code = || (3..=4).contains(&length) && sheet.is_about(Topic::CardCode, at, NEAR);
    let number = || length >= SAID && sheet.is_about(Topic::Card, at, FAR);
    (code() || number()) && !sheet.is_amount(run)
}

const SHORTEST: usize = 13;
const LONGEST: usize = 19;
/// A month, a year and a code: digits that belong to a card and stand behind it.
const MOST_BEHIND: usize = 9;
/// So many digits behind "card number" are a part of it.
const SAID: usize = 6;
const NEAR: usize = 6;
const FAR: usize = 14;
