//! Compares output with what the software key says it sent: 32-byte blocks, whole, in order, once.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Bytes of entropy in one frame.
pub const BLOCK: usize = 32;

/// Returns how many whole blocks a file holds now; 0 if it does not exist yet.
#[must_use]
pub fn blocks_in(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len() / BLOCK as u64)
}

/// Checks that `output` is byte for byte the beginning of `log` and holds at least `at_least` blocks.
///
/// # Errors
/// The first block that differs, both ways, and where the log has what the output has.
pub fn is_prefix(output: &[u8], log: &[u8], at_least: u64) -> Result<(), String> {
    let expected = usize::try_from(at_least).map_or(usize::MAX, |blocks| blocks.saturating_mul(BLOCK));
    if output.len() < expected {
        return Err(format!("the output has {} bytes, expected at least {expected} ({at_least} blocks)", output.len()));
    }
    let same = output.iter().zip(log).take_while(|(a, b)| a == b).count();
    if same == output.len() {
        return Ok(());
    }
    let number = same / BLOCK;
    let seen = block(output, number);
    let elsewhere = log
        .chunks(BLOCK)
        .position(|chunk| chunk == seen)
        .map_or("the log has that block nowhere".to_owned(), |at| format!("the log has that block as number {at}"));
    Err(format!(
        "block {number} of {} differs: seen {}, expected {} ({elsewhere}; the log has {} blocks)",
        output.len().div_ceil(BLOCK),
        hex(seen),
        hex(block(log, number)),
        log.len() / BLOCK,
    ))
}

/// Reads both files and checks as [`is_prefix`] does.
///
/// # Panics
/// When a file cannot be read, or the output is not the beginning of the log.
pub fn assert_prefix(output: &Path, log: &Path, at_least: u64) {
    if let Err(difference) = is_prefix(&read(output), &read(log), at_least) {
        panic!("{} is not the beginning of {}: {difference}", output.display(), log.display());
    }
}

/// The number of bytes after a gap that may by chance be alike on its two sides.
const ALIKE: usize = 4;

/// Checks that `output` consists of pieces of `log`, in the log's order, without repeats; gaps may lie between the
/// pieces.
///
/// Each piece begins with a block and may end within one: so a gap looks where a daemon was killed, or where the pool
/// wiped the bytes of a key that failed its test.
///
/// # Errors
/// The first place that continues neither as the log does nor with a later block of it.
pub fn is_in_order(output: &[u8], log: &[u8]) -> Result<(), String> {
    let (mut seen, mut next) = (0, 0);
    while seen < output.len() {
        let least = seen - seen.min(ALIKE);
        let piece = (least..=seen).rev().find_map(|from| {
            let head = block_from(output, from);
            let ahead = log.chunks(BLOCK).skip(next).position(|sent| sent.starts_with(head))?;
            Some((from, next + ahead))
        });
        let Some((from, number)) = piece else {
            let head = block_from(output, seen);
            let before = log.chunks(BLOCK).position(|sent| sent.starts_with(head));
            return Err(match before {
                Some(at) => format!("byte {seen} begins block {at}, which was sent before its forerunner"),
                None => format!("from byte {seen} on there is what was never sent: {}", hex(head)),
            });
        };
        let same = output[from..].iter().zip(&log[number * BLOCK..]).take_while(|(a, b)| a == b).count();
        seen = from + same;
        next = number + same.div_ceil(BLOCK);
    }
    Ok(())
}

/// Reads both files and checks as [`is_in_order`] does.
///
/// # Panics
/// When a file cannot be read, or the check fails.
pub fn assert_in_order(output: &Path, log: &Path) {
    if let Err(complaint) = is_in_order(&read(output), &read(log)) {
        panic!("{} is not blocks of {} in order: {complaint}", output.display(), log.display());
    }
}

/// The number of bytes that identify a place in a log: two places are alike by chance once in 2^64.
const WINDOW: usize = 8;

/// An account of what several keys sent: it finds bytes that are served twice, and bytes that no key sent.
///
/// An EGD server may cut the stream of blocks anywhere, so the account moves a window of eight bytes along it byte by
/// byte. A window that is in the logs must be new; one across a cut is in no log, but each byte next to the cut is also
/// in a window that is.
pub struct Account {
    places: Vec<([u8; WINDOW], usize)>,
    seen: Vec<bool>,
}

impl Account {
    /// Opens the account of everything in `logs`.
    #[must_use]
    pub fn of(logs: &[Vec<u8>]) -> Self {
        let mut places = logs.iter().flat_map(|log| windows(log)).zip(0..).collect::<Vec<_>>();
        places.sort_unstable();
        Self { seen: vec![false; places.len()], places }
    }

    /// Books `served`.
    ///
    /// # Errors
    /// The first byte that no key sent, or where eight bytes begin that were booked before.
    pub fn book(&mut self, served: &[u8]) -> Result<(), String> {
        let length = served.len();
        let mut known_to = 0;
        for (at, window) in windows(served).enumerate() {
            let Some(place) = self.find(window) else { continue };
            if at > known_to {
                return Err(format!("byte {known_to} of {length}: no key sent this"));
            }
            known_to = at + WINDOW;
            if std::mem::replace(&mut self.seen[place], true) {
                return Err(format!("byte {at} of {length} and those after it were served before"));
            }
        }
        if known_to < length { Err(format!("byte {known_to} of {length}: no key sent this")) } else { Ok(()) }
    }

    fn find(&self, window: [u8; WINDOW]) -> Option<usize> {
        let at = self.places.partition_point(|(known, _)| *known < window);
        let (known, place) = self.places.get(at)?;
        (*known == window).then_some(*place)
    }
}

fn windows(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> {
    bytes.windows(WINDOW).filter_map(|window| window.try_into().ok())
}

/// Reads a file.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

fn block(bytes: &[u8], number: usize) -> &[u8] {
    block_from(bytes, number * BLOCK)
}

/// Returns the block that begins at this byte; less at the end.
fn block_from(bytes: &[u8], from: usize) -> &[u8] {
    let from = from.min(bytes.len());
    &bytes[from..(from + BLOCK).min(bytes.len())]
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(numbers: &[u8]) -> Vec<u8> {
        numbers.iter().flat_map(|number| (0..32).map(move |at| number.wrapping_mul(37) ^ (at * 7))).collect()
    }

    #[test]
    fn the_first_differing_block_is_named_with_its_place() {
        let log = blocks(&[1, 2, 3, 4]);
        assert_eq!(is_prefix(&blocks(&[1, 2]), &log, 2), Ok(()));
        let complaint = is_prefix(&blocks(&[1, 3]), &log, 2).unwrap_err();
        assert!(complaint.contains("block 1 of 2 differs"), "{complaint}");
        assert!(complaint.contains("that block as number 2"), "{complaint}");
    }

    #[test]
    fn a_too_short_or_too_long_output_is_refused() {
        let log = blocks(&[1, 2]);
        assert!(is_prefix(&blocks(&[1]), &log, 2).is_err());
        assert!(is_prefix(&blocks(&[1, 2, 3]), &log, 2).is_err());
    }

    #[test]
    fn pieces_may_have_gaps_but_no_repeats() {
        let log = blocks(&[1, 2, 3, 4, 5]);
        assert_eq!(is_in_order(&blocks(&[1, 3, 4]), &log), Ok(()));
        for wrong in [&[1, 1][..], &[2, 1], &[6], &[1, 6], &[1, 2, 2], &[1, 2, 1]] {
            assert!(is_in_order(&blocks(wrong), &log).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_piece_may_end_but_not_begin_within_a_block() {
        let mut log = blocks(&[1, 2, 3, 4, 5]);
        for cut in [33, 40, 63] {
            assert_eq!(is_in_order(&log[..cut], &log), Ok(()), "at the end");
            let killed = [&log[..cut], &log[96..150]].concat();
            assert_eq!(is_in_order(&killed, &log), Ok(()), "cut at byte {cut}, and on with block 3");
            let lost = [&log[..32], &log[cut..]].concat();
            assert!(is_in_order(&lost, &log).is_err(), "bytes 32 to {cut} are missing");
            let again = [&log[..cut], &log[32..]].concat();
            assert!(is_in_order(&again, &log).is_err(), "bytes 32 to {cut} are there twice");
        }
        // The bytes after the gap equal those that would have followed the block before it.
        log[96] = log[40];
        let killed = [&log[..40], &log[96..]].concat();
        assert_eq!(is_in_order(&killed, &log), Ok(()));
    }

    #[test]
    fn a_byte_is_booked_once_however_the_stream_is_cut() {
        let logs = [blocks(&[1, 2, 3]), blocks(&[11, 12])];
        let mut account = Account::of(&logs);
        let mixed = [&logs[0][..40], &logs[1][..32], &logs[0][40..]].concat();
        assert_eq!(account.book(&mixed), Ok(()));
        let again = account.book(&logs[0][32..64]).unwrap_err();
        assert!(again.contains("served before"), "{again}");
    }

    #[test]
    fn a_byte_that_no_key_sent_is_named() {
        let logs = [blocks(&[1, 2, 3])];
        let made_up = |served: &[u8]| Account::of(&logs).book(served).unwrap_err();
        assert!(made_up(&[0xaa; 32]).starts_with("byte 0 of 32: no key"));
        let amid = [&logs[0][..32], &[0xaa; 20], &logs[0][32..]].concat();
        assert!(made_up(&amid).starts_with("byte 32 of 116: no key"));
        let behind = [&logs[0][..64], &[0xaa]].concat();
        assert!(made_up(&behind).starts_with("byte 64 of 65: no key"));
    }

    #[test]
    fn a_cut_before_a_matching_byte_is_no_error() {
        // The block after the cut starts as the log would have continued.
        let mut other = blocks(&[11]);
        let log = blocks(&[1, 2]);
        other[0] = log[32];
        let mut account = Account::of(&[log.clone(), other.clone()]);
        let served = [&log[..32], &other[..], &log[32..]].concat();
        assert_eq!(account.book(&served), Ok(()));
    }
}
