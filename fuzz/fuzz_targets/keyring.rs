//! libFuzzer's entry to [`ekey_fuzz::keyring`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::keyring(data));
