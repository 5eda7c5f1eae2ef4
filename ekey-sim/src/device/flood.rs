//! The frames of a hostile key.

use ekey_proto::wire::{Badness, SubCode};
use ekey_proto::{Frame, Serial};

use super::session::Session;
use super::{Device, GONE_BAD, NEEDS_SESSION, Output};
use crate::FloodKind;

/// Frames that it makes at once.
const FRAMES: usize = 64;

impl Device {
    /// Returns what it floods the host with now.
    pub(super) fn flooding(&self) -> Option<FloodKind> {
        let flood = self.flood?;
        flood.after.is_none_or(|after| self.frames >= after.get()).then_some(flood.kind)
    }

    /// Appends the next frames of a flood.
    pub(super) fn flood(&mut self, flood: FloodKind, output: &mut Output) {
        for _ in 0..FRAMES {
            let (kind, before) = flood.at(self.flooded);
            let frame = self.flood_frame(kind, before % 2 == 1);
            self.flooded += 1;
            output.bytes.extend(frame.to_bytes());
        }
    }

    fn flood_frame(&mut self, kind: FloodKind, is_odd: bool) -> Frame {
        let (zeros, none) = ([0; 32], SubCode::new(0));
        match kind {
            FloodKind::Serial | FloodKind::All => self.state_serial(self.serial),
            FloodKind::Serials if is_odd => {
                let mut other = *self.serial.as_bytes();
                other[0] ^= 1;
                self.state_serial(Serial::from_bytes(other))
            }
            FloodKind::Serials => self.state_serial(self.serial),
            FloodKind::NeedKey => self.session.text(*b"k>", NEEDS_SESSION),
            FloodKind::Information => self.session.text(*b"I>", "T03120 V03250"),
            FloodKind::Badness => {
                let badness = if is_odd { Badness::from_code(b'8') } else { Badness::NONE };
                let text = format!("S10000:29500:29500:29500:10000:29500:10000:29500:{}", badness.code());
                self.session.text(*b"I>", &text)
            }
            FloodKind::GeneratorsBad => self.session.text(*b"B>", GONE_BAD),
            FloodKind::UnknownInput => self.session.text(*b"W>", "Unknown Input Character 0x21"),
            FloodKind::Unlocked => self.session.text(*b"M>", "Long-term rekey unlocked"),
            FloodKind::Refused => self.session.text(*b"l>", "Long-term rekey locked-out"),
            FloodKind::SessionAnswer => self.session.binary(*b"K!", SubCode::new(12), &zeros),
            FloodKind::LongTermAnswer => self.session.binary(*b"L!", SubCode::new(12), &zeros),
            FloodKind::Entropy => self.session.binary(*b"E!", none, &zeros),
            FloodKind::Unknown => self.session.text(*b"X>", "nothing that a key sends"),
            FloodKind::Malformed => self.session.text(*b"I>", "Tmany Vlots"),
        }
    }

    /// Begins a session under the zero key, as after a reset.
    fn state_serial(&mut self, serial: Serial) -> Frame {
        self.session = Session::reset(serial);
        self.session.serial_number()
    }
}
