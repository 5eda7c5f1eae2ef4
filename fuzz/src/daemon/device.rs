//! The device: a listening unix socket, and what it says to the daemon that connects.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use ekey_proto::wire::FRAME_LEN;
use ekey_proto::{LongTermKey, Nonce, Serial};

use crate::choices::Choices;
use crate::signer::{FrameBytes, Signer};

/// Its serial number and long-term key, as the daemon's keyring has them.
pub(super) const SERIAL: [u8; 12] = [7; 12];
pub(super) const LONG_TERM_KEY: [u8; 32] = [0x4c; 32];
/// The most frames that one step sends.
const MOST_FRAMES: u32 = 1 << 14;
/// How long to wait for the daemon to connect: it looks for a lost key again after seconds.
const CONNECTS_WITHIN: Duration = Duration::from_secs(60);
const PIECE: usize = 64 * FRAME_LEN;

pub(super) struct Device {
    listener: UnixListener,
    link: Option<UnixStream>,
    key: Signer,
    /// What the host has sent last: the nonce of its `K`, once it is whole.
    heard: Vec<u8>,
    nonce: Nonce,
    last: FrameBytes,
}

impl Device {
    /// Listens in a new folder. Returns the folder too.
    pub(super) fn listen() -> (tempfile::TempDir, Self) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let listener = UnixListener::bind(folder.path().join("key")).expect("a socket can be made");
        listener.set_nonblocking(true).expect("a socket can be set up");
        let key = Signer::new(Serial::from_bytes(SERIAL));
        let last = key.text(*b"k>", "");
        let device = Self { listener, link: None, key, heard: Vec::new(), nonce: Nonce::new(0, [0; 8]), last };
        (folder, device)
    }

    /// Does one thing, until `end` at the latest.
    pub(super) fn step(&mut self, choices: &mut Choices<'_>, end: Instant) {
        self.hear();
        let frame = match choices.below(20) {
            0 => self.key.reset(Serial::from_bytes([[7; 12], [8; 12], [choices.byte(); 12]][choices.below(3)])),
            1 => {
                // A well-behaved key's answer to a reset.
                let serial = Serial::from_bytes(SERIAL);
                let hello = self.key.reset(serial);
                self.say(&hello, 1, end);
                self.key.text(*b"k>", "")
            }
            2 | 3 => self.key.rekey(&LongTermKey::from_bytes(LONG_TERM_KEY), &self.nonce, 12),
            4 => self.key.rekey(&LongTermKey::from_bytes([choices.byte(); 32]), &self.nonce, choices.word() & 0xfff),
            5 | 6 => return self.give(choices, end),
            7 => self.key.text(*b"I>", &String::from_utf8_lossy(choices.some(50))),
            8 => self.key.text(*b"I>", &format!("S08052:23751:23792:23584:07112:20876:08063:24150:{}", choices.below(10))),
            9 => self.key.text(*b"I>", &format!("T{:05} V{:05}", choices.word(), choices.word())),
            10 => self.key.text(*[b"B>", b"W>", b"l>", b"M>", b"k>", b"x!"][choices.below(6)], "said"),
            11 => {
                let kind = [choices.byte(), choices.byte()];
                self.key.text(kind, &String::from_utf8_lossy(choices.some(50)))
            }
            12 => {
                let mut content = [b' '; 52];
                content.iter_mut().zip(choices.some(52)).for_each(|(slot, byte)| *slot = *byte);
                self.key.sign(content)
            }
            13 => {
                let mut frame = self.last;
                frame[2 + choices.below(60)] ^= 1 << choices.below(8);
                frame
            }
            14 => return self.send(choices.some(255), end),
            // A flood of what was said last.
            15 | 16 => return self.say(&self.last.clone(), 1 << choices.below(15), end),
            17 => {
                self.link = None;
                return;
            }
            18 => return self.key.become_another(Serial::from_bytes(SERIAL)),
            _ => return std::thread::sleep(Duration::from_millis(choices.below(50) as u64)),
        };
        self.last = frame;
        self.say(&frame, 1, end);
    }

    /// Sends blocks of entropy, some of them no entropy.
    fn give(&mut self, choices: &mut Choices<'_>, end: Instant) {
        let kind = choices.below(4);
        let mut state = u64::from(choices.byte()) + 1;
        for _ in 0..1 << choices.below(9) {
            let mut block = [kind as u8; 32];
            if kind > 0 {
                for byte in &mut block {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (state >> 56) as u8;
                }
            }
            self.last = self.key.entropy(self.key.next & 0xfff, &block);
            if Instant::now() > end {
                return;
            }
            self.say(&self.last.clone(), 1, end);
        }
    }

    fn say(&mut self, frame: &FrameBytes, count: u32, end: Instant) {
        let mut left = count.min(MOST_FRAMES) as usize * FRAME_LEN;
        let piece = frame.repeat(left.min(PIECE) / FRAME_LEN);
        while left > 0 && Instant::now() <= end {
            let now = &piece[..left.min(piece.len())];
            self.send(now, end);
            left -= now.len();
        }
    }

    /// Sends bytes as the daemon takes them. What it has not taken by `end` is never sent.
    fn send(&mut self, mut bytes: &[u8], end: Instant) {
        while !bytes.is_empty() {
            self.hear();
            match self.connected().write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() > end {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(_) => {
                    self.link = None;
                    return;
                }
            }
        }
    }

    /// Reads what the host has said, and notes the nonce of a request for a session.
    fn hear(&mut self) {
        let mut buffer = [0; 256];
        while let Ok(count) = self.connected().read(&mut buffer) {
            if count == 0 {
                self.link = None;
                return;
            }
            self.heard.extend_from_slice(&buffer[..count]);
        }
        if let Some(nonce) = self.heard.windows(18).rev().find_map(nonce_in) {
            self.nonce = nonce;
            self.heard.clear();
        }
        let excess = self.heard.len().saturating_sub(64);
        self.heard.drain(..excess);
    }

    /// Returns the link. Waits for the daemon to connect if there is none.
    fn connected(&mut self) -> &mut UnixStream {
        if self.link.is_none() {
            let give_up = Instant::now() + CONNECTS_WITHIN;
            let link = loop {
                match self.listener.accept() {
                    Ok((link, _)) => break link,
                    Err(_) => assert!(Instant::now() < give_up, "the daemon does not connect to its key any more"),
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            link.set_nonblocking(true).expect("a socket can be set up");
            self.heard.clear();
            self.link = Some(link);
        }
        self.link.as_mut().expect("it was just made")
    }
}

/// Reads `K`, 16 characters of base64, `.`: a nonce of 12 bytes.
fn nonce_in(said: &[u8]) -> Option<Nonce> {
    let [b'K', encoded @ .., b'.'] = said else { return None };
    let bytes: [u8; 12] = decode(encoded)?.try_into().ok()?;
    let counter = u32::from_le_bytes(bytes[..4].try_into().ok()?);
    Some(Nonce::new(counter, bytes[4..].try_into().ok()?))
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut bytes = Vec::new();
    for piece in text.chunks_exact(4) {
        for character in piece {
            bits = bits << 6 | ALPHABET.iter().position(|known| known == character)? as u32;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(bytes)
}
