//! The tests of the whole house, in one binary.

mod architecture;
mod calls;
mod fakes;
mod fuzzing;
mod providers;
mod wire;
