//! A key on a unix stream socket, as the original's USB helper offers its keys.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt::SndBuf};

use super::{Host, News, Plug, Wish, is_temporary, poll_until};
use crate::{SimError, StopHandle};

/// A socket for one host at a time. It disconnects a second one at once.
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our socket file.
    identity: Option<(u64, u64)>,
    host: Option<UnixStream>,
    left: bool,
    /// There has been a host.
    known: bool,
}

/// Most bytes on their way to the host. The system's default would hold many seconds of a key's data.
const SEND_BUFFER: usize = 32 * 1024;
const OPEN_FILES: &str = "raise the limit of open files (ulimit -n)";

impl UnixSocket {
    /// Listens at `path`. Replaces a socket file without a listener.
    ///
    /// # Errors
    /// [`SimError::Live`] if another program listens there, [`SimError::Occupied`] if another kind of file is there,
    /// [`SimError::File`] if the socket cannot be made.
    pub fn open(path: &Path) -> Result<Self, SimError> {
        let advice = "check its folder and permissions, and that the path has at most 107 characters";
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SimError::Occupied { path: path.to_owned(), what: "socket" });
            }
            Ok(_) if is_live(path) => return Err(SimError::Live { path: path.to_owned() }),
            Ok(_) => fs::remove_file(path).map_err(SimError::file("replace the dead socket", path, advice))?,
            Err(_) => {}
        }
        let failed = || SimError::file("listen on", path, advice);
        let listener = UnixListener::bind(path).map_err(failed())?;
        listener.set_nonblocking(true).map_err(failed())?;
        let identity = fs::symlink_metadata(path).map(|file| (file.dev(), file.ino())).ok();
        Ok(Self { listener, path: path.to_owned(), identity, host: None, left: false, known: false })
    }

    /// Disconnects the host.
    pub(crate) fn drop_host(&mut self) {
        self.left |= self.host.take().is_some();
    }

    /// Accepts a host from the queue, if it is still there.
    fn accept(&self) -> Result<Option<UnixStream>, SimError> {
        let failed = |source| SimError::System { action: "accept a host", advice: OPEN_FILES, source };
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true).map_err(failed)?;
                // This only limits how much is on its way, so a system that refuses is not an error.
                let _ = setsockopt(&stream, SndBuf, &SEND_BUFFER);
                Ok(Some(stream))
            }
            // The host has left the queue, or there is none.
            Err(error) if is_temporary(error.kind()) || error.kind() == ErrorKind::ConnectionAborted => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Plug for UnixSocket {
    fn wait(&mut self, wish: &Wish, stop: &StopHandle) -> Result<News, SimError> {
        if std::mem::take(&mut self.left) {
            return Ok(News { host: Host::Absent, input: false });
        }
        // Poll the listener together with the host: if the caller came after the host had left, this poll shows that
        // too, and the caller is not sent away.
        let mut fds =
            vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.host.as_ref().map(|host| PollFd::new(host.as_fd(), wish.poll_flags())));
        poll_until(&mut fds, wish.until)?;
        let called = fds[1].any().unwrap_or_default();
        let seen = fds.get(2).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        let leaving = seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
        match (&self.host, called) {
            (None, true) => {
                self.host = self.accept()?;
                let before = self.known;
                self.known |= self.host.is_some();
                let host = match (&self.host, before) {
                    (None, _) => Host::Absent,
                    (Some(_), false) => Host::Arrived,
                    (Some(_), true) => Host::Reopened,
                };
                Ok(News { host, input: false })
            }
            (None, false) => Ok(News { host: Host::Absent, input: false }),
            (Some(_), called) => {
                if called && !leaving {
                    drop(self.accept()?);
                }
                Ok(News { host: Host::Present, input: leaving || seen.contains(PollFlags::POLLIN) })
            }
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, SimError> {
        let Some(host) = &mut self.host else { return Ok(None) };
        match host.read(buf) {
            Ok(len) if len > 0 => Ok(Some(len)),
            Err(error) if is_temporary(error.kind()) => Ok(Some(0)),
            _ => {
                self.drop_host();
                Ok(None)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, SimError> {
        let Some(host) = &mut self.host else { return Ok(0) };
        match host.write(bytes) {
            Ok(len) => Ok(len),
            Err(error) if is_temporary(error.kind()) => Ok(0),
            Err(_) => {
                self.drop_host();
                Ok(0)
            }
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Another key may have the path now, if our file was removed.
        let found = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino())).ok();
        if self.identity.is_some() && found == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Returns whether a program listens at `path`. One that is too busy to answer (EAGAIN) counts.
fn is_live(path: &Path) -> bool {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let called = UnixAddr::new(path).and_then(|address| {
        let caller = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(caller.as_raw_fd(), &address)
    });
    !matches!(called, Err(Errno::ECONNREFUSED | Errno::ENOENT))
}
