//! The kernel's generator, which the daemon never waits for: it may be the daemon that seeds it.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Stays open, so that a process at its limit of open files still gets bytes.
static SOURCE: OnceLock<File> = OnceLock::new();

/// Fills `out` from `/dev/urandom`. Until the generator [is ready](is_ready), the bytes may be the same after each start of the
/// machine.
///
/// # Errors
/// `/dev/urandom` cannot be read.
pub(crate) fn fill(out: &mut [u8]) -> io::Result<()> {
    let mut source = match SOURCE.get() {
        Some(source) => source,
        None => {
            let opened = File::open("/dev/urandom")?;
            SOURCE.get_or_init(|| opened)
        }
    };
    source.read_exact(out)
}

/// Returns whether the generator has been seeded, so that getrandom(2) no longer waits.
pub(crate) fn is_ready() -> bool {
    let mut byte = [0];
    loop {
        match getrandom(&mut byte, GetRandomFlags::NONBLOCK) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            // A kernel without getrandom cannot say, and does not wait either.
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_gives_other_bytes() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        fill(&mut one).unwrap();
        fill(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
