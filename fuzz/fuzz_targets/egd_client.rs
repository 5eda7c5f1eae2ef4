//! libFuzzer's entry to [`ekey_fuzz::egd_client`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::egd_client(data));
