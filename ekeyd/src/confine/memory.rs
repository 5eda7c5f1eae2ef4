//! Keeps keys and entropy out of swap, up to the limit of locked memory, and out of core dumps.
//!
//! Locks each private writable mapping, and of it only the pages in use: keys lie in the threads' stacks, on the heap, in the pool,
//! and in the C library's buffers. mlockall(2) would be one call, but at the limit it makes later allocations fail, and it locks the
//! code too.
#![expect(unsafe_code, reason = "mlock2 takes an address")]

use std::fs;
use std::ptr::with_exposed_provenance_mut;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::mm::{MlockFlags, mlock_with};

/// The limit that root sets for the daemon, in bytes: more than it ever uses.
const ROOTS_LIMIT: u64 = 256 * 1024 * 1024;
/// A mapping of at least this many bytes is a thread's stack, or a large pool.
const STACK: usize = 2 * 1024 * 1024;
/// Bytes to lock of such a stack: the upper end, which holds the frames.
const STACK_END: usize = 256 * 1024;

/// Raises the limit of locked memory as far as the system allows.
pub(super) fn allow_locking() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK) else { return };
    let roots = soft.max(ROOTS_LIMIT);
    if setrlimit(Resource::RLIMIT_MEMLOCK, roots, hard.max(roots)).is_err() {
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, hard.min(roots), hard);
    }
}

/// Sets the limit of core dumps to zero.
pub(super) fn forbid_core_dumps() {
    if let Err(errno) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("cannot forbid core dumps: {errno}");
    }
}

/// Locks the present memory. Call it again after starting threads, because their memory is new.
pub(super) fn lock() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let mut own: Vec<(usize, usize)> = maps.lines().filter_map(own).collect();
    // Small mappings first: if the limit is too low for all, keys matter more than the pool.
    own.sort_by_key(|(_, len)| *len);
    for (start, len) in own {
        // SAFETY: the call reads and writes no memory. The kernel rejects a range that is not mapped any more, and locking a page
        // only keeps it out of swap.
        let outcome = unsafe { mlock_with(with_exposed_provenance_mut(start), len, MlockFlags::ONFAULT) };
        if let Err(errno) = outcome {
            // Expected at a low limit; the status shows how much is locked.
            tracing::debug!("cannot lock {len} bytes: {errno}");
        }
    }
}

/// Returns the address and length to lock of a private writable mapping, `None` for any other mapping.
///
/// `line`: a line of /proc/self/maps, proc_pid_maps(5).
fn own(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let (len, rights) = (end.checked_sub(start)?, words.next()?);
    let is_stack = len >= STACK;
    (rights == "rw-p").then(|| if is_stack { (end - STACK_END, STACK_END) } else { (start, len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_writable_memory_is_chosen() {
        for (line, expected) in [
            ("1000-3000 rw-p 00000000 00:00 0 [heap]", Some((0x1000, 0x2000))),
            ("1000-3000 rw-p 00001000 fe:00 42 /usr/sbin/ekeyd", Some((0x1000, 0x2000))),
            ("10000000-10200000 rw-p 00000000 00:00 0", Some((0x1020_0000 - STACK_END, STACK_END))),
            ("1000-3000 r-xp 00001000 fe:00 42 /usr/sbin/ekeyd", None),
            ("1000-3000 rw-s 00000000 00:01 42 /memfd:x", None),
            ("1000-3000 ---p 00000000 00:00 0", None),
            ("3000-1000 rw-p 00000000 00:00 0", None),
            ("VmFlags: rd mr mw me sd", None),
            ("", None),
        ] {
            assert_eq!(own(line), expected, "{line}");
        }
    }

    #[test]
    fn the_kernel_counts_what_was_locked() {
        if getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == 0) {
            return println!("this user may lock no memory");
        }
        let before = locked();
        let _fresh = std::hint::black_box(vec![1_u8; 512 * 1024]);
        lock();
        assert!(locked() > before, "{} kB locked after {before} kB", locked());
    }

    fn locked() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}
