//! Hides this program's memory, which may hold a master key and long-term keys: no core dump, no reader of the same user, no swap.
//!
//! A system that refuses one of them does not stop the program, as with the daemon. The daemon locks only parts of its memory, which
//! takes unsafe code. This program is small and ends soon, so it locks all.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps, and hides the memory from other programs of the same user. Call it before reading any secret.
pub(crate) fn from_the_start() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Locks the memory in use as far as the system allows. Only if any amount may be locked, also that of later allocations: at a limit,
/// these would fail.
pub(crate) fn lock_memory() {
    let unlimited = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok();
    let later = if unlimited { MlockAllFlags::FUTURE } else { MlockAllFlags::empty() };
    let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT | later);
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn the_memory_is_in_no_core_dump() {
        from_the_start();
        assert!(matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable)));
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }
}
