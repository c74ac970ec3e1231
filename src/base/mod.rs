//! Words that every room uses: identities, deadlines, numbers, units, chance, secrets, templates.

pub mod attestation;
pub mod breaker;
pub mod calendar;
pub mod condition;
pub mod country;
pub mod deadlines;
pub mod destination;
pub mod drill;
pub mod id;
pub mod language;
pub mod master_key;
pub mod money;
pub mod network;
pub mod number;
pub mod ordered;
pub mod random;
pub mod recent;
pub mod schema;
pub mod scope;
pub mod sealed;
pub mod secret;
pub mod sum;
pub mod template;
pub mod units;
pub mod url;
pub mod zone;
