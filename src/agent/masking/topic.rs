//! Topics: words that tell what a number is, before it is complete and where it has no check.

use super::piece::Piece;

/// What numbers are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A payment card.
    Card,
    /// The code on its back.
    CardCode,
    /// An account.
    Account,
    /// A telephone.
    Phone,
    /// When somebody was born.
    Birth,
    /// An e-mail address.
    Email,
}

impl Topic {
    /// Whether these pieces name it, and where at last.
    pub fn named(self, pieces: &[Piece]) -> Option<usize> {
        let words: Vec<&str> = pieces.iter().map(|piece| piece.word.as_str()).collect();
        let says = |at: usize, phrase: &str| {
            let rest = words.get(at..).unwrap_or_default();
            let parts = phrase.split(' ').count();
            rest.len() >= parts && phrase.split(' ').zip(rest).all(|(part, word)| part == *word)
        };
        (0..words.len()).rev().find(|at| self.phrases().iter().any(|phrase| says(*at, phrase)))
    }

    fn phrases(self) -> &'static [&'static str] {
        match self {
            Self::Card => &CARD,
            Self::CardCode => &CARD_CODE,
            Self::Account => &ACCOUNT,
            Self::Phone => &PHONE,
            Self::Birth => &BIRTH,
            Self::Email => &EMAIL,
        }
    }
}

const CARD: [&str; 14] = [
    "card number",
    "credit card",
    "debit card",
    "payment card",
    "visa",
    "mastercard",
    "amex",
    "american express",
    "kreditkarte",
    "kreditkartennummer",
    "kartennummer",
    "bankkarte",
    "nummer der karte",
    "nummer meiner karte",
];

const CARD_CODE: [&str; 11] = [
    "cvc",
    "cvv",
    "cvc2",
    "cvv2",
    "security code",
    "prüfziffer",
    "prüfziffern",
    "prüfnummer",
    "kartenprüfnummer",
    "sicherheitscode",
    "sicherheitsnummer",
];

const ACCOUNT: [&str; 5] = ["iban", "i ban", "account number", "kontonummer", "bankverbindung"];

const PHONE: [&str; 29] = [
    "phone",
    "phone number",
    "telephone",
    "mobile",
    "mobile number",
    "cell",
    "cellphone",
    "landline",
    "callback number",
    "call me",
    "call back",
    "reach me",
    "reach you",
    "telefon",
    "telefonnummer",
    "handy",
    "handynummer",
    "mobil",
    "mobilnummer",
    "mobilfunknummer",
    "rufnummer",
    "rückrufnummer",
    "festnetz",
    "festnetznummer",
    "zurückrufen",
    "anrufen",
    "erreichen",
    "erreichbar",
    "erreicht",
];

const BIRTH: [&str; 11] = [
    "born",
    "birth",
    "birthday",
    "birthdate",
    "dob",
    "geboren",
    "geburtsdatum",
    "geburtstag",
    "geburtstage",
    "geburtsjahr",
    "geb",
];

const EMAIL: [&str; 8] = [
    "mail",
    "email",
    "e mail",
    "address",
    "adresse",
    "mailadresse",
    "emailadresse",
    "e mailadresse",
];
