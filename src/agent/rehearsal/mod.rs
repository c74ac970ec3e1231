//! The rehearsal: whole conversations in virtual time, without a telephone.

mod conversations;
mod foresight;
mod keys;
mod last_words;
mod manners;
mod ordeal;
mod resumed;
mod stage;
mod turn_model;
mod values;
