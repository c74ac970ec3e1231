//! Money: signs, codes (ISO 4217) and names of currencies.

use super::cardinal;
use super::locale::Locale;

/// A currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    /// ISO 4217: `EUR`.
    pub code: &'static str,
    /// Signs in texts; may be none.
    pub signs: &'static [&'static str],
    /// English: one, many; a part, parts.
    english: [&'static str; 4],
    /// German: one, many; a part, parts.
    german: [&'static str; 4],
    /// Whether German counts it as feminine.
    feminine: bool,
}

impl Currency {
    /// The currency with this sign or code.
    pub fn written(text: &str) -> Option<&'static Self> {
        CURRENCIES.iter().find(|it| it.code == text || it.signs.contains(&text))
    }

    /// The currency that a plain word names, in either language.
    pub fn named(word: &str) -> Option<&'static Self> {
        CURRENCIES.iter().find(|it| it.is_named([0, 1], word))
    }

    /// The currencies whose hundredth part a plain word names: the euro first for "cent".
    pub fn parts_named(word: &str) -> Option<&'static Self> {
        CURRENCIES.iter().find(|it| it.is_named([2, 3], word))
    }

    fn is_named(&self, places: [usize; 2], word: &str) -> bool {
        let names = places.into_iter().flat_map(|at| [self.english[at], self.german[at]]);
        names.filter(|name| !name.is_empty()).any(|name| name.to_lowercase() == word)
    }

    /// Whether it has hundredths.
    pub fn has_parts(&self) -> bool {
        !self.english[2].is_empty()
    }

    /// Its name for so many of it.
    pub fn name(&self, count: u64, locale: Locale) -> &'static str {
        let names = locale.pick(&self.english, &self.german);
        if count == 1 { names[0] } else { names[1] }
    }

    /// Says an amount: `three dollars and fifty cents`, `drei Euro fünfzig`.
    pub fn said(&self, whole: u64, parts: u64, locale: Locale) -> String {
        let names = locale.pick(&self.english, &self.german);
        let count =
            |number: u64, feminine: bool| cardinal::counting(number, feminine, locale.tongue);
        let hundredths =
            || format!("{} {}", count(parts, false), names[usize::from(parts != 1) + 2]);
        if parts > 0 && whole == 0 {
            return hundredths();
        }
        let said = format!("{} {}", count(whole, self.feminine), self.name(whole, locale));
        match parts {
            0 => said,
            _ if locale.is_german() => {
                format!("{said} {}", cardinal::spell(parts, locale.tongue))
            }
            _ => format!("{said} and {}", hundredths()),
        }
    }
}

const CURRENCIES: &[Currency] = &[
    Currency {
        code: "EUR",
        signs: &["€"],
        english: ["euro", "euros", "cent", "cents"],
        german: ["Euro", "Euro", "Cent", "Cent"],
        feminine: false,
    },
    Currency {
        code: "USD",
        signs: &["$", "US$"],
        english: ["dollar", "dollars", "cent", "cents"],
        german: ["Dollar", "Dollar", "Cent", "Cent"],
        feminine: false,
    },
    Currency {
        code: "GBP",
        signs: &["£"],
        english: ["pound", "pounds", "penny", "pence"],
        german: ["Pfund", "Pfund", "Penny", "Pence"],
        feminine: false,
    },
    Currency {
        code: "CHF",
        signs: &["SFr.", "SFr"],
        english: ["Swiss franc", "Swiss francs", "centime", "centimes"],
        german: ["Franken", "Franken", "Rappen", "Rappen"],
        feminine: false,
    },
    Currency {
        code: "JPY",
        signs: &["¥"],
        english: ["yen", "yen", "", ""],
        german: ["Yen", "Yen", "", ""],
        feminine: false,
    },
    Currency {
        code: "PLN",
        signs: &["zł"],
        english: ["zloty", "zlotys", "grosz", "groszy"],
        german: ["Zloty", "Zloty", "Groschen", "Groschen"],
        feminine: false,
    },
    Currency {
        code: "CZK",
        signs: &["Kč"],
        english: ["Czech crown", "Czech crowns", "haler", "halers"],
        german: ["tschechische Krone", "tschechische Kronen", "Heller", "Heller"],
        feminine: true,
    },
    Currency {
        code: "SEK",
        signs: &[],
        english: ["Swedish crown", "Swedish crowns", "ore", "ore"],
        german: ["schwedische Krone", "schwedische Kronen", "Öre", "Öre"],
        feminine: true,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_as_at_a_counter() {
        let (english, german) = (Locale::american(), Locale::german());
        for (sign, whole, parts, said_english, said_german) in [
            ("€", 3, 50, "three euros and fifty cents", "drei Euro fünfzig"),
            ("$", 1, 1, "one dollar and one cent", "ein Dollar eins"),
            ("EUR", 0, 99, "ninety nine cents", "neunundneunzig Cent"),
            ("CHF", 20, 0, "twenty Swiss francs", "zwanzig Franken"),
            ("£", 0, 1, "one penny", "ein Penny"),
            ("CZK", 1, 0, "one Czech crown", "eine tschechische Krone"),
        ] {
            let currency = Currency::written(sign).expect(sign);
            assert_eq!(currency.said(whole, parts, english), said_english);
            assert_eq!(currency.said(whole, parts, german), said_german);
        }
        assert_eq!(Currency::named("franken").map(|it| it.code), Some("CHF"));
        assert_eq!(Currency::named("cent").map(|it| it.code), None);
        assert_eq!(Currency::parts_named("cent").map(|it| it.code), Some("EUR"));
    }
}
