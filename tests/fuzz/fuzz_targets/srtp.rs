//! The target `srtp` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| voxtrunk_fuzz::bodies::run("srtp", octets));
