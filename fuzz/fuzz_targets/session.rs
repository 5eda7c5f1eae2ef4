//! libFuzzer's front of [`ekey_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::session(data));
