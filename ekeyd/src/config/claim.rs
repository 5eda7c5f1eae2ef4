//! What the configuration claims from the machine: ports, sockets, files, servers.
//!
//! Each section states what it needs. The check for clashes and the sandbox use only that.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

/// What a key of the configuration needs from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The section that makes it; empty for the top of the file.
    pub section: &'static str,
    /// The key that names it.
    pub key: &'static str,
    /// What is needed.
    pub resource: Resource,
}

/// A part of the machine, and what the daemon does with it. Every path is absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A TCP port to listen on, of one address or of all.
    Listen(SocketAddr),
    /// A unix socket to make before the sandbox closes, and to remove at the end.
    Socket(PathBuf),
    /// A file made before the sandbox closes, and to remove at the end.
    PidFile(PathBuf),
    /// A file to make and write.
    Write(PathBuf),
    /// A folder in which to replace files.
    State(PathBuf),
    /// A file to read, at the start and on SIGHUP.
    Read(PathBuf),
    /// A device or a unix socket that something else makes, or a folder of them, to read and write.
    Open(PathBuf),
    /// A TCP port of a host, by name or address, to connect to.
    Connect(String, u16),
    /// A host name to resolve.
    Resolve(String),
}

impl Resource {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Socket(path)
            | Self::PidFile(path)
            | Self::Write(path)
            | Self::State(path)
            | Self::Read(path)
            | Self::Open(path) => Some(path),
            Self::Listen(_) | Self::Connect(..) | Self::Resolve(_) => None,
        }
    }

    /// Returns whether one of the two takes what the other needs.
    fn clashes_with(&self, other: &Self) -> bool {
        if let (Some(one), Some(two)) = (self.path(), other.path()) {
            // Two may read one file, or use one device or server.
            let shared = matches!((self, other), (Self::Read(_), Self::Read(_)) | (Self::Open(_), Self::Open(_)));
            return !shared && real(one) == real(two);
        }
        match (self, other) {
            (Self::Listen(one), Self::Listen(two)) => overlap(*one, *two),
            // A daemon that fetches from itself gets nothing.
            (Self::Listen(own), Self::Connect(host, port)) | (Self::Connect(host, port), Self::Listen(own)) => {
                host.parse().is_ok_and(|host: IpAddr| {
                    let is_own = host == own.ip() || host.is_loopback();
                    is_own && overlap(*own, SocketAddr::new(host, *port))
                })
            }
            _ => false,
        }
    }

    /// Returns what to do about a clash.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Listen(_) => "name another port",
            Self::Connect(..) | Self::Resolve(_) => "name another server",
            _ => "name another path",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address) => write!(f, "{address}"),
            Self::Connect(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Connect(host, port) => write!(f, "{host}:{port}"),
            Self::Resolve(host) => f.write_str(host),
            Self::Socket(path)
            | Self::PidFile(path)
            | Self::Write(path)
            | Self::State(path)
            | Self::Read(path)
            | Self::Open(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

/// Returns the clashes: the offset of the claim to change, and what is wrong. `place` returns the offset and line of the `n`th
/// claim of a key, `None` if the file does not have it.
pub(super) fn clashes(
    claims: &[Claim],
    place: impl Fn(&Claim, usize) -> Option<(usize, usize)>,
) -> Vec<(usize, String)> {
    let mut placed: Vec<(Option<(usize, usize)>, &Claim)> = Vec::new();
    for claim in claims {
        let before =
            placed.iter().filter(|(_, other)| (other.section, other.key) == (claim.section, claim.key)).count();
        placed.push((place(claim, before), claim));
    }
    // Of two, the later in the file is probably the one to change; a default is not in the file.
    placed.sort_by_key(|(place, _)| *place);
    let mut found = Vec::new();
    for (index, (at, claim)) in placed.iter().enumerate() {
        let Some((at, _)) = at else { continue };
        let taken = placed[..index].iter().find(|(_, other)| other.resource.clashes_with(&claim.resource));
        let Some((place, other)) = taken else { continue };
        let place = place.map_or("by default".to_owned(), |(_, line)| format!("line {line}"));
        let (resource, first) = (&claim.resource, &other.resource);
        let spelled = if first.to_string() == resource.to_string() { String::new() } else { format!(", as `{first}`") };
        let what = format!(
            "{}: `{resource}` is taken by {} ({place}{spelled}); {}",
            named(claim),
            named(other),
            resource.remedy()
        );
        found.push((*at, what));
    }
    found
}

fn named(claim: &Claim) -> String {
    let Claim { section, key, .. } = claim;
    if section.is_empty() { format!("`{key}`") } else { format!("`{key}` in [{section}]") }
}

/// Returns the path in one spelling: `/var/run` is a link to `/run`, and dots and double slashes mean nothing.
fn real(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                real.pop();
            }
            other => real.push(other),
        }
    }
    real.strip_prefix("/var/run").map(|rest| Path::new("/run").join(rest)).unwrap_or(real)
}

/// Returns whether only one of the two addresses can be listened on. On Linux `0.0.0.0` takes the port of every IPv4 address, and
/// `::` that of every address.
fn overlap(one: SocketAddr, two: SocketAddr) -> bool {
    let covers = |all: IpAddr, other: IpAddr| match all {
        IpAddr::V4(all) => all.is_unspecified() && other.is_ipv4(),
        IpAddr::V6(all) => all.is_unspecified(),
    };
    // A link-local address is one per interface.
    let same_scope = match (one, two) {
        (SocketAddr::V6(one), SocketAddr::V6(two)) => one.scope_id() == two.scope_id(),
        _ => true,
    };
    let (a, b) = (one.ip().to_canonical(), two.ip().to_canonical());
    one.port() == two.port() && (a == b && same_scope || covers(a, b) || covers(b, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_in_every_spelling() {
        for other in ["/var/run/x", "//run/x", "/run/./x", "/run/y/../x", "/run/x/", "/var/../var/run/x"] {
            assert_eq!(real(Path::new(other)), Path::new("/run/x"), "{other}");
        }
        for other in ["/run/x/y", "/var/runs/x", "/run", "/x"] {
            assert_ne!(real(Path::new(other)), Path::new("/run/x"), "{other}");
        }
    }

    #[test]
    fn a_wildcard_takes_the_port_of_its_addresses() {
        for (one, two, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:2", false),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
            ("[fe80::1%2]:1", "[fe80::1%3]:1", false),
            ("[fe80::1%2]:1", "[::]:1", true),
        ] {
            let [one, two] = [one, two].map(|address| address.parse().unwrap());
            assert_eq!([overlap(one, two), overlap(two, one)], [expected; 2], "{one} and {two}");
        }
    }

    #[test]
    fn only_readers_and_users_share_a_path() {
        let all =
            [Resource::Socket, Resource::PidFile, Resource::Write, Resource::State, Resource::Read, Resource::Open];
        for (one, first) in all.iter().enumerate() {
            for (two, second) in all.iter().enumerate() {
                let [first, second] = [first("/x".into()), second("/x".into())];
                let is_shared = one == two && one >= 4;
                assert_eq!(first.clashes_with(&second), !is_shared, "{first:?} and {second:?}");
            }
        }
    }

    #[test]
    fn a_server_clashes_with_a_port_of_its_own() {
        for (own, host, expected) in [
            ("127.0.0.1:1", "127.0.0.1", true),
            ("0.0.0.0:1", "127.0.0.1", true),
            ("[::]:1", "::1", true),
            ("192.0.2.1:1", "192.0.2.1", true),
            ("127.0.0.1:2", "127.0.0.1", false),
            ("0.0.0.0:1", "192.0.2.1", false),
            ("0.0.0.0:1", "keys.example.org", false),
        ] {
            let own = Resource::Listen(own.parse().unwrap());
            let server = Resource::Connect(host.to_owned(), 1);
            assert_eq!([own.clashes_with(&server), server.clashes_with(&own)], [expected; 2], "{own} and {server}");
        }
    }
}
