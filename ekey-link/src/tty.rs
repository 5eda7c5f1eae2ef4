//! A key behind a tty, as the kernel's `cdc_acm` driver shows it.
//!
//! This is done with plain system calls rather than with a serial port library, because of what the key's firmware cannot bear.
//! Such a library always writes a speed, and to a USB key a change of speed is a SET_LINE_CODING request; most also raise or lower
//! modem lines, and SET_CONTROL_LINE_STATE has crashed the key so that only a replug cured it. Here the speed is left as it was
//! found, no modem line is asked for or touched (CLOCAL on, HUPCL off, no TIOCM*), and nothing is written that is already so.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{self, Flock, FlockArg, OFlag};
use nix::sys::stat::{self, Mode};
use nix::sys::termios::{self, ControlFlags, FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use nix::unistd;

use crate::{Interrupt, Link, LinkError, Read, Transport, ioctl, pipe};

pub(crate) struct Tty {
    fd: Flock<OwnedFd>,
    path: PathBuf,
    interrupt: Interrupt,
}

impl Tty {
    /// Opens the tty, raw and for this process alone, with nothing left over in its input.
    pub(crate) fn open(path: &Path, interrupt: &Interrupt) -> Result<Self, LinkError> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = retry(|| fcntl::open(path, flags, Mode::empty())).map_err(|errno| LinkError::open(path, errno))?;
        if !unistd::isatty(&fd).unwrap_or(false) {
            return Err(LinkError::NotAKey { path: path.to_owned(), what: "a device that is no tty" });
        }
        // First the lock: who finds it taken must not have changed the holder's tty.
        let fd = match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
            Ok(fd) => fd,
            Err((_, Errno::EAGAIN)) => {
                return Err(LinkError::Busy { path: path.to_owned() });
            }
            Err((_, errno)) => return Err(LinkError::broken(path, errno)),
        };
        // Then raw, before anything else: a fresh tty echoes what the key says back at it, and the key takes that for commands.
        make_raw(&fd).map_err(|errno| LinkError::broken(path, errno))?;
        // Programs that know nothing of the lock are stopped by the exclusive mode; root, who walks past that, by the lock.
        if !is_pseudo(&fd).map_err(|errno| LinkError::broken(path, errno))? {
            ioctl::set_exclusive(fd.as_fd()).map_err(|errno| LinkError::broken(path, errno))?;
        }
        let tty = Self { fd, path: path.to_owned(), interrupt: interrupt.clone() };
        termios::tcflush(&*tty.fd, FlushArg::TCIFLUSH).map_err(|errno| LinkError::broken(path, errno))?;
        Ok(tty)
    }
}

impl Link for Tty {
    fn read(&mut self, buf: &mut [u8], deadline: Instant) -> Result<Read, LinkError> {
        pipe::read(self.fd.as_fd(), &self.path, &self.interrupt, buf, deadline)
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        pipe::write_all(self.fd.as_fd(), &self.path, bytes, deadline, |fd, rest| unistd::write(fd, rest))
    }

    fn kind(&self) -> Transport {
        Transport::Tty
    }

    fn close(self: Box<Self>) {}
}

impl Drop for Tty {
    fn drop(&mut self) {
        // For whoever else has it open and so keeps it as it is. Fails only when the key has gone, and then is moot.
        let _ = ioctl::clear_exclusive(self.fd.as_fd());
    }
}

/// Whether the tty is a pseudo terminal's, as a software key's is. It outlives its last close, and would stay exclusive for all
/// but CAP_SYS_ADMIN when its holder is killed: only its other end's going would free it.
fn is_pseudo(fd: &OwnedFd) -> nix::Result<bool> {
    // The numbers are those of the kernel's admin-guide/devices.txt, UNIX98 PTY slaves.
    Ok((136..=143).contains(&stat::major(stat::fstat(fd)?.st_rdev)))
}

/// Puts the tty into raw mode, leaving its speed alone; writes nothing if it is so already.
fn make_raw(fd: &OwnedFd) -> nix::Result<()> {
    let found = retry(|| termios::tcgetattr(fd))?;
    let due = raw(&found);
    if due == found {
        return Ok(());
    }
    retry(|| termios::tcsetattr(fd, SetArg::TCSANOW, &due))?;
    // tcsetattr is content with having set any one of the things asked for.
    let got = retry(|| termios::tcgetattr(fd))?;
    if got.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG) {
        return Err(Errno::ENOTSUP);
    }
    Ok(())
}

fn raw(found: &Termios) -> Termios {
    let mut raw = found.clone();
    termios::cfmakeraw(&mut raw);
    raw.control_flags |= ControlFlags::CLOCAL | ControlFlags::CREAD;
    raw.control_flags &= !ControlFlags::HUPCL;
    // With a minimum of 0 an idle tty would read as nothing, which must mean that the key has gone.
    raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    raw
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            outcome => return outcome,
        }
    }
}
