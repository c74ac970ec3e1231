//! Telephone numbers: as they are dialled in the country of the call and from it; shorter ones
//! where somebody says that it is one.

use std::ops::Range;

use super::run::Run;
use super::sheet::Sheet;
use super::topic::Topic;
use crate::agent::hearing::phone;

/// The pieces of all that is a telephone number.
pub fn found(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    sheet.runs.iter().filter_map(|run| in_run(run, sheet)).collect()
}

fn in_run(run: &Run, sheet: &Sheet<'_>) -> Option<Range<usize>> {
    let pieces = run.pieces();
    let length = run.digits().len();
    let is_said = sheet.is_about(Topic::Phone, pieces.start, FAR);
    if is_said && (SAID..=LONGEST + 2).contains(&length) && !sheet.is_amount(run) {
        return Some(pieces);
    }
    let starts = |at: &usize| sheet.begins_line(run, *at);
    let begin = (0..run.elements.len()).filter(starts).find(|at| {
        let plus = run.plus && *at == 0;
        let readings = run.readings(*at..run.elements.len());
        readings.iter().any(|digits| is_number(digits, plus, sheet))
    })?;
    if begin == 0 { Some(pieces) } else { sheet.span_of(run, begin..run.elements.len()) }
}

/// Whether these digits are dialled.
fn is_number(digits: &str, plus: bool, sheet: &Sheet<'_>) -> bool {
    let country = &sheet.terms.country;
    let international = plus || digits.starts_with(country.international_prefix);
    let fits = match country.national_prefix {
        _ if international => digits.len() > SHORTEST,
        "0" => digits.starts_with('0') && digits.len() >= SHORTEST && !is_day(digits),
        _ => is_american(digits),
    };
    fits && phone::judged(digits, plus, country).is_ok()
}

/// `12031985`, `03042026`.
fn is_day(digits: &str) -> bool {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|it| it.parse::<u32>().ok());
    digits.len() == 8
        && part(0, 2).is_some_and(|day| (1..=31).contains(&day))
        && part(2, 4).is_some_and(|month| (1..=12).contains(&month))
        && part(4, 8).is_some_and(|year| (1900..=2100).contains(&year))
}

/// Ten digits of which the first and the fourth are none and no one (the North American plan).
fn is_american(digits: &str) -> bool {
    let digits = if digits.len() == 11 { digits.strip_prefix('1') } else { Some(digits) };
    let high = |at: usize| digits.and_then(|it| it.as_bytes().get(at)).is_some_and(|b| *b > b'1');
    digits.is_some_and(|digits| digits.len() == 10) && high(0) && high(3)
}

const SHORTEST: usize = 8;
const LONGEST: usize = 15;
/// So many digits behind "my telephone number" are one.
const SAID: usize = 5;
const FAR: usize = 10;
