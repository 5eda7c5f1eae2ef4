//! The limit of open files, which is also one of clients.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files as far as it goes, and returns how many clients it allows of those that are wanted:
/// keys, control socket and files keep some for themselves.
pub(crate) fn allow_clients(clients: usize) -> usize {
    const OWN: u64 = 128;
    let wanted = clients as u64 + OWN;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return clients };
    let mut limit = soft;
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).is_ok() {
        limit = wanted.min(hard);
    }
    usize::try_from(limit.saturating_sub(OWN)).unwrap_or(usize::MAX).clamp(1, clients)
}
