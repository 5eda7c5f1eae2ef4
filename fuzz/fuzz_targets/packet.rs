//! libFuzzer's entry to [`ekey_fuzz::packet`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::packet(data));
