//! The limit of open files, which is also one of clients.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors besides the clients': keys, listeners, the control socket's clients, logs.
const OTHERS: u64 = 512;

/// Raises the limit as far as `clients` clients need and the system allows, and says so if that is not enough.
pub(super) fn allow(clients: usize) {
    let due = clients as u64 + OTHERS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < due.min(hard)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, due.min(hard), hard)
    {
        tracing::warn!("cannot raise the limit of open files from {soft}: {error}");
    }
    if hard < due {
        tracing::warn!(
            "max-clients is {clients}, and the limit of open files is {hard}: raise it (LimitNOFILE of the unit, \
             ulimit -n) to {due}, or lower max-clients"
        );
    }
}
