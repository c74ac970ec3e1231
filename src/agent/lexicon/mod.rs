//! The words that saying and hearing share, English and German: numbers, letters, money, units.

pub mod locale;

pub mod cardinal;
pub mod ordinal;

pub mod alphabet;
pub mod currency;
pub mod measure;

pub mod account;
