//! A software key in a thread, plugged in, and a host on the other side.

mod host;
mod leaving;
mod pty;
mod unix;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ekey_proto::LongTermKey;
use ekey_sim::{Device, Host, Plug, Records, Seed, Setup, SimError, StopHandle, Wish, run};
use tempfile::TempDir;

use self::host::Link;

/// Returns a key without a rate limit.
fn setup() -> Setup {
    let long_term_key = LongTermKey::from_bytes([7; 32]);
    Setup { long_term_key, rate: 0, ..Setup::from_seed(Seed::from_number(1)) }
}

fn wedged(kind: &str) -> Setup {
    Setup { wedge: Some(kind.parse().expect("a wedge")), ..setup() }
}

/// Plugs a key in. Returns it, and the folder and the path of its plug.
fn plugged_in<T: Link>(setup: Setup) -> (Running, TempDir, PathBuf) {
    let (folder, path) = folder();
    let plug = T::plug(&path);
    (Running::start(setup, plug, folder.path()), folder, path)
}

/// A key in its thread. Dropping it stops it.
struct Running {
    stop: StopHandle,
    thread: Option<JoinHandle<Result<(), SimError>>>,
    log: PathBuf,
}

impl Running {
    fn start(setup: Setup, mut plug: impl Plug + Send + 'static, folder: &Path) -> Self {
        let (stop, log) = (StopHandle::new().expect("a descriptor"), folder.join("plain"));
        let mut records = Records::none().with_plain_log(&log).expect("a log");
        let handle = stop.clone();
        let thread = std::thread::spawn(move || run(&mut Device::new(setup), &mut plug, &mut records, &handle));
        Self { stop, thread: Some(thread), log }
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(&self.log).expect("the log is there")
    }

    /// Stops the key and passes its final log to `look`.
    fn end_and(self, look: impl FnOnce(Vec<u8>)) {
        let log = self.log.clone();
        self.end();
        look(std::fs::read(log).expect("the log is there"));
    }

    /// Stops the key and waits until it has freed its place.
    fn end(mut self) {
        self.stop.stop();
        let outcome = self.thread.take().expect("still running").join().expect("no panic");
        outcome.expect("no error");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns what the plug reports about its host, after a moment at most.
fn next_host(plug: &mut impl Plug) -> Host {
    let now = Wish { input: true, room: false, until: Some(Instant::now() + Duration::from_millis(200)) };
    plug.wait(&now, &StopHandle::new().expect("a descriptor")).expect("no error").host
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    (folder, key)
}
