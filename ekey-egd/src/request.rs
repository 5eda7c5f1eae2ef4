//! What a client can ask, as it goes over the wire. Numbers are big-endian.
//!
//! Source: the original's README.egd-protocol, commands `0x00` to `0x04`.

/// One request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `0x00`: how many bits are available? Answer: u32.
    Available,
    /// `0x01 n`: up to `n` bytes, at once. Answer: u8 count, then as many bytes.
    Take(u8),
    /// `0x02 n`: exactly `n` bytes, once they are there. Answer: the bytes.
    Wait(u8),
    /// `0x03 bits n`: the client offers the `count` bytes that follow. No answer.
    Offer {
        /// Bits of entropy that the client claims for them.
        bits: u16,
        /// Bytes that follow the request.
        count: u8,
    },
    /// `0x04`: which process serves? Answer: u8 length, then the process's number as text.
    ProcessId,
}

impl Request {
    /// Bytes of the longest request.
    pub const MOST_LEN: usize = 4;
    /// Bytes of entropy that a request can ask for.
    pub const MOST_BYTES: usize = u8::MAX as usize;

    /// Reads the request at the front of `input`. Returns it and its length in bytes, or `None` if `input` ends within it. The
    /// bytes that an [`Offer`](Self::Offer) announces do not count.
    ///
    /// # Errors
    /// [`UnknownCommand`] if the first byte starts none; the client is at fault, and where its next request starts is unknown.
    pub fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, UnknownCommand> {
        Ok(Some(match *input {
            [] | [0x01 | 0x02] | [0x03] | [0x03, _] | [0x03, _, _] => return Ok(None),
            [0x00, ..] => (Self::Available, 1),
            [0x01, count, ..] => (Self::Take(count), 2),
            [0x02, count, ..] => (Self::Wait(count), 2),
            [0x03, high, low, count, ..] => (Self::Offer { bits: u16::from_be_bytes([high, low]), count }, 4),
            [0x04, ..] => (Self::ProcessId, 1),
            [unknown, ..] => return Err(UnknownCommand(unknown)),
        }))
    }

    /// Writes the request into `room`, and returns the part of it that goes over the wire.
    pub fn encode(self, room: &mut [u8; Self::MOST_LEN]) -> &[u8] {
        let len;
        (*room, len) = match self {
            Self::Available => ([0x00, 0, 0, 0], 1),
            Self::Take(count) => ([0x01, count, 0, 0], 2),
            Self::Wait(count) => ([0x02, count, 0, 0], 2),
            Self::Offer { bits, count } => {
                let [high, low] = bits.to_be_bytes();
                ([0x03, high, low, count], 4)
            }
            Self::ProcessId => ([0x04, 0, 0, 0], 1),
        };
        &room[..len]
    }
}

/// This byte starts no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the client sent {0:#04x}, which is not a command of the EGD protocol; correct the address that it connects to"
)]
pub struct UnknownCommand(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_read_and_written_as_documented() {
        for (bytes, request) in [
            (&[0x00][..], Request::Available),
            (&[0x01, 7], Request::Take(7)),
            (&[0x02, 64], Request::Wait(64)),
            (&[0x02, 44], Request::Wait(44)),
            (&[0x03, 1, 8, 33], Request::Offer { bits: 264, count: 33 }),
            (&[0x04], Request::ProcessId),
        ] {
            assert_eq!(request.encode(&mut [0x77; 4]), bytes);
            assert_eq!(Request::decode(bytes), Ok(Some((request, bytes.len()))));
            assert_eq!(Request::decode(&[bytes, &[0x77]].concat()), Ok(Some((request, bytes.len()))));
            for end in 0..bytes.len() {
                assert_eq!(Request::decode(&bytes[..end]), Ok(None), "the first {end} bytes of {bytes:?}");
            }
        }
    }

    #[test]
    fn any_other_first_byte_is_an_unknown_command() {
        for byte in 0x05..=0xff {
            assert_eq!(Request::decode(&[byte, 0]), Err(UnknownCommand(byte)));
        }
        assert_eq!(Request::decode(b"GET"), Err(UnknownCommand(b'G')));
    }
}
