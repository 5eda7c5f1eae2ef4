//! Keeps keys and entropy out of swap, up to the limit of locked memory, and out of core dumps.
//!
//! Locks the pool and each private writable mapping, but takes up only the pages in use: keys lie in the threads' stacks, on the heap, in the pool,
//! and in the C library's buffers. mlockall(2) would be one call, but at the limit it makes later allocations fail, and it locks the
//! code too.
#![expect(unsafe_code, reason = "mlock2 takes an address")]

use std::fs;
use std::ptr::with_exposed_provenance_mut;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::mm::{MlockFlags, mlock_with};

/// The limit that root sets for the daemon, in bytes: more than it ever uses.
const ROOTS_LIMIT: u64 = 256 * 1024 * 1024;
/// A thread's stack, in bytes: the default of Rust's standard library.
const STACK: usize = 2 * 1024 * 1024;
/// Bytes to lock of it: the upper end, which holds the frames.
const STACK_END: usize = 256 * 1024;
/// A mapping without rights of at most this many bytes is the guard below a thread's stack.
const MOST_GUARD: usize = 64 * 1024;
/// Bytes to lock at a time where the limit is too low for all.
const PART: usize = 64 * 1024;
/// How often to try.
const ATTEMPTS: usize = 2;

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

/// Locks the present memory, and `pool` whatever its size. Call it again after starting threads or reading secrets, because their
/// memory is new. Returns what could not be locked, and what to do.
pub(super) fn lock(pool: &[u8]) -> Option<String> {
    let mut left = 0;
    // Another thread may unmap a range between listing and locking it, so only the second failure counts.
    for _ in 0..ATTEMPTS {
        left = lock_listed(pool);
        if left == 0 {
            return None;
        }
    }
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    Some(format!(
        "memory: {} kB of keys and entropy may reach swap, as the limit of locked memory is {} kB: raise it (LimitMEMLOCK in the \
         unit, or ulimit -l)",
        left.div_ceil(1024),
        limit / 1024
    ))
}

/// Returns how many bytes could not be locked.
fn lock_listed(pool: &[u8]) -> usize {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return pool.len() };
    let mut own = ranges(&maps);
    let (start, len) = (pool.as_ptr().expose_provenance(), pool.len());
    if !own.iter().any(|(other, other_len)| *other <= start && start + len <= other + other_len) {
        own.push((start, len));
    }
    // Small ranges first: if the limit is too low for all, keys matter more than the pool.
    own.sort_by_key(|(_, len)| *len);
    own.into_iter().map(|(start, len)| len - locked_of(start, len)).sum()
}

/// Locks the range, or else as much of its lower end as the limit allows: the pool fills up from there. Returns how many bytes.
fn locked_of(start: usize, len: usize) -> usize {
    if len == 0 || lock_range(start, len) {
        return len;
    }
    let parts = (0..len).step_by(PART).map(|at| (start + at, PART.min(len - at)));
    parts.take_while(|(start, len)| lock_range(*start, *len)).map(|(_, len)| len).sum()
}

/// Returns whether the range is locked.
fn lock_range(start: usize, len: usize) -> bool {
    // SAFETY: the call reads and writes no memory. The kernel rejects a range that is not mapped any more, and locking a page only
    // keeps it out of swap.
    let outcome = unsafe { mlock_with(with_exposed_provenance_mut(start), len, MlockFlags::ONFAULT) };
    outcome.inspect_err(|errno| tracing::debug!("cannot lock {len} bytes: {errno}")).is_ok()
}

/// Returns the address and length of each range to lock: all private writable memory but the lower parts of threads' stacks, which
/// are never used and would use up the limit.
///
/// `maps`: the content of /proc/self/maps, proc_pid_maps(5).
fn ranges(maps: &str) -> Vec<(usize, usize)> {
    /// Neighbours count as one, because locking a part splits a mapping.
    struct Run {
        start: usize,
        end: usize,
        is_stack: bool,
    }
    let (mut runs, mut guard): (Vec<Run>, _) = (Vec::new(), None);
    for (start, end, rights) in maps.lines().filter_map(mapping) {
        match runs.last_mut() {
            Some(run) if rights == "rw-p" && run.end == start => run.end = end,
            _ if rights == "rw-p" => runs.push(Run { start, end, is_stack: guard == Some(start) }),
            _ => {}
        }
        guard = (rights == "---p" && end - start <= MOST_GUARD).then_some(end);
    }
    let range = |run: Run| {
        let unused = STACK - STACK_END;
        let start = if run.is_stack && run.end - run.start > unused { run.start + unused } else { run.start };
        (start, run.end - start)
    };
    runs.into_iter().map(range).collect()
}

/// Returns start, end and rights of a mapping.
fn mapping(line: &str) -> Option<(usize, usize, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (start < end).then_some((start, end, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_writable_memory_is_chosen() {
        let unused = STACK - STACK_END;
        for (maps, expected) in [
            ("1000-3000 rw-p 00000000 00:00 0 [heap]", vec![(0x1000, 0x2000)]),
            ("1000-3000 rw-p 00001000 fe:00 42 /usr/sbin/ekeyd", vec![(0x1000, 0x2000)]),
            // A large mapping is locked whole, unless it is the stack of a thread, with its guard below.
            ("10000000-14000000 rw-p 00000000 00:00 0", vec![(0x1000_0000, 0x400_0000)]),
            ("1000-2000 ---p\n2000-202000 rw-p", vec![(0x2000 + unused, STACK_END)]),
            // What was locked before makes no difference.
            ("1000-2000 ---p\n2000-1c2000 rw-p\n1c2000-202000 rw-p", vec![(0x2000 + unused, STACK_END)]),
            // Other memory may follow a stack directly.
            ("1000-2000 ---p\n2000-502000 rw-p", vec![(0x2000 + unused, 0x500000 - unused)]),
            ("1000-2000 ---p\n2000-22000 rw-p", vec![(0x2000, 0x20000)]),
            ("1000-3000 ---p\n4000-204000 rw-p", vec![(0x4000, 0x200000)]),
            ("1000-3000 r-xp 00001000 fe:00 42 /usr/sbin/ekeyd", vec![]),
            ("1000-3000 rw-s 00000000 00:01 42 /memfd:x", vec![]),
            ("1000-3000 ---p 00000000 00:00 0", vec![]),
            ("3000-1000 rw-p 00000000 00:00 0", vec![]),
            ("VmFlags: rd mr mw me sd", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(ranges(maps), expected, "{maps}");
        }
    }

    #[test]
    fn a_pool_of_any_size_is_locked_whole() {
        let pool = vec![0_u8; 6 * 1024 * 1024];
        allow_locking();
        if let Some(problem) = lock(&pool) {
            let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap();
            assert!(soft < 64 * 1024 * 1024 && problem.contains("LimitMEMLOCK"), "limit {soft}: {problem}");
            return println!("this user may lock too little memory: {problem}");
        }
        let (start, end) = (pool.as_ptr().addr(), pool.as_ptr().addr() + pool.len());
        let unlocked: Vec<_> =
            unlocked_mappings().into_iter().filter(|(from, to)| *from < end && *to > start).collect();
        assert!(unlocked.is_empty(), "of {start:x}-{end:x}: {unlocked:x?}");
    }

    /// Returns start and end of every mapping that the kernel does not list as locked.
    fn unlocked_mappings() -> Vec<(usize, usize)> {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let (mut unlocked, mut here) = (Vec::new(), None);
        for line in smaps.lines() {
            here = mapping(line).map(|(start, end, _)| (start, end)).or(here);
            if let Some(flags) = line.strip_prefix("VmFlags:")
                && !flags.split_whitespace().any(|flag| flag == "lo")
            {
                unlocked.extend(here);
            }
        }
        unlocked
    }

    #[test]
    fn the_kernel_counts_what_was_locked() {
        if getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == 0) {
            return println!("this user may lock no memory");
        }
        let before = locked();
        let _fresh = std::hint::black_box(vec![1_u8; 512 * 1024]);
        lock(&[]);
        assert!(locked() > before, "{} kB locked after {before} kB", locked());
    }

    fn locked() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}
