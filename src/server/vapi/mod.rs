//! What programs that were written for Vapi make and ask here, in their words.

pub mod drawer;
pub mod ledger;
pub mod making;
pub mod orders;
pub mod views;
