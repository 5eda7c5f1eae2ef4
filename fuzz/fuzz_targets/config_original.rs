//! libFuzzer's entry to [`ekey_fuzz::config_original`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::config_original(data));
