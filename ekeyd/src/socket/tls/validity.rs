//! From when to when a certificate holds: RFC 5280 4.1.2.5, read out of its DER as far as needed and no further.
//!
//! It judges nobody. Whether the other end's certificate holds is decided by the library; this is for telling the operator when
//! this machine's own ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const DAY: u64 = 86_400;

/// The times of a certificate, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// The first second.
    pub(super) from: u64,
    /// The last second.
    pub(super) until: u64,
}

impl Validity {
    /// Reads it from a certificate; none if that is no certificate.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate)?;
        let (body, _) = expect(SEQUENCE, certificate)?;
        let after_version = expect(VERSION, body).map_or(body, |(_, rest)| rest);
        let (_serial, rest) = expect(INTEGER, after_version)?;
        let (_algorithm, rest) = expect(SEQUENCE, rest)?;
        let (_issuer, rest) = expect(SEQUENCE, rest)?;
        let (times, _) = expect(SEQUENCE, rest)?;
        let (from, rest) = time(times)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    /// The time in which both hold.
    pub(super) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// Seconds since 1970; 0 for a clock that is before.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The content of an element with this tag, and what comes after it.
fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[seen, first], rest) = input.split_first_chunk::<2>()?;
    if seen != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().try_fold(0usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(input: &[u8]) -> Option<(u64, &[u8])> {
    let (year, text, rest) = if let Some((text, rest)) = expect(UTC_TIME, input) {
        let year = number(text, 0)?;
        (if year < 50 { year + 2000 } else { year + 1900 }, text.get(2..)?, rest)
    } else {
        let (text, rest) = expect(GENERALIZED_TIME, input)?;
        (number(text, 0)? * 100 + number(text, 2)?, text.get(4..)?, rest)
    };
    if text.len() != 11 || text.last() != Some(&b'Z') {
        return None;
    }
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(text, at));
    let days = days_since_1970(year, month?, day?)?;
    let seconds = hour? * 3600 + minute? * 60 + second?;
    Some((days.checked_mul(DAY)?.checked_add(seconds)?, rest))
}

/// Two digits.
fn number(text: &[u8], at: usize) -> Option<u64> {
    let digits = text.get(at..at + 2)?;
    digits.iter().all(u8::is_ascii_digit).then(|| u64::from(digits[0] - b'0') * 10 + u64::from(digits[1] - b'0'))
}

/// None for a day that no calendar has, or before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    (before + (153 * month + 2) / 5 + day - 1).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_the_calendar_has_it() {
        // The seconds are those of `date -u -d ... +%s`.
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "261120132711Z", 1_795_181_231),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "240229120000Z", 1_709_208_000),
            (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            let mut element = vec![tag, text.len() as u8];
            element.extend_from_slice(text.as_bytes());
            assert_eq!(time(&element), Some((seconds, &[][..])), "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none_wherever_it_is_cut() {
        let certificate = [
            &[0x30, 0x81, 0x30, 0x30, 0x2e, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x07, 0x30, 0x00, 0x30, 0x00][..],
            &[0x30, 0x1e, 0x17, 0x0d],
            b"260101000000Z",
            &[0x17, 0x0d],
            b"270101000000Z",
            &[0x05, 0x00],
        ]
        .concat();
        let due = Validity { from: 1_767_225_600, until: 1_798_761_600 };
        let end = certificate.len() - 2;
        assert_eq!(Validity::of(&certificate), Some(due));
        for cut in 0..end {
            assert_eq!(Validity::of(&certificate[..cut]), None, "cut at {cut}");
        }
        for at in 0..certificate.len() {
            let mut damaged = certificate.clone();
            damaged[at] ^= 0xff;
            // Whatever it says, it must not panic.
            let _ = Validity::of(&damaged);
        }
    }
}
