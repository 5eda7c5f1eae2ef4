//! A key behind a tty, as the kernel's `cdc_acm` driver shows it.
//!
//! This uses plain system calls instead of a serial port library, because the key's firmware cannot bear what such a library does.
//! A library always writes a speed, and to a USB key a change of speed is a SET_LINE_CODING request. Most also raise or lower modem
//! lines, and SET_CONTROL_LINE_STATE has crashed the key so that only a replug cured it. We leave the speed as we found it, never
//! read or touch a modem line (CLOCAL on, HUPCL off, no TIOCM*), and write nothing that is already so.

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
            return Err(LinkError::NotAKey { path: path.to_owned(), what: "a device that is not a tty" });
        }
        // First the lock: a process that finds it taken must not have changed the holder's tty.
        let fd = match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
            Ok(fd) => fd,
            Err((_, Errno::EAGAIN)) => {
                return Err(LinkError::Busy { path: path.to_owned() });
            }
            Err((_, errno)) => return Err(LinkError::broken(path, errno)),
        };
        // Then raw mode: a fresh tty echoes what the key says back to the key, which takes it for commands.
        make_raw(&fd).map_err(|errno| LinkError::broken(path, errno))?;
        // The exclusive mode stops programs that do not know the lock. The lock stops root, whom the exclusive mode lets in.
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
        // Another process may have it open, and so keep it exclusive. This fails only when the key has gone; then it does not matter.
        let _ = ioctl::clear_exclusive(self.fd.as_fd());
    }
}

/// Whether the tty is a pseudo terminal, as a software key's is. A pseudo terminal outlives its last close. If its holder is killed,
/// it would stay exclusive for all without CAP_SYS_ADMIN until its other end closes.
fn is_pseudo(fd: &OwnedFd) -> nix::Result<bool> {
    // The numbers are those of the kernel's admin-guide/devices.txt, UNIX98 PTY slaves.
    Ok((136..=143).contains(&stat::major(stat::fstat(fd)?.st_rdev)))
}

/// Puts the tty into raw mode and leaves its speed alone. Writes nothing if it is raw already.
fn make_raw(fd: &OwnedFd) -> nix::Result<()> {
    let found = retry(|| termios::tcgetattr(fd))?;
    let expected = raw(&found);
    if expected == found {
        return Ok(());
    }
    retry(|| termios::tcsetattr(fd, SetArg::TCSANOW, &expected))?;
    // tcsetattr succeeds if it could set any one of the things asked for.
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
    // With a minimum of 0 a read of an idle tty would return 0, which must mean that the key has gone.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ioctl::tests::is_exclusive;

    #[test]
    fn a_pseudo_terminal_is_never_exclusive() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let path = unistd::ttyname(&pty.slave).unwrap();
        let link = Tty::open(&path, &Interrupt::new().unwrap()).unwrap();
        assert!(!is_exclusive(pty.slave.as_fd()), "it would stay so when its holder is killed");
        Box::new(link).close();
    }
}
