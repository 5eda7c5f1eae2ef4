//! libFuzzer's entry to [`ekey_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::session(data));
