//! The tests of the whole house, in one binary.

mod architecture;
mod fakes;
mod providers;
