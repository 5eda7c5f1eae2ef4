//! The conversation with the key, and what a failure means for the key.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_control::KeyState;
use ekey_link::{Interrupt, Link, LinkError, Read};
use ekey_proto::session::{Event, LongTermRekey, Output, RekeyError, RekeyOutput, Session, State, Timings};
use ekey_proto::wire::Command;
use ekey_proto::{Instant as SessionInstant, LongTermKey, MasterKey, Nonce, Serial};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use thiserror::Error;

const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for a program that is releasing the key.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait for a frame under the new long-term key. A key needs about two seconds.
const PROOF_PATIENCE: Duration = Duration::from_secs(15);

/// Why the key has no new long-term key, or an unknown one.
#[derive(Debug, Error)]
pub(crate) enum DeviceError {
    /// The key's link cannot be opened (host).
    #[error("{0}; nothing was changed")]
    Unreachable(LinkError),
    /// The link broke before the command for a new long-term key.
    #[error("{0}; nothing was changed")]
    BrokeBefore(LinkError),
    /// The link broke after that.
    #[error("{0}; the key's new long-term key may be in no keyring: repeat the rekey with the same master key")]
    BrokeAfter(LinkError),
    /// The rekey failed.
    #[error(transparent)]
    Rekey(RekeyError),
    /// The host has no randomness for a nonce (host).
    #[error("cannot make a nonce: {0}; nothing was changed: try again in a minute")]
    NoNonce(io::Error),
}

impl DeviceError {
    /// Reports whether the key may have a new long-term key that the host does not know.
    pub(crate) fn may_have_changed(&self) -> bool {
        match self {
            Self::BrokeAfter(_) | Self::Rekey(RekeyError::NoReply | RekeyError::NonceLength(_)) => true,
            Self::Unreachable(_) | Self::BrokeBefore(_) | Self::Rekey(_) | Self::NoNonce(_) => false,
        }
    }
}

/// Makes the key at `path` take a new long-term key. Returns it with the key's serial number, after at most about 15 s.
///
/// # Errors
/// [`DeviceError`]; [`DeviceError::may_have_changed`] says whether the key changed.
pub(crate) fn new_long_term_key(
    path: &Path,
    master_key: Box<MasterKey>,
    expected: Option<Serial>,
) -> Result<(Serial, LongTermKey), DeviceError> {
    let nonce = nonce().map_err(DeviceError::NoNonce)?;
    let interrupt = Interrupt::new().map_err(DeviceError::Unreachable)?;
    let mut link = open(path, &interrupt).map_err(DeviceError::Unreachable)?;
    let mut told = false;
    let outcome = converse(&mut *link, master_key, nonce, expected, &mut told);
    link.close();
    outcome.map_err(|error| match error {
        Ended::Rekey(error) => DeviceError::Rekey(error),
        Ended::Link(error) if told => DeviceError::BrokeAfter(error),
        Ended::Link(error) => DeviceError::BrokeBefore(error),
    })
}

enum Ended {
    Rekey(RekeyError),
    Link(LinkError),
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

/// Carries out the outputs of the rekey. Sets `told` before it sends the command for a new long-term key.
fn converse(
    link: &mut dyn Link,
    master_key: Box<MasterKey>,
    nonce: Nonce,
    expected: Option<Serial>,
    told: &mut bool,
) -> Result<(Serial, LongTermKey), Ended> {
    let start = Instant::now();
    let now = || SessionInstant::after_start(start.elapsed());
    let mut rekey = LongTermRekey::new(now(), master_key, nonce, expected);
    let mut buffer = [0; 4096];
    let mut unread = 0..0;
    loop {
        match rekey.poll_output() {
            RekeyOutput::Write(command) => {
                *told |= matches!(command, Command::RekeyLongTerm(_));
                link.write_all(command.to_bytes().as_ref(), Instant::now() + WRITE_PATIENCE)?;
            }
            RekeyOutput::Done { serial, long_term_key } => return Ok((serial, long_term_key)),
            RekeyOutput::Failed(error) => return Err(Ended::Rekey(error)),
            RekeyOutput::WaitUntil(at) => {
                if unread.is_empty()
                    && let Read::Bytes(count) = link.read(&mut buffer, start + at.since_start())?
                {
                    unread = 0..count;
                }
                unread.start += rekey.handle_input(now(), buffer.get(unread.clone()).unwrap_or_default());
                rekey.handle_timeout(now());
            }
        }
    }
}

/// Why no frame has verified under the new long-term key.
#[derive(Debug, Error)]
pub(crate) enum Unproven {
    /// The key's link cannot be opened, or broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The host has no randomness for a nonce (host).
    #[error("cannot read /dev/urandom: {0}; check /dev")]
    NoNonce(io::Error),
    /// Time is up.
    #[error("{}, for {} s", KeyState::from(*state).short_word(), PROOF_PATIENCE.as_secs())]
    NoFrame { state: State },
}

/// Checks that a frame of the key at `path` verifies in a session under its new long-term key.
///
/// # Errors
/// [`Unproven`].
pub(crate) fn prove(path: &Path, serial: Serial, key: &LongTermKey) -> Result<(), Unproven> {
    let interrupt = Interrupt::new()?;
    let mut link = open(path, &interrupt)?;
    let outcome = await_frame(&mut *link, serial, key);
    link.close();
    outcome
}

fn await_frame(link: &mut dyn Link, serial: Serial, key: &LongTermKey) -> Result<(), Unproven> {
    let start = Instant::now();
    let now = || SessionInstant::after_start(start.elapsed());
    let until = start + PROOF_PATIENCE;
    let mut session = Session::new(now(), Some(serial), Timings::default());
    let mut buffer = [0; 4096];
    let mut unread = 0..0;
    loop {
        match session.poll_output() {
            Output::Write(command) => link.write_all(command.to_bytes().as_ref(), Instant::now() + WRITE_PATIENCE)?,
            Output::NeedNonce(_) => {
                session.handle_nonce(now(), nonce().map_err(Unproven::NoNonce)?, Some(key.duplicate()));
            }
            // A frame has verified under the session key.
            Output::Event(Event::State(State::Running)) => return Ok(()),
            Output::Event(_) => {}
            Output::WaitUntil(_) if Instant::now() >= until => {
                return Err(Unproven::NoFrame { state: session.state() });
            }
            Output::WaitUntil(at) => {
                let at = (start + at.since_start()).min(until);
                if unread.is_empty()
                    && let Read::Bytes(count) = link.read(&mut buffer, at)?
                {
                    unread = 0..count;
                }
                unread.start += session.handle_input(now(), buffer.get(unread.clone()).unwrap_or_default(), drop);
                session.handle_timeout(now());
            }
        }
    }
}

/// Opens the key. Waits for a program that is releasing it.
fn open(path: &Path, interrupt: &Interrupt) -> Result<Box<dyn Link>, LinkError> {
    let until = Instant::now() + BUSY_PATIENCE;
    loop {
        match ekey_link::open(path, interrupt) {
            Err(LinkError::Busy { .. }) if Instant::now() < until => sleep(BUSY_PAUSE),
            outcome => return outcome,
        }
    }
}

/// Makes a new nonce. It must never repeat, and need not be secret.
///
/// # Errors
/// The kernel's generator is not ready: then its bytes may be those of an earlier start, and a recorded answer of the key would give
/// an old long-term key.
fn nonce() -> io::Result<Nonce> {
    nonce_from(|out| getrandom(out, GetRandomFlags::NONBLOCK))
}

fn nonce_from(random: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Nonce> {
    let mut bytes = [0; Nonce::LEN];
    match random(&mut bytes) {
        Ok(Nonce::LEN) => {}
        Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(Errno::AGAIN) => return Err(io::Error::other("the kernel's generator is not ready")),
        Err(errno) => return Err(errno.into()),
    }
    let [a, b, c, d, rest @ ..] = bytes;
    Ok(Nonce::new(u32::from_le_bytes([a, b, c, d]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nonce_comes_from_a_generator_that_may_repeat() {
        let refused =
            nonce_from(|_| Err(Errno::AGAIN)).map(drop).map_err(DeviceError::NoNonce).map_err(|why| why.to_string());
        assert!(refused.is_err_and(|why| why.contains("not ready") && why.contains("nothing was changed")));
        assert!(nonce_from(|_| Ok(3)).is_err(), "too few bytes");
        let [one, other] = [(); 2].map(|()| nonce().unwrap());
        assert_ne!(one, other);
    }
}
