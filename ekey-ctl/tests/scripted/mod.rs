//! A daemon that says what the test wants.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use ekey_control::GREETING;
use tempfile::TempDir;

/// A scripted daemon.
pub(crate) struct Daemon {
    pub(crate) socket: PathBuf,
    _directory: TempDir,
}

/// Answers each line of each client with `answer`; `None` closes the connection.
pub(crate) fn serve(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Daemon {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("control.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
                let _ = stream.write_all(GREETING.as_bytes());
                for line in lines.map_while(Result::ok) {
                    let Some(reply) = answer(&line) else { return };
                    if stream.write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Daemon { socket, _directory: directory }
}
