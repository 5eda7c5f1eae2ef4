//! What takes rights that the daemon's own user does not have: a low port, and a socket of another owner. Says what to do instead.

use std::fs;

/// The first port that any user may take if the kernel does not say, ip(7).
const FIRST_FREE: u16 = 1024;

/// Returns the first port that any user may take.
pub(crate) fn first_free_port() -> u16 {
    let limit = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    limit.trim().parse().unwrap_or(FIRST_FREE)
}

/// Returns what is wrong with a low port, and what to do about it.
pub(crate) fn low_port() -> String {
    let first = first_free_port();
    format!(
        "the port is below {first}: take one from {first} on, or give the daemon CAP_NET_BIND_SERVICE (`systemctl edit ekeyd`, and \
         there below [Service] the lines AmbientCapabilities=CAP_NET_BIND_SERVICE and CapabilityBoundingSet=CAP_NET_BIND_SERVICE)"
    )
}

/// What to do if a socket cannot be given to the configured owner and group.
pub(crate) const OTHER_OWNER: &str = "leave out owner and group, and name who may connect in allow-users and allow-groups of [egd]; \
     or leave out the owner, and make the daemon's user a member of the group; or start the daemon as root";

/// What to do if systemd's unit makes the place of a file read-only.
pub(crate) const READ_ONLY: &str = "name a path in /run/ekeyd, or add a ReadWritePaths= line (`systemctl edit ekeyd`) for a folder \
     that the daemon's user can write to";

/// Returns the configured owner and group as chown(1) takes them: `USER:GROUP`, `USER` or `:GROUP`.
pub(crate) fn owner_words(user: Option<&str>, group: Option<&str>) -> String {
    let group = group.map(|group| format!(":{group}")).unwrap_or_default();
    format!("{}{group}", user.unwrap_or_default())
}
