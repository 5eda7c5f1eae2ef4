//! Waits for something to become true, with a deadline that only a hang can reach.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a test waits for anything. A machine ten times slower than a contributor's laptop, with two other processes
/// on each of its cores, still meets it.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// Calls `probe` again and again until it gives a value, and returns that value.
///
/// `what` completes the sentence "waited N s for …". The pauses between two calls grow from 1 ms to 20 ms.
///
/// # Panics
/// When [`DEADLINE`] has passed: the test fails with `what`.
pub fn await_until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    await_within(DEADLINE, what, probe)
}

/// Does the same with its own deadline, for what takes long by its nature.
///
/// # Panics
/// When `deadline` has passed: the test fails with `what`.
pub fn await_within<T>(deadline: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(started.elapsed() < deadline, "waited {:.1} s for {what}", started.elapsed().as_secs_f64());
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Checks during the whole of `span` that `holds` gives no complaint; for what must not happen.
///
/// # Panics
/// At the first complaint, with its text.
pub fn assert_stays(span: Duration, mut holds: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while started.elapsed() < span {
        if let Err(complaint) = holds() {
            panic!("after {:.1} s: {complaint}", started.elapsed().as_secs_f64());
        }
        sleep(Duration::from_millis(20));
    }
}
