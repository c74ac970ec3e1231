//! Lists of numbers: who is turned away, who goes first.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::schema::OneOrMany;
use crate::dialplan::list::one_or_many;
use crate::dialplan::pattern::Match;

/// A list as it stands under `[lists.NAME]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listed {
    /// Numbers and patterns of numbers.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub numbers: Vec<Match>,
    /// A file with one number a line, beside the dialplan file.
    pub file: Option<String>,
}

/// The numbers of a file: the first column of each line; `#` begins a remark. Gives those that are
/// none with the numbers of their lines.
pub fn in_file(text: &str) -> (Vec<Match>, Vec<(usize, String)>) {
    let (mut numbers, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let column = line.split([',', ';', '\t']).next().unwrap_or_default();
        let number = column.trim().trim_matches('"');
        // The first line may name its columns.
        let is_title = at == 0 && !number.bytes().any(|byte| byte.is_ascii_digit());
        if number.is_empty() || is_title {
            continue;
        }
        match number.parse::<Match>() {
            Ok(pattern) if pattern.list().is_none() => numbers.push(pattern),
            Ok(_) => wrong.push((at + 1, "a list cannot hold a list".to_owned())),
            Err(why) => wrong.push((at + 1, why.to_string())),
        }
    }
    (numbers, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::number::Number;
    use crate::dialplan::pattern::NumberList;

    #[test]
    fn a_list_knows_numbers_however_they_are_dialled() {
        let (numbers, wrong) =
            in_file("number,name\n+49 170 1234567,Anna\n# nobody\n\n\"+4930*\";Berlin\n101\n");
        assert!(wrong.is_empty(), "{wrong:?}");
        let mut list = NumberList::default();
        numbers.into_iter().for_each(|number| list.add(number));
        assert_eq!((list.len(), format!("{list:?}")), (3, "3 numbers".to_owned()));
        let holds = |dialled: &str| list.holds(dialled, Number::from_dialled(dialled).as_ref());
        for dialled in ["+491701234567", "0049 170 1234567", "+4930123", "101"] {
            assert!(holds(dialled), "{dialled}");
        }
        for dialled in ["+491701234568", "102", ""] {
            assert!(!holds(dialled), "{dialled}");
        }
    }

    #[test]
    fn lines_that_hold_no_number_are_told() {
        let (numbers, wrong) = in_file("+4930\nlist:vip\n_[x\n");
        let lines: Vec<usize> = wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!((numbers.len(), lines), (1, vec![2, 3]));
    }
}
