//! The requests to the kernel that need an unsafe call; all of this crate's own are here.
//!
//! A tty's exclusive mode (`TIOCEXCL`, ioctl_tty(2)) and the reset of a USB device (`USBDEVFS_RESET`, the kernel's linux/usbdevice_fs.h).
#![expect(unsafe_code, reason = "nix has no safe wrapper for TIOCEXCL, TIOCNXCL and USBDEVFS_RESET")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

mod raw {
    use super::libc;

    nix::ioctl_none_bad!(tiocexcl, libc::TIOCEXCL);
    nix::ioctl_none_bad!(tiocnxcl, libc::TIOCNXCL);
    nix::ioctl_none!(usbdevfs_reset, b'U', 20);
}

/// Lets only root open this tty from now on.
pub(crate) fn set_exclusive(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed, and the request takes no argument and touches no memory.
    unsafe { raw::tiocexcl(fd.as_raw_fd()) }.map(drop)
}

/// Lets every program open this tty again.
pub(crate) fn clear_exclusive(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed, and the request takes no argument and touches no memory.
    unsafe { raw::tiocnxcl(fd.as_raw_fd()) }.map(drop)
}

/// Resets the USB device whose usbfs node this is. Waits until the kernel has found it again.
pub(crate) fn reset_usb_device(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed, and the request takes no argument and touches no memory.
    unsafe { raw::usbdevfs_reset(fd.as_raw_fd()) }.map(drop)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

    use nix::libc;

    mod raw {
        use super::libc;

        nix::ioctl_read_bad!(tiocgexcl, libc::TIOCGEXCL, libc::c_int);
    }

    pub(crate) fn is_exclusive(fd: BorrowedFd<'_>) -> bool {
        let mut answer = 0;
        // SAFETY: the descriptor is open for as long as it is borrowed, and the request writes one int, to `answer`.
        unsafe { raw::tiocgexcl(fd.as_raw_fd(), &mut answer) }.expect("TIOCGEXCL");
        answer != 0
    }

    #[test]
    fn a_tty_is_exclusive_until_that_is_cleared() {
        let pty = nix::pty::openpty(None, None).unwrap();
        assert!(!is_exclusive(pty.slave.as_fd()), "a fresh tty must not be exclusive");
        super::set_exclusive(pty.slave.as_fd()).unwrap();
        assert!(is_exclusive(pty.slave.as_fd()));
        super::clear_exclusive(pty.slave.as_fd()).unwrap();
        assert!(!is_exclusive(pty.slave.as_fd()));
    }
}
