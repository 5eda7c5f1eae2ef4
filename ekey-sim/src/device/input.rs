//! Parses the host's bytes one by one, as the key does.

use ekey_proto::wire::{self, MAC_LEN};

/// A request from the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// `^C`, or `R` between commands.
    Reset,
    /// `K`, the nonce, `.`
    RekeySession(Vec<u8>),
    /// `M` and the MAC of the nonce to come.
    UnlockLongTerm([u8; MAC_LEN]),
    /// `L`, the nonce, `.`
    RekeyLongTerm(Vec<u8>),
    /// A byte that means nothing in its place. The key skips the rest of its packet.
    Unknown(u8),
}

/// Resets the key at any place, also inside another command.
pub(super) const CTRL_C: u8 = 0x03;
/// The longest nonce, in bytes: its length must fit the 12 bits of an answer's sub-code.
const LONGEST_NONCE: usize = 4095;
const QUAD: usize = 4;

/// The parser's state between two bytes.
#[derive(Debug, Default)]
pub(super) struct Input {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Nonce(Nonce),
    Mac {
        digits: [u8; MAC_LEN],
        filled: usize,
    },
}

impl Input {
    /// Takes bytes off the front of `packet` up to the end of one request. Returns `None` when the packet is used up; a
    /// request may continue in the next packet.
    pub(super) fn next_request(&mut self, packet: &mut &[u8]) -> Option<Request> {
        while let Some((byte, rest)) = packet.split_first() {
            *packet = rest;
            let Some(request) = self.take(*byte) else { continue };
            self.state = State::Idle;
            if matches!(request, Request::Unknown(_)) {
                // Skip the rest of the packet, but never a reset.
                let reset = rest.iter().position(|byte| *byte == CTRL_C).unwrap_or(rest.len());
                *packet = &rest[reset..];
            }
            return Some(request);
        }
        None
    }

    fn take(&mut self, byte: u8) -> Option<Request> {
        if byte == CTRL_C {
            return Some(Request::Reset);
        }
        match &mut self.state {
            State::Idle => match byte {
                b'R' | b'r' => Some(Request::Reset),
                b'K' | b'k' => self.begin(State::Nonce(Nonce::of(Request::RekeySession))),
                b'L' | b'l' => self.begin(State::Nonce(Nonce::of(Request::RekeyLongTerm))),
                b'M' | b'm' => self.begin(State::Mac { digits: [0; MAC_LEN], filled: 0 }),
                _ => Some(Request::Unknown(byte)),
            },
            State::Nonce(nonce) => nonce.take(byte),
            State::Mac { digits, filled } => {
                if !is_digit(byte) {
                    return Some(Request::Unknown(byte));
                }
                digits[*filled] = byte;
                *filled += 1;
                (*filled == MAC_LEN).then_some(Request::UnlockLongTerm(*digits))
            }
        }
    }

    fn begin(&mut self, state: State) -> Option<Request> {
        self.state = state;
        None
    }
}

/// A nonce that is still arriving.
#[derive(Debug)]
struct Nonce {
    request: fn(Vec<u8>) -> Request,
    bytes: Vec<u8>,
    quad: [u8; QUAD],
    filled: usize,
    /// A padded quad has come, so no digit may follow.
    complete: bool,
}

impl Nonce {
    const fn of(request: fn(Vec<u8>) -> Request) -> Self {
        Self { request, bytes: Vec::new(), quad: [0; QUAD], filled: 0, complete: false }
    }

    fn take(&mut self, byte: u8) -> Option<Request> {
        if byte == b'.' && self.filled == 0 {
            return Some((self.request)(std::mem::take(&mut self.bytes)));
        }
        let may_pad = byte == b'=' && self.filled >= 2;
        if self.complete || !(is_digit(byte) || may_pad) {
            return Some(Request::Unknown(byte));
        }
        self.quad[self.filled] = byte;
        self.filled += 1;
        if self.filled < QUAD {
            return None;
        }
        self.filled = 0;
        let taken = self.take_quad() && self.bytes.len() <= LONGEST_NONCE;
        (!taken).then_some(Request::Unknown(byte))
    }

    fn take_quad(&mut self) -> bool {
        let padding = self.quad.iter().filter(|digit| **digit == b'=').count();
        self.complete = padding > 0;
        match padding {
            0 => wire::decode::<3>(&self.quad).is_ok_and(|bytes| self.add(&bytes)),
            1 => wire::decode::<2>(&self.quad).is_ok_and(|bytes| self.add(&bytes)),
            _ => wire::decode::<1>(&self.quad).is_ok_and(|bytes| self.add(&bytes)),
        }
    }

    fn add(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        true
    }
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(packets: &[&[u8]]) -> Vec<Request> {
        let mut input = Input::default();
        let mut found = Vec::new();
        for packet in packets {
            let mut rest = *packet;
            found.extend(std::iter::from_fn(|| input.next_request(&mut rest)));
        }
        found
    }

    #[test]
    fn every_command_is_read_in_both_cases() {
        assert_eq!(requests(&[b"Rr\x03"]), [Request::Reset, Request::Reset, Request::Reset]);
        for text in [b"KAQID.", b"kAQID."] {
            assert_eq!(requests(&[text]), [Request::RekeySession(vec![1, 2, 3])]);
        }
        for text in [b"LAQ==.", b"lAQ==."] {
            assert_eq!(requests(&[text]), [Request::RekeyLongTerm(vec![1])]);
        }
        for text in [b"MxM123KgX", b"mxM123KgX"] {
            assert_eq!(requests(&[text]), [Request::UnlockLongTerm(*b"xM123KgX")]);
        }
    }

    #[test]
    fn a_command_may_come_in_any_number_of_packets() {
        let pieces: Vec<&[u8]> = b"KAQIDBAU=.MxM123KgX".chunks(1).collect();
        let expected = [Request::RekeySession(vec![1, 2, 3, 4, 5]), Request::UnlockLongTerm(*b"xM123KgX")];
        assert_eq!(requests(&pieces), expected);
    }

    #[test]
    fn a_nonce_has_0_to_4095_bytes() {
        assert_eq!(requests(&[b"K."]), [Request::RekeySession(vec![])]);
        let longest = [&b"K"[..], &[b'A'; 4095 / 3 * 4], b"."].concat();
        assert_eq!(requests(&[&longest]), [Request::RekeySession(vec![0; 4095])]);
        let longer = [&b"K"[..], &[b'A'; 4095 / 3 * 4], b"AA==."].concat();
        assert_eq!(requests(&[&longer]), [Request::Unknown(b'=')]);
    }

    #[test]
    fn a_bad_nonce_is_rejected_at_its_first_bad_byte() {
        for (text, byte) in [
            (&b"KAQI."[..], b'.'),
            (b"K=", b'='),
            (b"KA=", b'='),
            (b"KAA=A", b'A'),
            (b"KAQ==A", b'A'),
            (b"KAQJ=", b'='),
            (b"KAQID*", b'*'),
            (b"KAQ ID", b' '),
            (b"M=", b'='),
            (b"e", b'e'),
        ] {
            assert_eq!(requests(&[text]), [Request::Unknown(byte)], "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_unknown_byte_skips_its_packet_up_to_a_reset() {
        assert_eq!(requests(&[b"eRRRK.", b"R"]), [Request::Unknown(b'e'), Request::Reset]);
        assert_eq!(requests(&[b"eK.\x03K."]), [Request::Unknown(b'e'), Request::Reset, Request::RekeySession(vec![])]);
    }

    #[test]
    fn a_reset_ends_the_command_that_it_interrupts() {
        for text in [&b"KAQ\x03R"[..], b"MAAAAAAA\x03R", b"L\x03R"] {
            assert_eq!(requests(&[text]), [Request::Reset, Request::Reset], "{text:?}");
        }
    }
}
