//! Secrets: a text that never prints itself.

pub use secrecy::ExposeSecret;

/// A password or key. `Debug` hides it, nothing serialises it, and it is wiped when dropped.
pub type Secret = secrecy::SecretString;
