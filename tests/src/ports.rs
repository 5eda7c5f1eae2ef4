//! Ports for programs that need a fixed port number, which no other program takes in the meantime.
//!
//! A connection, or a socket bound to port 0, gets a port of the kernel's own range (ip_local_port_range, ip(7)). A
//! free port of that range may be taken when the program under test comes to listen. A port below that range is taken
//! only by a program that asks for it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports below this one belong to services that this machine may have.
const FIRST: u32 = 10_000;
/// Where the kernel's range begins if it does not say.
const USUAL_RANGE: u32 = 32_768;

/// Returns a free port of 127.0.0.1, a different one at each call.
///
/// # Panics
/// When the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let kernels = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(USUAL_RANGE);
    let count = kernels.saturating_sub(FIRST);
    let mut candidates = (0..count).map(|_| {
        // Tests of another program that run at the same time begin elsewhere.
        let number = process::id().wrapping_mul(101).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + number % count).expect("it is below the kernel's range")
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.find(is_free).unwrap_or_else(any_port)
}

/// Returns a port for a machine whose kernel range leaves no other.
fn any_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("this machine has a free port");
    listener.local_addr().expect("a listener has an address").port()
}
