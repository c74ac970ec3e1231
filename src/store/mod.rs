//! What remembers: a record of each call.
