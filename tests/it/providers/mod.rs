//! Providers against their protocols.

mod openai_compatible;
