//! libFuzzer's entry to [`ekey_fuzz::daemon`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: ekey_fuzz::become_the_daemon(), |data: &[u8]| ekey_fuzz::daemon(data));
