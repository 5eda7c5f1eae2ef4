//! The limit on open files, which limits clients too.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit on open files as far as it goes. Returns how many of `clients` it allows: keys, the control socket,
/// HTTP and files need some.
pub(crate) fn allow_clients(clients: usize) -> usize {
    const OWN: u64 = 192;
    let wanted = clients as u64 + OWN;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return clients };
    let mut limit = soft;
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).is_ok() {
        limit = wanted.min(hard);
    }
    usize::try_from(limit.saturating_sub(OWN)).unwrap_or(usize::MAX).clamp(1, clients)
}
