//! The thread that keeps the account while clients and keys run.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::account::{Account, CELL, Compared};

/// What the clerk learns.
pub(super) enum Note {
    /// A key logs to this file from now on.
    Plugged(PathBuf),
    /// That key is gone.
    Unplugged(PathBuf),
    /// A connection received these bytes.
    Given { connection: u64, bytes: Vec<u8> },
    /// A connection has ended.
    HungUp(u64),
    /// Handle all earlier notes, compare the output file to its end, and report.
    Settle(Sender<()>),
}

/// The clerk, and what it has found.
pub(super) struct Clerk {
    pub(super) notes: Sender<Note>,
    shared: Arc<Mutex<Shared>>,
    _thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    compared: Compared,
    file_bytes: u64,
    complaints: Vec<String>,
}

impl Clerk {
    /// Starts the clerk, with the daemon's output file at `output`.
    pub(super) fn begin(output: PathBuf) -> Self {
        let (notes, incoming) = channel();
        let shared = Arc::<Mutex<Shared>>::default();
        let desk = Desk {
            account: Account::default(),
            begun: HashMap::new(),
            output,
            file: None,
            file_begun: Vec::new(),
            file_bytes: 0,
            shared: Arc::clone(&shared),
        };
        Self { notes, shared, _thread: std::thread::spawn(move || desk.work(&incoming)) }
    }

    pub(super) fn note(&self, note: Note) {
        // The clerk stays until the last sender of notes is gone.
        let _ = self.notes.send(note);
    }

    /// Waits until all earlier notes and the whole output file are compared.
    pub(super) fn settle(&self) {
        let (done, wait) = channel();
        self.note(Note::Settle(done));
        let _ = wait.recv_timeout(Duration::from_secs(120));
    }

    /// Returns what was compared so far, and how many bytes of that were in the output file.
    pub(super) fn compared(&self) -> (Compared, u64) {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        (shared.compared, shared.file_bytes)
    }

    /// Returns what was found since the last call.
    pub(super) fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).complaints)
    }
}

struct Desk {
    account: Account,
    /// For each connection, the beginning of a cell whose end has not arrived.
    begun: HashMap<u64, Vec<u8>>,
    output: PathBuf,
    file: Option<File>,
    file_begun: Vec<u8>,
    file_bytes: u64,
    shared: Arc<Mutex<Shared>>,
}

/// How often the clerk reads the output file.
const LOOK: Duration = Duration::from_millis(250);

impl Desk {
    fn work(mut self, incoming: &Receiver<Note>) {
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                self.read_file();
                self.publish();
            }
            match incoming.recv_timeout(LOOK) {
                Ok(Note::Plugged(log)) => self.account.follow(&log),
                Ok(Note::Unplugged(log)) => {
                    self.account.let_go(&log);
                    // Hours of logs would fill the disk.
                    let _ = std::fs::remove_file(log);
                }
                Ok(Note::Given { connection, bytes }) => {
                    let mut begun = self.begun.remove(&connection).unwrap_or_default();
                    begun.extend(bytes);
                    self.book(&mut begun, &|| format!("connection {connection}"));
                    self.begun.insert(connection, begun);
                }
                Ok(Note::HungUp(connection)) => drop(self.begun.remove(&connection)),
                Ok(Note::Settle(done)) => {
                    self.read_file();
                    self.publish();
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn read_file(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.output).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut begun = std::mem::take(&mut self.file_begun);
        let before = begun.len();
        let _ = file.read_to_end(&mut begun);
        self.file_bytes += (begun.len() - before) as u64;
        let at = self.file_bytes;
        self.book(&mut begun, &|| format!("the output file before byte {at}"));
        self.file_begun = begun;
    }

    /// Books the whole cells at the beginning of `bytes`, and leaves the rest.
    fn book(&mut self, bytes: &mut Vec<u8>, whose: &dyn Fn() -> String) {
        let whole = bytes.len() - bytes.len() % CELL;
        if let Err(complaint) = self.account.book(&bytes[..whole]) {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.complaints.push(format!("{}: {complaint}", whose()));
        }
        bytes.drain(..whole);
    }

    fn publish(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        (shared.compared, shared.file_bytes) = (self.account.compared, self.file_bytes);
    }
}
