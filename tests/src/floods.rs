//! Floods for a daemon: a key that sends garbage, clients that ask without reading, handshakes without an end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::http;
use crate::tls::TlsServer;

/// Listens at `path` as a key that sends garbage as fast as the host reads.
///
/// # Panics
/// When it cannot listen there.
pub fn key_of_garbage(path: &Path) {
    let listener = UnixListener::bind(path).expect("a socket");
    thread::spawn(move || {
        let mut garbage = vec![0; 65_536];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut garbage)).expect("randomness");
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            while stream.write_all(&garbage).is_ok() {}
        }
    });
}

/// Threads that flood a daemon until [`Flood::end`].
pub struct Flood {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    /// Floods the EGD server at `socket` with requests whose answers it never reads.
    ///
    /// # Panics
    /// When the server does not accept a connection.
    #[must_use]
    pub fn of_requests(socket: &Path) -> Self {
        let requests = [&[0x03, 0, 0, 0][..], &[0x00], &[0x01, 0]];
        let rounds = requests.map(|request| {
            let mut stream = UnixStream::connect(socket).expect("the EGD socket");
            stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            let burst = request.repeat(4096);
            // The server reads no more from a client that reads no answers; its further requests wait.
            move || u32::from(stream.write(&burst).is_ok())
        });
        Self::of(rounds)
    }

    /// Floods a TLS listener with the most work that a client can cause without any of its own: the same ClientHello
    /// again and again.
    #[must_use]
    pub fn of_handshakes(server: &TlsServer) -> Self {
        let (hello, port) = (server.client_hello(), server.port);
        Self::of([move || {
            let streams: Vec<_> = (0..50).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
            // The server may refuse it.
            streams.iter().map(|mut stream| u32::from(stream.write_all(&hello).is_ok())).sum()
        }])
    }

    fn of<const N: usize>(rounds: [impl FnMut() -> u32 + Send + 'static; N]) -> Self {
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let threads = rounds.map(|mut round| {
            let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    sent.fetch_add(round(), Ordering::Relaxed);
                }
            })
        });
        Self { over, sent, threads: threads.into() }
    }

    /// Ends the flood. Returns how many bursts or handshakes it sent.
    ///
    /// # Panics
    /// When a thread has panicked.
    pub fn end(self) -> u32 {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("the flood ends"));
        self.sent.load(Ordering::Relaxed)
    }
}

/// Begins `count` TLS handshakes, each with all but the end of the largest possible record.
///
/// # Panics
/// When the server does not accept a connection.
#[must_use]
pub fn unfinished_handshakes(server: &TlsServer, count: usize) -> Vec<TcpStream> {
    let record = [&[0x16, 0x03, 0x01, 0x40, 0x00][..], &[0x01; 16_000]].concat();
    let begin = |_| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection is taken");
        stream.set_nonblocking(true).expect("a socket can be non-blocking");
        let _ = stream.write(&record);
        stream
    };
    (0..count).map(begin).collect()
}

/// Connects 1,550 rude clients to the EGD server at `socket`: 50 ask for 50 KB each and read nothing, 500 say nothing, 500
/// send half a request, 500 send garbage.
///
/// # Panics
/// When the server does not accept a connection.
#[must_use]
pub fn rude_clients(socket: &Path) -> Vec<UnixStream> {
    let greedy = [0x02, 255].repeat(200);
    let kinds: [(usize, &[u8]); 4] = [(50, &greedy), (500, b""), (500, &[0x02]), (500, b"GET / HTTP/1.1\r\n\r\n")];
    kinds.into_iter().flat_map(|(count, words)| (0..count).map(move |_| say(socket, words))).collect()
}

/// Has a thousand clients ask and leave before the answer.
///
/// # Panics
/// When the server does not accept a connection.
pub fn vanishing_clients(socket: &Path) {
    (0..1000).for_each(|_| drop(say(socket, &[0x02, 255, 0x02])));
}

/// Connects and leaves in turn in four ways: says nothing, asks and leaves, sends half a request, sends garbage. The
/// requests are so small that there is enough for all; how to share too little is another measurement.
///
/// # Panics
/// When the server does not accept a connection.
pub fn come_and_go(socket: &Path, number: u64) {
    let words: [&[u8]; 4] = [&[], &[0x02, 16], &[0x02], b"GET / HTTP/1.1\r\n\r\n"];
    drop(say(socket, words[(number % 4) as usize]));
}

fn say(socket: &Path, words: &[u8]) -> UnixStream {
    // A blocking connection waits for room in the server's queue by itself.
    let mut stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    stream.set_nonblocking(true).expect("a socket can be non-blocking");
    // The server may have hung up.
    let _ = stream.write_all(words);
    stream
}

/// Requests the page over up to 300 connections, and reads none of the answers.
#[must_use]
pub fn unread_pages(address: SocketAddr) -> Vec<TcpStream> {
    let request = |_| {
        let mut stream = http::connect(address).ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
        Some(stream)
    };
    (0..300).filter_map(request).collect()
}
