//! Signatures of calls: certificates of those who sign, and our own key.

pub mod authorities;
pub mod credential;
pub mod key;
mod list;

#[cfg(test)]
mod tests;
