//! Listening sockets. A unix socket's file replaces only a dead daemon's, and goes with the listener.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Group, Uid, User, fchownat, geteuid};

use super::{Stream, rights};

/// Accepts connections. Dropping it closes the socket and removes its file, if it has one.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A unix stream socket and its file.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Removes the file when dropped.
        _file: SocketFile,
    },
    /// A TCP port.
    Tcp(TcpListener),
}

/// Says why the daemon cannot listen at a place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Another program listens there (host).
    #[error("{}: another program listens there already; stop it (is another ekeyd running?), or name another path", .0.display())]
    InUse(PathBuf),
    /// Another kind of file has the path (host).
    #[error("{}: this file is not a socket; move it away, or name another path", .0.display())]
    NotASocket(PathBuf),
    /// The path does not have the file that the daemon made there a moment ago (host).
    #[error(
        "{}: another process replaced this file while the daemon made it; let only root write to its folder, or name another path",
        .0.display()
    )]
    Replaced(PathBuf),
    /// The socket's configured user or group does not exist (config).
    #[error("{}: this machine has no user or group `{name}` to own the socket; correct the name", path.display())]
    NoSuchOwner {
        /// The socket.
        path: PathBuf,
        /// The missing name.
        name: String,
    },
    /// This user may not give the socket to its configured owner and group (config or host).
    #[error("{}: this user may not give the socket to {owner}; {}", path.display(), rights::OTHER_OWNER)]
    NotGiven {
        /// The socket.
        path: PathBuf,
        /// The owner and group.
        owner: String,
    },
    /// Only a privileged user may take a port as low as this (config or host).
    #[error("{}: cannot listen: {}", .0, rights::low_port())]
    LowPort(SocketAddr),
    /// A user or group that may connect does not exist (config).
    #[error("this machine has no user or group `{0}`; correct allow-users and allow-groups in [egd]")]
    NoSuchPeer(String),
    /// The TLS files cannot be used (config or host).
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::socket::tls::TlsError),
    /// The system refuses (host).
    #[error("{place}: cannot listen: {source}; {}", advice(source))]
    Refused {
        /// The path or address.
        place: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// Says who may connect to a unix socket, by its file's owner and mode.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access<'a> {
    /// Permission bits; default 0660.
    pub mode: Option<u32>,
    /// The owner; default the daemon's user.
    pub user: Option<&'a str>,
    /// The group; default the daemon's group.
    pub group: Option<&'a str>,
}

const DEFAULT_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o755;

impl Listener {
    /// Listens on a unix socket. Creates its folder if missing, and replaces a socket without a listener.
    ///
    /// # Errors
    /// [`ListenError`] names the obstacle.
    pub(crate) fn unix(path: &Path, access: Access<'_>) -> Result<Self, ListenError> {
        let refused = |source| ListenError::Refused { place: path.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::create_dir_all(folder).map_err(refused)?;
            let made = own_file(folder, fs::Metadata::is_dir)?;
            set_mode(&made, FOLDER_MODE).map_err(refused)?;
        }
        remove_stale(path)?;
        let owner = Owner::find(path, access)?;
        // Until the mode is set below, the umask lets only the daemon's own user connect.
        let listener = UnixListener::bind(path).map_err(refused)?;
        let made = own_file(path, is_new_socket)?;
        let bound = Self::Unix { listener, _file: SocketFile::of(path, &made).map_err(refused)? };
        let given = fchownat(&made, "", owner.user, owner.group, AtFlags::AT_EMPTY_PATH);
        given.map_err(|errno| match errno {
            Errno::EPERM => {
                let owner = rights::owner_words(access.user, access.group);
                ListenError::NotGiven { path: path.to_owned(), owner }
            }
            _ => refused(errno.into()),
        })?;
        set_mode(&made, access.mode.unwrap_or(DEFAULT_MODE)).map_err(refused)?;
        Ok(bound)
    }

    /// Listens on a TCP port.
    ///
    /// # Errors
    /// [`ListenError::Refused`] if this machine does not have the address, or the port is in use;
    /// [`ListenError::LowPort`] if this user may not take it.
    pub(crate) fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        TcpListener::bind(address).map(Self::Tcp).map_err(|source| {
            if source.kind() == io::ErrorKind::PermissionDenied && address.port() < rights::first_free_port() {
                ListenError::LowPort(address)
            } else {
                ListenError::Refused { place: address.to_string(), source }
            }
        })
    }

    /// Accepts one connection. Returns `None` if none is waiting.
    ///
    /// # Errors
    /// The system's error; the next connection may still work.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Self::Unix { listener, .. } => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
        };
        match accepted {
            Ok(stream) => {
                if let Stream::Tcp(stream) = &stream {
                    // Otherwise the second piece of an answer waits until the peer acknowledges the first.
                    let _ = stream.set_nodelay(true);
                }
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the address of a TCP listener. For port 0 it has the port that the system chose.
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

/// Removes a unix socket's file when dropped, unless another file has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path, file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self { path: path.to_owned(), identity: (found.dev(), found.ino()) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = |found: fs::Metadata| (found.dev(), found.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(still_ours) {
            // If this fails, another process has just removed the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

registers_its_source!(Listener);

struct Owner {
    user: Option<Uid>,
    group: Option<Gid>,
}

impl Owner {
    fn find(path: &Path, access: Access<'_>) -> Result<Self, ListenError> {
        let missing = |name: &str| ListenError::NoSuchOwner { path: path.to_owned(), name: name.to_owned() };
        let user = |name| User::from_name(name).ok().flatten().map(|user| user.uid).ok_or_else(|| missing(name));
        let group = |name| Group::from_name(name).ok().flatten().map(|group| group.gid).ok_or_else(|| missing(name));
        Ok(Self { user: access.user.map(user).transpose()?, group: access.group.map(group).transpose()? })
    }
}

/// Opens the file that this process has just made at `path`, without following a link and without opening what it stands for
/// (open(2), `O_PATH`). A process that may write to the folder can put another file there at any time, so the owner must be this
/// process's user, and `is_expected` must recognise it.
fn own_file(path: &Path, is_expected: impl FnOnce(&fs::Metadata) -> bool) -> Result<File, ListenError> {
    let replaced = || ListenError::Replaced(path.to_owned());
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // `OpenOptions` drops this flag on musl, where it is part of O_ACCMODE.
    let file = File::from(open(path, flags, Mode::empty()).map_err(|_| replaced())?);
    let found = file.metadata().map_err(|_| replaced())?;
    if found.uid() == geteuid().as_raw() && is_expected(&found) { Ok(file) } else { Err(replaced()) }
}

/// Returns whether a file is a socket with one name. A hard link makes another program's socket appear here.
fn is_new_socket(found: &fs::Metadata) -> bool {
    found.file_type().is_socket() && found.nlink() == 1
}

/// Sets the mode of an open file. It goes through /proc, because fchmod(2) refuses a descriptor of `O_PATH`.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), fs::Permissions::from_mode(mode))
}

/// Removes a dead daemon's socket. Fails if the socket is in use, or if the file is not a socket.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        // After any other error another program may be listening.
        _ => return Err(ListenError::InUse(path.to_owned())),
    }
    fs::remove_file(path).map_err(|source| ListenError::Refused { place: path.display().to_string(), source })
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "run as root, or name a place that this user can write to",
        io::ErrorKind::ReadOnlyFilesystem => rights::READ_ONLY,
        io::ErrorKind::AddrInUse => "stop the program that uses it, or name another",
        io::ErrorKind::AddrNotAvailable => "name an address of this machine",
        _ => "name another place",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn only_a_dead_daemons_socket_is_replaced() {
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
    fn a_link_planted_in_the_folder_changes_no_file() {
        const LINKS: usize = 1000;
        let folder = tempfile::tempdir().unwrap();
        let (path, precious) = (folder.path().join("egd.sock"), folder.path().join("precious"));
        fs::write(&precious, "text").unwrap();
        fs::set_permissions(&precious, fs::Permissions::from_mode(0o600)).unwrap();
        let planted = AtomicUsize::new(0);
        thread::scope(|scope| {
            // The attacker may write to the folder, and waits for the socket.
            scope.spawn(|| {
                while planted.load(Ordering::Relaxed) < LINKS {
                    if fs::remove_file(&path).is_ok() && symlink(&precious, &path).is_ok() {
                        planted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            while planted.load(Ordering::Relaxed) < LINKS {
                let _ = Listener::unix(&path, Access { mode: Some(0o666), ..Access::default() });
                let _ = fs::remove_file(&path);
            }
        });
        assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_or_a_second_name_is_not_the_own_socket() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, link, name] = ["socket", "link", "name"].map(|name| folder.path().join(name));
        let found = |path: &Path| own_file(path, is_new_socket).map_err(|error| error.to_string());
        let _listener = UnixListener::bind(&socket).unwrap();
        assert!(found(&socket).is_ok());
        symlink(&socket, &link).unwrap();
        assert!(found(&link).is_err_and(|error| error.contains("another process replaced this file")));
        fs::hard_link(&socket, &name).unwrap();
        assert!(found(&socket).is_err());
        assert!(found(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn a_socket_has_the_configured_mode() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o660, 0o666, 0o777] {
            let path = folder.path().join(format!("{mode:o}"));
            let _listener = Listener::unix(&path, Access { mode: Some(mode), ..Access::default() }).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_file_in_the_way_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "text").unwrap();
        assert!(matches!(Listener::unix(&path, Access::default()), Err(ListenError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    }

    #[test]
    fn the_error_names_a_missing_owner() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access { group: Some("no-such-group"), ..Access::default() };
        let error = Listener::unix(&folder.path().join("s"), access).unwrap_err().to_string();
        assert!(error.contains("no-such-group"), "{error}");
    }
}
