//! Memory for guests: as many tests run at a time as the machine has processors, and guests have up to 2 GiB each. A
//! guest waits until the machine has memory for it.

use std::fs;
use std::sync::{Condvar, Mutex, PoisonError};

/// MiB of the running guests together.
static TAKEN: Mutex<u64> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The memory of a guest, released when dropped. A test that holds one must not wait for another.
pub(super) struct Room(u64);

impl Room {
    /// Waits until this guest and the running ones take at most half of the machine's memory, or none runs.
    pub(super) fn take(mib: u32) -> Self {
        let (own, all) = (u64::from(mib), machines_mib() / 2);
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = FREED.wait_while(taken, |taken| *taken > 0 && *taken + own > all);
        *waited.unwrap_or_else(PoisonError::into_inner) += own;
        Self(own)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}

fn machines_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(4096, |kib| kib / 1024)
}
