//! A socket that the daemon listens on. A unix socket's file is made with care and removed at the end.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use nix::unistd::{Group, User, chown};

use super::Stream;
use crate::socket::tls::TlsError;

/// A listening socket. Dropping it closes it and removes its file, if it has one.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A unix stream socket and its file.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Removes its file in the end.
        _file: SocketFile,
    },
    /// A TCP port.
    Tcp(TcpListener),
}

/// A place where the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Another program listens there (host).
    #[error("{}: another program listens there already; stop it (is another ekeyd running?), or name another path", .0.display())]
    InUse(PathBuf),
    /// The path is taken by something else (host).
    #[error("{}: exists and is no socket; move it away, or name another path", .0.display())]
    NotASocket(PathBuf),
    /// The user or group that shall own the socket does not exist (config).
    #[error("{}: there is no user or group `{name}` to give the socket to; correct the name", path.display())]
    NoSuchOwner {
        /// The socket.
        path: PathBuf,
        /// The name that nobody has.
        name: String,
    },
    /// A user or group that shall be let in does not exist (config).
    #[error("there is no user or group `{0}` on this machine to let in; correct allow-users and allow-groups in [egd]")]
    NoSuchPeer(String),
    /// The files of TLS cannot be used (config or host).
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses (host).
    #[error("{place}: cannot listen: {source}; {}", advice(source))]
    Refused {
        /// The path or address.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Who may use a unix socket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access<'a> {
    /// Permission bits; 0660 if not given.
    pub mode: Option<u32>,
    /// The user to give it to.
    pub user: Option<&'a str>,
    /// The group to give it to.
    pub group: Option<&'a str>,
}

const USUAL_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o755;

impl Listener {
    /// Listens on a unix socket. Its folder is made if there is none; a socket that nobody listens on is replaced.
    ///
    /// # Errors
    /// [`ListenError`] says what is in the way.
    pub(crate) fn unix(path: &Path, access: Access<'_>) -> Result<Self, ListenError> {
        let refused = |source| ListenError::Refused { place: path.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::create_dir_all(folder).map_err(refused)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE)).map_err(refused)?;
        }
        remove_stale(path)?;
        let owner = Owner::find(path, access)?;
        // Until its mode is set below, the daemon's umask lets nobody but its own user connect.
        let listener = UnixListener::bind(path).map_err(refused)?;
        let made = Self::Unix { listener, _file: SocketFile::made(path).map_err(refused)? };
        chown(path, owner.user, owner.group).map_err(|errno| refused(errno.into()))?;
        let mode = fs::Permissions::from_mode(access.mode.unwrap_or(USUAL_MODE));
        fs::set_permissions(path, mode).map_err(refused)?;
        Ok(made)
    }

    /// Listens on a TCP port.
    ///
    /// # Errors
    /// [`ListenError::Refused`] if the address is not this machine's, or the port is taken or reserved.
    pub(crate) fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        let refused = |source| ListenError::Refused { place: address.to_string(), source };
        TcpListener::bind(address).map(Self::Tcp).map_err(refused)
    }

    /// The next connection that has come in, or `None` if there is no more for now.
    ///
    /// # Errors
    /// What the system says; the next connection may work.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Self::Unix { listener, .. } => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
        };
        match accepted {
            Ok(stream) => {
                if let Stream::Tcp(stream) = &stream {
                    // An answer in pieces must not wait for the peer to acknowledge the first.
                    let _ = stream.set_nodelay(true);
                }
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The address of a TCP port, with the port that the system chose if it was left to it.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Unix { listener, .. } => listener,
            Self::Tcp(listener) => listener,
        }
    }
}

/// The file of a unix socket that this process has made; removed when dropped, unless it is another one by then.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn made(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: (found.dev(), found.ino()) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = |found: fs::Metadata| (found.dev(), found.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(still_ours) {
            // Whoever removed it in this moment has done what was to be done.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}

struct Owner {
    user: Option<nix::unistd::Uid>,
    group: Option<nix::unistd::Gid>,
}

impl Owner {
    fn find(path: &Path, access: Access<'_>) -> Result<Self, ListenError> {
        let missing = |name: &str| ListenError::NoSuchOwner { path: path.to_owned(), name: name.to_owned() };
        let user = |name| User::from_name(name).ok().flatten().map(|user| user.uid).ok_or_else(|| missing(name));
        let group = |name| Group::from_name(name).ok().flatten().map(|group| group.gid).ok_or_else(|| missing(name));
        Ok(Self { user: access.user.map(user).transpose()?, group: access.group.map(group).transpose()? })
    }
}

/// Removes the socket of a daemon that has died; leaves alone whatever is in use or no socket.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        // Whatever else keeps from connecting, somebody may be listening.
        _ => return Err(ListenError::InUse(path.to_owned())),
    }
    fs::remove_file(path).map_err(|source| ListenError::Refused { place: path.display().to_string(), source })
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "run as root, or name a place that this user may write to",
        io::ErrorKind::AddrInUse => "stop the program that has it, or name another",
        io::ErrorKind::AddrNotAvailable => "name an address of this machine",
        _ => "name another place",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_daemons_socket_is_replaced_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/egd.sock");
        let first = Listener::unix(&path, Access::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(Listener::unix(&path, Access::default()), Err(ListenError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(Listener::unix(&path, Access::default()).is_ok());
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "text").unwrap();
        assert!(matches!(Listener::unix(&path, Access::default()), Err(ListenError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    }

    #[test]
    fn an_owner_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access { group: Some("no-such-group"), ..Access::default() };
        let error = Listener::unix(&folder.path().join("s"), access).unwrap_err().to_string();
        assert!(error.contains("no-such-group"), "{error}");
    }
}
