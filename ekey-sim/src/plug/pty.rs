//! A key behind a pseudo terminal, which looks to a host like `cdc_acm`'s terminal for a real key.
//!
//! As there, a fresh terminal is in the kernel's default mode: it echoes what the key says back to the key until the
//! host makes it raw.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::stat::Mode;
use nix::sys::termios::{FlushArg, tcflush};

use super::{Host, News, Plug, Wish, is_temporary, poll_until};
use crate::replace::replace;
use crate::{SimError, StopHandle};

/// The master side of a pseudo terminal, and a symbolic link to its slave.
pub struct Pty {
    master: PtyMaster,
    slave: PathBuf,
    link: PathBuf,
    /// Reports when the slave is opened or closed. Polling shows whether it is open, but cannot wait for that.
    watch: Inotify,
    present: bool,
    /// A host has closed the slave, so the next open is a reopen.
    closed: bool,
}

/// Delay between a host's open and the key's first byte. A real key's USB takes at least that long, and it spares a
/// host that makes the terminal raw at once the echo.
const SETTLE: Duration = Duration::from_millis(10);
const PTS: &str = "raise the limit of pseudo terminals (/proc/sys/kernel/pty/max) or of open files (ulimit -n)";
const WATCHES: &str = "raise fs.inotify.max_user_instances";

impl Pty {
    /// Makes a pseudo terminal, and `link` as a symbolic link to it. Replaces a symbolic link that is there.
    ///
    /// # Errors
    /// [`SimError::System`] if the system has no terminal left, [`SimError::Occupied`] if another kind of file is at
    /// `link`, [`SimError::File`] if the link cannot be made.
    pub fn open(link: &Path) -> Result<Self, SimError> {
        let failed = || SimError::system("make a pseudo terminal", PTS);
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).map_err(failed())?;
        grantpt(&master).and_then(|()| unlockpt(&master)).map_err(failed())?;
        let slave = PathBuf::from(ptsname_r(&master).map_err(failed())?);
        // The kernel reports a slave as open until it has been closed once.
        drop(open(&slave, flags, Mode::empty()).map_err(failed())?);
        let watch = watch(&slave).map_err(SimError::system("watch the pseudo terminal", WATCHES))?;
        lead(link, &slave)?;
        Ok(Self { master, slave, link: link.to_owned(), watch, present: false, closed: false })
    }

    /// Returns the path of the terminal itself, such as `/dev/pts/7`.
    #[must_use]
    pub fn slave_path(&self) -> &Path {
        &self.slave
    }

    /// Returns whether the slave has been reopened since the last call, and whether it is open now.
    fn look(&mut self) -> Result<(bool, bool), SimError> {
        let mut reopened = false;
        loop {
            match self.watch.read_events() {
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(SimError::system("watch the pseudo terminal", WATCHES)(errno)),
                Ok(events) => {
                    for event in events {
                        if event.mask.contains(AddWatchFlags::IN_OPEN) {
                            reopened |= std::mem::take(&mut self.closed);
                        } else {
                            self.closed = true;
                        }
                    }
                }
            }
        }
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::empty())];
        poll_until(&mut fds, Some(Instant::now()))?;
        Ok((reopened, !fds[0].any().unwrap_or_default()))
    }

    /// Waits for an event of the slave or of the stop handle.
    fn wait_for_slave(&self, stop: &StopHandle, until: Option<Instant>) -> Result<(), SimError> {
        let mut fds =
            [PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(self.watch.as_fd(), PollFlags::POLLIN)];
        poll_until(&mut fds, until)
    }

    /// Records that the host has closed the slave, and discards what it has not read, as a real terminal does.
    fn leave(&mut self) {
        if std::mem::take(&mut self.present) {
            let _ = tcflush(&self.master, FlushArg::TCOFLUSH);
        }
    }
}

impl Plug for Pty {
    fn wait(&mut self, wish: &Wish, stop: &StopHandle) -> Result<News, SimError> {
        let mut seen = PollFlags::empty();
        if self.present {
            let mut fds = [
                PollFd::new(stop.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.master.as_fd(), wish.poll_flags()),
            ];
            poll_until(&mut fds, wish.until)?;
            seen = fds[2].revents().unwrap_or(PollFlags::empty());
        } else {
            self.wait_for_slave(stop, wish.until)?;
        }
        let (mut reopened, open) = self.look()?;
        if self.present && open && !reopened {
            return Ok(News { host: Host::Present, input: seen.contains(PollFlags::POLLIN) });
        }
        if self.present && !open && seen.contains(PollFlags::POLLIN) {
            // Hand over its last bytes first. Reading to their end shows that it has left.
            return Ok(News { host: Host::Present, input: true });
        }
        self.leave();
        if !open {
            return Ok(News { host: Host::Absent, input: false });
        }
        let settled = Instant::now() + SETTLE;
        while Instant::now() < settled && !stop.is_stopped() {
            self.wait_for_slave(stop, Some(settled))?;
            // A host that leaves and returns meanwhile has reopened it.
            reopened |= self.look()?.0;
        }
        self.present = true;
        Ok(News { host: if reopened { Host::Reopened } else { Host::Arrived }, input: false })
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, SimError> {
        match self.master.read(buf) {
            Ok(len) if len > 0 => Ok(Some(len)),
            Err(error) if is_temporary(error.kind()) => Ok(Some(0)),
            // EIO: the slave is closed.
            _ => {
                self.leave();
                Ok(None)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, SimError> {
        // The next wait notices a closed slave.
        Ok(self.master.write(bytes).unwrap_or(0))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Another key may have put its own link there.
        if fs::read_link(&self.link).is_ok_and(|target| target == self.slave) {
            let _ = fs::remove_file(&self.link);
        }
    }
}

fn watch(slave: &Path) -> nix::Result<Inotify> {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    watch.add_watch(slave, AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE)?;
    Ok(watch)
}

/// Replaces the link in one step, so that a reader finds the old one or the new one.
fn lead(link: &Path, slave: &Path) -> Result<(), SimError> {
    if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
        return Err(SimError::Occupied { path: link.to_owned(), what: "symbolic link" });
    }
    let failed = SimError::file("make the link", link, "check its folder and permissions");
    replace(link, |new| symlink(slave, new)).map_err(failed)
}
