//! A proxy between a host and a software key on a unix socket, which acts just before it passes on a command of the
//! host.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
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
