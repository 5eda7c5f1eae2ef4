//! The host's side of a plugged-in key, over any stream.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_proto::crypt::{self, Opened, SessionKey};
use ekey_proto::wire::Packet;
use ekey_proto::{Framer, LongTermKey, Serial, SessionCrypt};
use ekey_sim::{Plug, Pty, UnixSocket};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg};

/// Only a hang reaches this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(600);

/// One verified thing that the host has heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Serial(Serial),
    Rekeyed,
    NeedsSession,
    Entropy(u16, [u8; 32]),
    Other,
    Wrong,
}

pub(crate) struct Host<T> {
    link: T,
    framer: Framer,
    crypt: SessionCrypt,
    serial: Serial,
    bytes: Vec<u8>,
}

/// A way from a host to a key, and the plug at the key's end.
pub(crate) trait Link: Read + Write + AsFd + Sized {
    type Plug: Plug + Send + 'static;

    /// Plugs a key in at `path`.
    fn plug(path: &Path) -> Self::Plug;

    /// Opens the way to the key at `path`.
    fn open(path: &Path) -> Self;
}

impl Link for UnixStream {
    type Plug = UnixSocket;

    fn plug(path: &Path) -> UnixSocket {
        UnixSocket::open(path).expect("plugs in")
    }

    fn open(path: &Path) -> Self {
        Self::connect(path).expect("the key listens")
    }
}

impl Link for File {
    type Plug = Pty;

    fn plug(path: &Path) -> Pty {
        Pty::open(path).expect("plugs in")
    }

    /// Makes the terminal raw at once.
    fn open(path: &Path) -> Self {
        let file = open(path);
        let mut raw = termios::tcgetattr(&file).expect("a terminal");
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&file, SetArg::TCSANOW, &raw).expect("can be raw");
        file
    }
}

/// Opens a terminal as it is.
pub(crate) fn open(path: &Path) -> File {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    File::options().read(true).write(true).custom_flags(flags.bits()).open(path).expect("the link leads to a terminal")
}

impl<T: Link> Host<T> {
    pub(crate) fn open(path: &Path) -> Self {
        let serial = Serial::from_bytes([0; 12]);
        let crypt = SessionCrypt::new(&serial, &SessionKey::ZERO);
        Self { link: T::open(path), framer: Framer::new(), crypt, serial, bytes: Vec::new() }
    }

    /// Opens the way after another host and keeps its session.
    pub(crate) fn open_after(other: Self, path: &Path) -> Self {
        let (crypt, serial) = other.leave();
        Self { crypt, serial, ..Self::open(path) }
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.link.write_all(bytes).expect("the key takes it");
    }

    /// Returns the next thing that the key says, or `None` if it says nothing for `time`.
    pub(crate) fn hear_within(&mut self, time: Duration) -> Option<Heard> {
        let deadline = Instant::now() + time;
        loop {
            let mut rest = &self.bytes[..];
            let frame = self.framer.next_frame(&mut rest);
            self.bytes = rest.to_vec();
            if let Some(frame) = frame {
                return Some(self.believe(&frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.link.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::try_from(left).expect("short")).expect("polls") == 0 {
                return None;
            }
            let mut buf = [0; 8192];
            match self.link.read(&mut buf) {
                Ok(0) => return None,
                Ok(len) => self.bytes.extend(&buf[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn hear(&mut self) -> Heard {
        self.hear_within(DEADLINE).expect("the key says something")
    }

    /// Waits until the key says something that `is_wanted` accepts.
    pub(crate) fn await_heard(&mut self, is_wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.hear();
            if is_wanted(&heard) {
                return heard;
            }
        }
    }

    /// Resets the key and starts a session.
    pub(crate) fn begin(&mut self) -> Serial {
        self.say(b"\x03");
        self.await_heard(|heard| matches!(heard, Heard::Serial(_)));
        self.rekey();
        self.serial
    }

    pub(crate) fn rekey(&mut self) {
        self.say(b"KAAAA.");
        self.await_heard(|heard| *heard == Heard::Rekeyed);
    }

    /// Returns `count` blocks, and starts new sessions as the key asks.
    pub(crate) fn blocks(&mut self, count: usize) -> Vec<u8> {
        let mut blocks = Vec::new();
        while blocks.len() < 32 * count {
            match self.hear() {
                Heard::Entropy(_, block) => blocks.extend(block),
                Heard::NeedsSession => self.rekey(),
                Heard::Other => {}
                heard => panic!("{heard:?} after {} blocks", blocks.len() / 32),
            }
        }
        blocks
    }

    /// Closes the link and returns the session.
    fn leave(self) -> (SessionCrypt, Serial) {
        (self.crypt, self.serial)
    }

    fn believe(&mut self, frame: &ekey_proto::Frame) -> Heard {
        if let Some((serial, crypt)) = crypt::verify_serial(frame) {
            (self.serial, self.crypt) = (*serial.get(), crypt);
            return Heard::Serial(self.serial);
        }
        let packet = match self.crypt.open(frame) {
            Ok(Opened::Entropy { sequence, block }) => return Heard::Entropy(sequence.value(), *block.as_bytes()),
            Ok(Opened::Packet(packet)) => packet,
            Err(_) => return Heard::Wrong,
        };
        match packet.get() {
            Packet::SessionRekeyed(device) => {
                let key = LongTermKey::from_bytes([7; 32]).session_key(&self.serial, device, &[0; 3]);
                self.crypt = SessionCrypt::new(&self.serial, &key);
                Heard::Rekeyed
            }
            Packet::NeedSessionKey => Heard::NeedsSession,
            _ => Heard::Other,
        }
    }
}
