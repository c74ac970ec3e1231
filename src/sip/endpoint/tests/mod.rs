//! The endpoint's cases and laws, in virtual time.

mod calls;
mod cancel;
mod carrying;
mod guests;
mod inside;
mod laws;
mod link;
mod offers;
mod proving;
mod raw;
mod refer;
mod refusals;
mod reliable;
mod replaces;
mod subscribing;
mod texting;
mod timers;
mod weather;
