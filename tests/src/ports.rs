//! Ports for programs that are told their port by number, which nobody else takes in the meantime.
//!
//! Whoever connects, or binds to port 0, is given a port of a range that is the kernel's own (ip_local_port_range, ip(7)). One of
//! those that is free now may be somebody's end of a connection when the program under test comes to listen on it. A port below
//! that range is taken only by who asks for it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports below are those of services that this machine may have.
const FIRST: u32 = 10_000;
/// Where the kernel's range begins if it does not say.
const USUAL_RANGE: u32 = 32_768;

/// A port of 127.0.0.1 on which nobody listens, another one at each call.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let kernels = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(USUAL_RANGE);
    let count = kernels.saturating_sub(FIRST);
    let mut candidates = (0..count).map(|_| {
        // Tests of another program that run beside this one begin elsewhere.
        let number = process::id().wrapping_mul(101).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + number % count).expect("it is below the kernel's range")
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.find(is_free).unwrap_or_else(any_port)
}

/// For a machine where the kernel's range is all that there is.
fn any_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("this machine has a port left");
    listener.local_addr().expect("a listener has an address").port()
}
