//! A host that trusts nothing: all that it hears has passed framer, MAC check and unmasking.

use ekey_proto::crypt::{self, Opened};
use ekey_proto::wire::{Framer, Packet};
use ekey_proto::{LongTermKey, SessionCrypt};

use super::*;

/// One verified thing that the host has heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Serial(Serial),
    NeedsSession,
    Rekeyed(u16),
    Entropy(u16, [u8; 32]),
    Badness(char),
    Climate,
    Fips,
    Unlocked,
    LongTermRekeyed(DeviceEntropy),
    Refused(String),
    Unknown(String),
    GoneBad,
    /// A frame whose MAC is wrong, with its type.
    Wrong(u8),
}

/// A key and its host.
pub(super) struct Host {
    pub(super) key: Device,
    pub(super) now: Duration,
    /// Entropy that the key reports as sent whole.
    pub(super) log: Vec<u8>,
    /// The long-term key that the key last asked to have recorded.
    pub(super) kept: Option<LongTermKey>,
    pub(super) framer: Framer,
    /// All bytes from the key.
    pub(super) raw: Vec<u8>,
    /// The long-term key in the host's keyring.
    pub(super) long_term_key: LongTermKey,
    serial: Serial,
    nonce: Vec<u8>,
    crypt: SessionCrypt,
}

impl Host {
    pub(super) fn of(setup: Setup) -> Self {
        let (serial, long_term_key) = (setup.serial, setup.long_term_key.duplicate());
        Self {
            key: Device::new(setup),
            now: Duration::ZERO,
            log: Vec::new(),
            kept: None,
            framer: Framer::new(),
            raw: Vec::new(),
            long_term_key,
            serial,
            nonce: Vec::new(),
            crypt: SessionCrypt::new(&serial, &crypt::SessionKey::ZERO),
        }
    }

    /// Returns what the key says now, as bytes.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut output = Output::default();
        self.key.produce(self.now, &mut output);
        self.log.extend(&output.blocks);
        self.raw.extend(&output.bytes);
        self.kept = output.long_term_key.or(self.kept.take());
        output.bytes
    }

    /// Returns what the key says now, verified.
    pub(super) fn hear(&mut self) -> Vec<Heard> {
        let bytes = self.take();
        self.understand(&bytes)
    }

    /// Sends bytes and returns what the key says then.
    pub(super) fn say(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.key.handle_input(self.now, bytes);
        self.hear()
    }

    /// Asks for a session with this nonce.
    pub(super) fn rekey(&mut self, nonce: &[u8]) -> Vec<Heard> {
        self.nonce = nonce.to_vec();
        self.say(&command(b'K', nonce))
    }

    /// Advances the clock.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Collects at least `frames` blocks, and starts a session whenever the key asks for one.
    pub(super) fn entropy(&mut self, frames: usize) -> Vec<(u16, [u8; 32])> {
        let mut blocks = Vec::new();
        for _ in 0..20 * frames {
            let heard = self.hear();
            if heard.contains(&Heard::NeedsSession) {
                let more = self.rekey(&[1, 2, 3]);
                collect(more, &mut blocks);
            }
            collect(heard, &mut blocks);
            self.wait(Duration::from_millis(100));
            if blocks.len() >= frames {
                return blocks;
            }
        }
        panic!("{} of {frames} frames came", blocks.len());
    }

    pub(super) fn understand(&mut self, mut bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        while let Some(frame) = self.framer.next_frame(&mut bytes) {
            heard.push(self.believe(&frame));
        }
        heard
    }

    fn believe(&mut self, frame: &Frame) -> Heard {
        if let Some((serial, crypt)) = crypt::verify_serial(frame) {
            (self.serial, self.crypt) = (*serial.get(), crypt);
            return Heard::Serial(self.serial);
        }
        let packet = match self.crypt.open(frame) {
            Ok(Opened::Entropy { sequence, block }) => return Heard::Entropy(sequence.value(), *block.as_bytes()),
            Ok(Opened::Packet(packet)) => packet,
            Err(_) => return Heard::Wrong(frame.content()[0]),
        };
        match packet.get() {
            Packet::SessionRekeyed(device) => {
                let key = self.long_term_key.session_key(&self.serial, device, &self.nonce);
                self.crypt = SessionCrypt::new(&self.serial, &key);
                Heard::Rekeyed(device.nonce_len)
            }
            Packet::NeedSessionKey => Heard::NeedsSession,
            Packet::Info(info) => match (info.generators, info.fips, info.temperature.zip(info.voltage)) {
                (Some(state), None, None) => Heard::Badness(state.badness.code()),
                (None, Some(_), None) => Heard::Fips,
                (None, None, Some(_)) => Heard::Climate,
                _ => panic!("{info:?}"),
            },
            Packet::LongTermUnlocked => Heard::Unlocked,
            Packet::LongTermRekeyed(device) => Heard::LongTermRekeyed(*device),
            Packet::LongTermRefused(text) => Heard::Refused(text.to_string()),
            Packet::UnknownInput(text) => Heard::Unknown(text.to_string()),
            Packet::GeneratorsBad(_) => Heard::GoneBad,
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a command with a nonce.
pub(super) fn command(letter: u8, nonce: &[u8]) -> Vec<u8> {
    let mut text = vec![0; nonce.len().div_ceil(3) * 4];
    let _ = ekey_proto::wire::encode(nonce, &mut text);
    [&[letter], &text[..], b"."].concat()
}

fn collect(heard: Vec<Heard>, blocks: &mut Vec<(u16, [u8; 32])>) {
    blocks.extend(heard.into_iter().filter_map(|heard| match heard {
        Heard::Entropy(sequence, block) => Some((sequence, block)),
        _ => None,
    }));
}
