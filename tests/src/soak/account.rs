//! The running account: every cell of eight bytes that a key sent is served at most once, and no other cell is.
//!
//! The soak's clients ask for multiples of eight bytes, and the keys send blocks of 32, so whole cells pass through the
//! pool. Two cells are equal by chance once in 2^64. The account reads the keys' logs when it meets an unknown cell, so
//! it holds only the recent past, however long it runs.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes of a cell.
pub(super) const CELL: usize = 8;
/// How many cells are remembered: 16 MB of entropy, many times what can be in the daemon.
const REMEMBERED: usize = 2 * 1024 * 1024;

/// What the account has compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Bytes that keys sent whole, as far as the logs were read.
    pub sent: u64,
    /// Served bytes that were compared.
    pub served: u64,
    /// Served bytes that no key sent.
    pub altered: u64,
    /// Bytes that were served before.
    pub twice: u64,
}

/// The account itself.
#[derive(Default)]
pub(super) struct Account {
    /// Sent, and not yet served.
    open: HashSet<u64>,
    served: HashSet<u64>,
    /// Everything in the two sets, the oldest first.
    order: VecDeque<u64>,
    logs: Vec<Log>,
    pub(super) compared: Compared,
}

struct Log {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a cell whose end is not in the log yet.
    begun: Vec<u8>,
}

impl Account {
    /// Reads what a key sends from now on from its log.
    pub(super) fn follow(&mut self, log: &Path) {
        self.logs.push(Log { path: log.to_owned(), file: None, begun: Vec::new() });
    }

    /// Reads the rest of a log whose key is gone; the log may then be deleted.
    pub(super) fn let_go(&mut self, log: &Path) {
        self.catch_up();
        self.logs.retain(|known| known.path != log);
    }

    /// Books whole cells.
    ///
    /// # Errors
    /// The first wrong cell.
    pub(super) fn book(&mut self, cells: &[u8]) -> Result<(), String> {
        let mut first = Ok(());
        for (number, cell) in cells.chunks_exact(CELL).enumerate() {
            self.compared.served += CELL as u64;
            let Ok(cell) = cell.try_into().map(u64::from_be_bytes) else { continue };
            if !self.open.contains(&cell) && !self.served.contains(&cell) {
                self.catch_up();
            }
            let complaint = if self.open.remove(&cell) {
                self.served.insert(cell);
                continue;
            } else if self.served.contains(&cell) {
                self.compared.twice += CELL as u64;
                "was served before"
            } else {
                self.compared.altered += CELL as u64;
                "was sent by no key"
            };
            if first.is_ok() {
                first = Err(format!("cell {number} of {}, {cell:016x}, {complaint}", cells.len() / CELL));
            }
        }
        first
    }

    fn catch_up(&mut self) {
        let mut logs = std::mem::take(&mut self.logs);
        for log in &mut logs {
            if log.file.is_none() {
                log.file = File::open(&log.path).ok();
            }
            let Some(file) = &mut log.file else { continue };
            // An unreadable log shows as cells that no key sent.
            let _ = file.read_to_end(&mut log.begun);
            let whole = log.begun.len() - log.begun.len() % CELL;
            log.begun.drain(..whole).as_slice().chunks_exact(CELL).for_each(|cell| self.sent(cell));
        }
        self.logs = logs;
    }

    fn sent(&mut self, cell: &[u8]) {
        let Ok(cell) = cell.try_into().map(u64::from_be_bytes) else { return };
        self.compared.sent += CELL as u64;
        self.open.insert(cell);
        self.order.push_back(cell);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
            self.served.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account_of(sent: &[u8]) -> (tempfile::TempDir, Account) {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        std::fs::write(&log, sent).expect("a log");
        let mut account = Account::default();
        account.follow(&log);
        (folder, account)
    }

    fn noise(count: usize) -> Vec<u8> {
        let mut chance = super::super::chance::Chance::new(1, 2);
        (0..count).flat_map(|_| chance.next().to_be_bytes()).collect()
    }

    #[test]
    fn what_was_sent_is_booked_once_in_any_order() {
        let sent = noise(40);
        let (_folder, mut account) = account_of(&sent);
        assert_eq!(account.book(&sent[160..]), Ok(()));
        assert_eq!(account.book(&sent[..160]), Ok(()));
        let again = account.book(&sent[80..88]).unwrap_err();
        assert!(again.contains("served before"), "{again}");
        assert_eq!(account.compared, Compared { sent: 320, served: 328, altered: 0, twice: 8 });
    }

    #[test]
    fn a_flipped_bit_makes_a_cell_unknown() {
        let mut sent = noise(4);
        let (_folder, mut account) = account_of(&sent);
        sent[17] ^= 1;
        let complaint = account.book(&sent).unwrap_err();
        assert!(complaint.contains("cell 2 of 4") && complaint.contains("by no key"), "{complaint}");
        assert_eq!(account.compared.altered, 8);
    }

    #[test]
    fn old_cells_are_forgotten_and_memory_stays_bounded() {
        let sent = noise(REMEMBERED + 1000);
        let (_folder, mut account) = account_of(&sent);
        assert_eq!(account.book(&sent[8 * 1000..]), Ok(()));
        assert_eq!(account.order.len(), REMEMBERED);
        assert!(account.open.is_empty() && account.served.len() == REMEMBERED);
    }
}
