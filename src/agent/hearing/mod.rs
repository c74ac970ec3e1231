//! Hearing: what a transcript means when a value is wanted.

pub mod value;
pub mod when;

pub mod digits;
pub mod spelling;

pub mod account;
pub mod amount;
pub mod date;
pub mod duration;
pub mod email;
pub mod name;
pub mod number;
pub mod phone;
pub mod postcode;
pub mod time;
pub mod yes_no;

pub mod collect;
pub mod hear;
pub mod read_back;
pub mod shape;
