//! What calls are for that a test cannot see on one machine: it skips lines with these words.

/// Another machine.
pub(super) const ELSEWHERE: &str = "only on other machines: another C library, kernel or network";
/// An event that a test does not cause.
pub(super) const RARELY: &str =
    "only sometimes: large buffers, short or interrupted waits, a crash, a pid file that must stay";
/// A real key; the tests in a guest have one.
pub(super) const ON_USB: &str = "a key on USB";
