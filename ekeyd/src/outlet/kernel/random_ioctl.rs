//! The calls on the kernel's generator that need unsafe code: random(4) `RNDADDENTROPY` and `RNDRESEEDCRNG`.
#![expect(unsafe_code, reason = "nix has no safe wrappers for these requests")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use zeroize::Zeroize;

/// Limit of one call of [`add_entropy`], in bytes.
pub(crate) const MOST_BYTES: usize = 512;

/// `struct rand_pool_info` of random(4), with room for [`MOST_BYTES`].
#[repr(C)]
struct PoolInfo {
    entropy_count: libc::c_int,
    buf_size: libc::c_int,
    buf: [u8; MOST_BYTES],
}

mod raw {
    use super::{PoolInfo, libc};

    // _IOW('R', 0x03, int [2]): the size in the request is that of the head alone.
    nix::ioctl_write_ptr_bad!(
        rndaddentropy,
        nix::request_code_write!(b'R', 0x03, size_of::<[libc::c_int; 2]>()),
        PoolInfo
    );
    nix::ioctl_none_bad!(rndreseedcrng, nix::request_code_none!(b'R', 0x07));
}

/// Mixes `bytes`, at most [`MOST_BYTES`], into the kernel's pool and credits it `credit_bits` bits of entropy.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `E2BIG` for too many bytes, `ENOTTY` if the device is not a random device.
pub(crate) fn add_entropy(device: BorrowedFd<'_>, bytes: &[u8], credit_bits: u32) -> nix::Result<()> {
    let mut info = PoolInfo {
        entropy_count: credit_bits.try_into().map_err(|_| Errno::EINVAL)?,
        buf_size: bytes.len().try_into().map_err(|_| Errno::E2BIG)?,
        buf: [0; MOST_BYTES],
    };
    info.buf.get_mut(..bytes.len()).ok_or(Errno::E2BIG)?.copy_from_slice(bytes);
    // SAFETY: the descriptor stays open while it is borrowed. The kernel reads two ints and then `buf_size` bytes, which
    // the slicing above has shown to be within `buf`, and it writes nothing.
    let outcome = unsafe { raw::rndaddentropy(device.as_raw_fd(), &raw const info) };
    info.buf.zeroize();
    outcome.map(drop)
}

/// Makes the kernel's generator take a new seed from the pool now, where it is of 2022 or later. Older ones would drain the pool.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `ENODATA` if the generator was never seeded, `ENOTTY` if the device is not a random device.
pub(crate) fn reseed(device: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the descriptor stays open while it is borrowed, and the request has no argument.
    unsafe { raw::rndreseedcrng(device.as_raw_fd()) }.map(drop)
}
