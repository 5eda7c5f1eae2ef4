//! libFuzzer's entry to [`ekey_fuzz::config_toml`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::config_toml(data));
