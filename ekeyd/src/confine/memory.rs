//! The memory that keys and entropy are in: never written to swap as far as the limit of locked memory goes, and in no core dump.
//!
//! All memory of the process that is its own and can be written is locked, mapping by mapping, and only the pages that are used:
//! keys are in the stacks of threads, on the heap and in the pool, and in what the C library keeps of them. mlockall(2) would be
//! one call, but with a limit it makes later allocations fail, and it keeps the code resident.
#![expect(unsafe_code, reason = "mlock2 takes an address")]

use std::fs;
use std::ptr::with_exposed_provenance_mut;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::mm::{MlockFlags, mlock_with};

/// What root allows its daemon to lock, in bytes: more than it will ever have.
const ROOTS_LIMIT: u64 = 256 * 1024 * 1024;
/// A mapping of at least this size is a thread's stack, or a pool that was configured large.
const STACK: usize = 2 * 1024 * 1024;
/// How much of such a stack is locked: its upper end, where its frames are.
const STACK_END: usize = 256 * 1024;

/// Raises the limit of locked memory as far as it goes.
pub(super) fn allow_locking() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK) else { return };
    let roots = soft.max(ROOTS_LIMIT);
    if setrlimit(Resource::RLIMIT_MEMLOCK, roots, hard.max(roots)).is_err() {
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, hard.min(roots), hard);
    }
}

/// No core dump is written, nor handed to a program that collects them.
pub(super) fn forbid_core_dumps() {
    if let Err(errno) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::warn!("cannot forbid core dumps: {errno}");
    }
}

/// Locks what there is. To be repeated after threads were started, whose memory is new.
pub(super) fn lock() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let mut own: Vec<(usize, usize)> = maps.lines().filter_map(own).collect();
    // Where the limit does not let all be locked, the small ones go first: the pool's bytes are worth less than keys.
    own.sort_by_key(|(_, len)| *len);
    for (start, len) in own {
        // SAFETY: nothing is read or written; the kernel refuses what is not mapped (any more), and a page that is locked
        // differs from others only in that it is not written to swap.
        let outcome = unsafe { mlock_with(with_exposed_provenance_mut(start), len, MlockFlags::ONFAULT) };
        if let Err(errno) = outcome {
            // Expected where the limit is small; the status says how much is locked.
            tracing::debug!("cannot lock {len} bytes: {errno}");
        }
    }
}

/// The address and length of what is to be locked of a mapping, if it is private, can be written and is of no file, save the
/// program's own variables.
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
    fn what_is_ones_own_and_can_be_written_is_locked_and_of_a_threads_stack_the_end_that_is_used() {
        for (line, due) in [
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
            assert_eq!(own(line), due, "{line}");
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
