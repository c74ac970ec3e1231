//! The door: the command line of voxtrunk.

fn main() {}
