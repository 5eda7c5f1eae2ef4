//! Reads back what is in force: from proc(5), and for landlock by trying a forbidden access.

use std::fs::{self, File};
use std::io;

use ekey_control::status::{ConfinementStatus, HeldCapability};
use rustix::process::{DumpableBehavior, dumpable_behavior};
use rustix::thread::CapabilitySet;

/// Reads the state of this process. `landlock` is the version that was applied, 0 for none.
pub(super) fn read_back(landlock: u32) -> ConfinementStatus {
    let threads: Vec<Thread> = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Thread::read(&fs::read_to_string(entry.path().join("status")).ok()?))
        .collect();
    let all = |holds: fn(&Thread) -> bool| !threads.is_empty() && threads.iter().all(holds);
    let held = threads.iter().fold(CapabilitySet::empty(), |held, thread| held | thread.capabilities);
    ConfinementStatus {
        // The caller fills it in: it looks the name up once, because that takes much of the C library.
        user: String::new(),
        no_new_privs: all(|thread| thread.no_new_privs),
        // The resource limit alone does not stop dumps to a collecting program, core(5).
        core_dumps: dumpable_behavior() != Ok(DumpableBehavior::NotDumpable),
        filter: all(|thread| thread.is_filtered),
        landlock: if is_refused() { landlock } else { 0 },
        threads: threads.len() as u64,
        capabilities: held
            .iter_names()
            .map(|(name, one)| HeldCapability {
                name: format!("CAP_{name}"),
                threads: threads.iter().filter(|thread| thread.capabilities.contains(one)).count() as u64,
            })
            .collect(),
        locked_bytes: threads.first().map_or(0, |thread| thread.locked_bytes),
        problems: Vec::new(),
    }
}

/// Holds what proc(5) reports of one thread.
struct Thread {
    no_new_privs: bool,
    is_filtered: bool,
    capabilities: CapabilitySet,
    /// Of the whole process.
    locked_bytes: u64,
}

impl Thread {
    fn read(status: &str) -> Option<Self> {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let locked: u64 = field("VmLck")?.trim_end_matches(" kB").trim().parse().ok()?;
        Some(Self {
            no_new_privs: field("NoNewPrivs") == Some("1"),
            // 2 is SECCOMP_MODE_FILTER.
            is_filtered: field("Seccomp") == Some("2"),
            capabilities: CapabilitySet::from_bits_retain(u64::from_str_radix(field("CapEff")?, 16).ok()?),
            locked_bytes: locked * 1024,
        })
    }
}

/// Returns whether this process cannot even list the root folder, which file modes leave open to all.
fn is_refused() -> bool {
    File::open("/").is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_status_file_is_parsed() {
        let status = "Name:\tekeyd\nVmLck:\t    1384 kB\nCapEff:\t0000000000200000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let thread = Thread::read(status).unwrap();
        assert!(thread.no_new_privs && thread.is_filtered);
        assert_eq!((thread.capabilities, thread.locked_bytes), (CapabilitySet::SYS_ADMIN, 1384 * 1024));
        let thread = Thread::read(&status.replace("Seccomp:\t2", "Seccomp:\t0")).unwrap();
        assert!(!thread.is_filtered);
    }

    #[test]
    fn nothing_is_in_force_before_it_is_requested() {
        let seen = read_back(7);
        assert_eq!((seen.filter, seen.landlock), (false, 0), "{seen:?}");
        assert!(seen.threads > 0);
    }
}
