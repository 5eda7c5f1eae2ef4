//! The EGD protocol: what a client can ask. Numbers are big-endian.
//!
//! Source: the original's README.egd-protocol; `0x00` to `0x04`.

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// `0x00`: how many bits are available? Answer: u32.
    Available,
    /// `0x01 n`: up to `n` bytes, at once. Answer: u8 count, then the bytes.
    Take(u8),
    /// `0x02 n`: exactly `n` bytes, as they come.
    Wait(u8),
    /// `0x03 bits n …`: the client offers `n` bytes, which follow. No answer.
    Offer(u8),
    /// `0x04`: which process is this? Answer: u8 length, then the number as text.
    Pid,
}

/// What the front of a client's input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A request of so many bytes.
    Request(Request, usize),
    /// The beginning of one.
    Incomplete,
    /// No command of the protocol.
    Unknown(u8),
}

/// Reads the request at the front of `input`.
pub(super) fn parse(input: &[u8]) -> Parsed {
    match *input {
        [] | [0x01 | 0x02] | [0x03] | [0x03, _] | [0x03, _, _] => Parsed::Incomplete,
        [0x00, ..] => Parsed::Request(Request::Available, 1),
        [0x01, count, ..] => Parsed::Request(Request::Take(count), 2),
        [0x02, count, ..] => Parsed::Request(Request::Wait(count), 2),
        [0x03, _, _, count, ..] => Parsed::Request(Request::Offer(count), 4),
        [0x04, ..] => Parsed::Request(Request::Pid, 1),
        [unknown, ..] => Parsed::Unknown(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read_and_every_beginning_of_one_is_incomplete() {
        for (bytes, request) in [
            (&[0x00][..], Request::Available),
            (&[0x01, 7], Request::Take(7)),
            (&[0x02, 64], Request::Wait(64)),
            (&[0x03, 0, 8, 1], Request::Offer(1)),
            (&[0x04], Request::Pid),
        ] {
            assert_eq!(parse(bytes), Parsed::Request(request, bytes.len()));
            assert_eq!(parse(&[bytes, &[0x77]].concat()), Parsed::Request(request, bytes.len()));
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Parsed::Incomplete);
            }
        }
        assert_eq!(parse(&[0x05]), Parsed::Unknown(5));
        assert_eq!(parse(b"GET"), Parsed::Unknown(b'G'));
    }
}
