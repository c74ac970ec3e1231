//! The target `name_addr` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| voxtrunk_fuzz::bodies::run("name_addr", octets));
