//! Conversations in virtual time.
