//! Who is at the other end of a connection.

use std::fmt;

use nix::unistd::geteuid;

use crate::socket::Stream;

/// A peer, as far as its connection identifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Root or the daemon's own user, at the unix socket. Only they may change anything.
    Master,
    /// Another user, at the unix socket.
    User(u32),
    /// A program at the TCP port, which does not identify users.
    Port,
}

/// What peers share the same places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Masters,
    Users,
    Port,
}

impl Kind {
    /// The count of kinds.
    pub(super) const COUNT: usize = 3;
}

impl Peer {
    /// Returns the peer at the other end of `stream`.
    pub(super) fn of(stream: &Stream) -> Self {
        match stream {
            Stream::Unix(_) => match stream.user_and_group() {
                Some((user, _)) if user == 0 || user == geteuid().as_raw() => Self::Master,
                // Only a broken kernel does not name the user. That must not give rights.
                found => Self::User(found.map_or(u32::MAX, |(user, _)| user)),
            },
            _ => Self::Port,
        }
    }

    /// Returns which places it takes.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Master => Kind::Masters,
            Self::User(_) => Kind::Users,
            Self::Port => Kind::Port,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Master => f.write_str("root or the daemon's user"),
            Self::User(user) => write!(f, "the user {user}"),
            Self::Port => f.write_str("the TCP port"),
        }
    }
}
