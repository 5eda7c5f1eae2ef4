//! libFuzzer's entry to [`ekey_fuzz::usbip`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ekey_fuzz::usbip(data));
