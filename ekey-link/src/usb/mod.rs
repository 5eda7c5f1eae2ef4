//! A key behind usbfs, driven by this process instead of the kernel's `cdc_acm`.
//!
//! Bytes go in and out by the bulk endpoints of the data interface; no request is ever sent to the key's control endpoint. The
//! firmware crashes on SET_CONTROL_LINE_STATE, so we leave line state and line coding alone. SET_CONFIGURATION would reset its
//! endpoints. We clear a halted endpoint only after the key has reported the halt.

mod claim;
mod failure;
mod layout;
mod node;
mod reader;
mod stall;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::find::FoundKey;
use crate::tty::Tty;
use crate::{Interrupt, Link, LinkError, Read, Transport, pipe};
use claim::Claim;
use reader::Reader;
use stall::Stalls;

/// How long to wait after a failed transfer for the device's node to go.
const LEAVING: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Longer than any caller waits; only so that the milliseconds fit.
const LONGEST_TRANSFER: Duration = Duration::from_secs(3600);

pub(crate) struct Usb {
    claim: Arc<Claim>,
    /// Ends before `inbound`, which it feeds.
    reader: Reader,
    inbound: UnixStream,
    stalls: Stalls,
    path: PathBuf,
    interrupt: Interrupt,
}

impl Usb {
    /// Takes the key whose usbfs node is `path` away from the kernel's driver and claims it. `address` is its bus and device number.
    pub(crate) fn open(path: &Path, address: (u16, u16), interrupt: &Interrupt) -> Result<Self, LinkError> {
        let key = node::key(path, address)?;
        let (handle, node) = node::open(path, address)?;
        let tty = hold_tty(&key)?;
        let claim = Arc::new(Claim::take(handle, node, path)?);
        // Its descriptor has hung up when the driver was detached; closing it frees the name ttyACM0.
        drop(tty);
        let (inbound, feed) = UnixStream::pair().map_err(|source| open_error(path, source))?;
        inbound.set_nonblocking(true).map_err(|source| open_error(path, source))?;
        let reader = Reader::start(Arc::clone(&claim), feed).map_err(|source| open_error(path, source))?;
        Ok(Self {
            claim,
            reader,
            inbound,
            stalls: Stalls::default(),
            path: path.to_owned(),
            interrupt: interrupt.clone(),
        })
    }

    /// Returns the error of a write, `Gone` if the key was unplugged: the first transfer after an unplug often fails as with a bad cable.
    fn write_error(&self, error: rusb::Error) -> LinkError {
        let noticed = Instant::now();
        while error != rusb::Error::NoDevice && self.path.exists() {
            if noticed.elapsed() >= LEAVING {
                return failure::broken(&self.path, error);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        LinkError::Gone
    }
}

impl Link for Usb {
    fn read(&mut self, buf: &mut [u8], deadline: Instant) -> Result<Read, LinkError> {
        match pipe::read(self.inbound.as_fd(), &self.path, &self.interrupt, buf, deadline) {
            Err(LinkError::Gone) => Err(failure::broken(&self.path, self.reader.verdict())),
            outcome => outcome,
        }
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.claim.write(rest, transfer_timeout(deadline)) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(rusb::Error::Timeout | rusb::Error::Interrupted) => {}
                Err(rusb::Error::Pipe) if self.stalls.forgive(Instant::now()) => {
                    self.claim.clear_out_stall().map_err(|error| self.write_error(error))?;
                }
                Err(error) => return Err(self.write_error(error)),
            }
            if !rest.is_empty() && Instant::now() >= deadline {
                let sent = bytes.len() - rest.len();
                return Err(LinkError::WriteTimedOut { path: self.path.clone(), sent, expected: bytes.len() });
            }
        }
        Ok(())
    }

    fn kind(&self) -> Transport {
        Transport::Usb
    }

    fn close(self: Box<Self>) {}
}

impl Drop for Usb {
    fn drop(&mut self) {
        // The reader may wait for room in the socket, or for the key: both waits end here.
        let _ = self.inbound.shutdown(std::net::Shutdown::Both);
        self.reader.stop(|| self.claim.end_transfers());
        // The last claim goes with `self`, and with it the key goes back to the kernel's driver.
    }
}

/// A timeout of zero would mean to wait for ever.
fn transfer_timeout(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), LONGEST_TRANSFER)
}

/// Holds the key's tty, if it has one, until the kernel's driver is detached: a program that has it open must not lose it to us.
fn hold_tty(key: &FoundKey) -> Result<Option<Tty>, LinkError> {
    let Some(path) = &key.tty else { return Ok(None) };
    match Tty::open(path, &Interrupt::new()?) {
        Ok(tty) => Ok(Some(tty)),
        Err(busy @ LinkError::Busy { .. }) => Err(busy),
        // A tty that cannot be used for another reason may well be why USB is tried.
        Err(_) => Ok(None),
    }
}

fn open_error(path: &Path, source: std::io::Error) -> LinkError {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(errno) => LinkError::open(path, errno),
        None => LinkError::Open { path: path.to_owned(), source },
    }
}
