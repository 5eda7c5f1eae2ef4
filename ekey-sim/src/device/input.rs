//! What the host sends, read byte by byte as the key reads it.

use ekey_proto::wire::{self, MAC_LEN};

/// What the host asks for.
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
    /// A byte that has no meaning where it stands. The rest of its packet is passed over.
    Unknown(u8),
}

/// The byte that is accepted everywhere.
pub(super) const CTRL_C: u8 = 0x03;
/// The longest nonce in bytes: what fits the 12 bits of an answer's sub-code.
const LONGEST_NONCE: usize = 4095;
const QUAD: usize = 4;

/// Where in a command the key is.
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
    /// Takes bytes off the front of `packet` up to the end of one request. `None` means that the packet is used up.
    ///
    /// A request may come in any number of packets.
    pub(super) fn next_request(&mut self, packet: &mut &[u8]) -> Option<Request> {
        while let Some((byte, rest)) = packet.split_first() {
            *packet = rest;
            let Some(request) = self.take(*byte) else { continue };
            self.state = State::Idle;
            if matches!(request, Request::Unknown(_)) {
                // A reset is accepted always, so it is not passed over either.
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

/// A nonce on its way in.
#[derive(Debug)]
struct Nonce {
    request: fn(Vec<u8>) -> Request,
    bytes: Vec<u8>,
    quad: [u8; QUAD],
    filled: usize,
    /// A padded quad is the last one.
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
        let due = [Request::RekeySession(vec![1, 2, 3, 4, 5]), Request::UnlockLongTerm(*b"xM123KgX")];
        assert_eq!(requests(&pieces), due);
    }

    #[test]
    fn a_nonce_has_from_none_to_4095_bytes() {
        assert_eq!(requests(&[b"K."]), [Request::RekeySession(vec![])]);
        let longest = [&b"K"[..], &[b'A'; 4095 / 3 * 4], b"."].concat();
        assert_eq!(requests(&[&longest]), [Request::RekeySession(vec![0; 4095])]);
        let longer = [&b"K"[..], &[b'A'; 4095 / 3 * 4], b"AA==."].concat();
        assert_eq!(requests(&[&longer]), [Request::Unknown(b'=')]);
    }

    #[test]
    fn what_is_no_nonce_is_refused_at_the_byte_where_it_shows() {
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
    fn the_rest_of_a_packet_behind_an_unknown_byte_is_passed_over_but_for_a_reset() {
        assert_eq!(requests(&[b"eRRRK.", b"R"]), [Request::Unknown(b'e'), Request::Reset]);
        assert_eq!(requests(&[b"eK.\x03K."]), [Request::Unknown(b'e'), Request::Reset, Request::RekeySession(vec![])]);
    }

    #[test]
    fn a_reset_ends_whatever_command_it_comes_in() {
        for text in [&b"KAQ\x03R"[..], b"MAAAAAAA\x03R", b"L\x03R"] {
            assert_eq!(requests(&[text]), [Request::Reset, Request::Reset], "{text:?}");
        }
    }
}
