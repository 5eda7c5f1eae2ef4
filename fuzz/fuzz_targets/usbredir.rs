//! libFuzzer's entry to [`ekey_fuzz::usbredir`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::usbredir(data));
