//! What stands between a host and a software key on a unix socket: a proxy that acts just before it passes on a command
//! of the host, and one that records a conversation, to replay it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

type Act = Box<dyn FnOnce() + Send>;

/// A socket that leads to a key, for one host at a time.
pub struct Proxy {
    /// The socket for hosts.
    pub path: PathBuf,
}

impl Proxy {
    /// Listens at `path` for hosts of the key at `key`. Just before the first command that begins with `letter`, it
    /// calls `act`.
    ///
    /// # Panics
    /// When it cannot listen on `path`.
    #[must_use]
    pub fn before(letter: u8, act: impl FnOnce() + Send + 'static, path: &Path, key: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket of its own");
        let (key, act) = (key.to_owned(), Arc::new(Mutex::new(Some(Box::new(act) as Act))));
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let Ok(key) = UnixStream::connect(&key) else { continue };
                join(host, key, letter, &act);
            }
        });
        Self { path: path.to_owned() }
    }
}

fn join(host: UnixStream, key: UnixStream, letter: u8, act: &Arc<Mutex<Option<Act>>>) {
    let (from_key, to_host) = (key.try_clone().expect("a descriptor"), host.try_clone().expect("a descriptor"));
    let answers = thread::spawn(move || copy(from_key, to_host, |_| {}));
    // A host writes each command separately and awaits its answer, so each read begins with a command.
    copy(host, key, |bytes| {
        if bytes.first() == Some(&letter)
            && let Some(act) = act.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            act();
        }
    });
    let _ = answers.join();
}

fn copy(mut from: UnixStream, mut to: UnixStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        look(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // When either end hangs up, the connection ends.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// A piece of a conversation, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// That many bytes of the host.
    ByHost(usize),
    /// Bytes of the key.
    ByKey(Vec<u8>),
}

/// What a host and a key said to each other over one connection.
#[derive(Debug, Clone)]
pub struct Recording(Vec<Said>);

/// A socket that leads to a key, for one host, and records what both say.
pub struct Recorder {
    said: Arc<Mutex<Vec<Said>>>,
    path: PathBuf,
    ended: thread::JoinHandle<()>,
}

impl Recorder {
    /// Listens at `path` for a host of the key at `key`.
    ///
    /// # Panics
    /// When it cannot listen on `path`, or the key is not there.
    #[must_use]
    pub fn start(path: &Path, key: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket of its own");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (key, by_key, by_host) = (key.to_owned(), Arc::clone(&said), Arc::clone(&said));
        let note = |said: &Mutex<Vec<Said>>, piece| said.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
        let ended = thread::spawn(move || {
            let (host, _) = listener.accept().expect("a host");
            let key = UnixStream::connect(&key).expect("the key");
            let (from_key, to_host) = (key.try_clone().expect("a descriptor"), host.try_clone().expect("a descriptor"));
            let answers = thread::spawn(move || {
                copy(from_key, to_host, |bytes| note(&by_key, Said::ByKey(bytes.to_vec())));
            });
            copy(host, key, |bytes| note(&by_host, Said::ByHost(bytes.len())));
            let _ = answers.join();
        });
        Self { said, path: path.to_owned(), ended }
    }

    /// Waits until the host hangs up. Returns what was said, and frees the path.
    ///
    /// # Panics
    /// When its thread has panicked.
    #[must_use]
    pub fn end(self) -> Recording {
        self.ended.join().expect("it goes on");
        std::fs::remove_file(&self.path).expect("its socket");
        Recording(std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A socket at which a recording answers as the key did, whatever the host says.
pub struct Replay {
    is_over: Arc<AtomicBool>,
}

impl Replay {
    /// Listens at `path` for one host, and says what the key said, each piece once the host has said as much as before.
    ///
    /// # Panics
    /// When it cannot listen on `path`.
    #[must_use]
    pub fn start(path: &Path, recording: Recording) -> Self {
        let listener = UnixListener::bind(path).expect("a socket of its own");
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        thread::spawn(move || {
            let Ok((mut host, _)) = listener.accept() else { return };
            for said in recording.0 {
                let done = match said {
                    Said::ByHost(count) => host.read_exact(&mut vec![0; count]),
                    Said::ByKey(bytes) => host.write_all(&bytes),
                };
                if done.is_err() {
                    break;
                }
            }
            over.store(true, Ordering::Release);
            // Without an answer from now on.
            let _ = std::io::copy(&mut host, &mut std::io::sink());
        });
        Self { is_over }
    }

    /// Returns whether all was said, or the host hung up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}
