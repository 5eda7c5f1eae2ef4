//! An EGD server for tests: it records what clients asked and what it sent, and misbehaves on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How it treats its clients.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Follows the protocol.
    Serves,
    /// Sends one byte at a time, after this many with this pause before each.
    Slow(usize, Duration),
    /// Follows the protocol, and sends bytes that this computes from their number, from 0.
    Sends(fn(u64) -> u8),
    /// Hangs up after this many bytes of entropy.
    HangsUpAfter(usize),
    /// Sends this at once, and nothing else.
    Says(&'static [u8]),
    /// Answers how much it has, and sends this in place of every later answer.
    Answers(&'static [u8]),
    /// Accepts the connection and sends nothing.
    Silent,
}

/// The server, on its own port. Dropping it closes its connections.
pub struct EgdServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: Vec<TcpStream>,
    requests: Vec<u8>,
    pipelined: bool,
    sent: Vec<u8>,
    next: u64,
    closed: bool,
}

impl EgdServer {
    /// Starts it.
    ///
    /// # Panics
    /// When the machine has no port left.
    #[must_use]
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let seen = Arc::new(Mutex::new(Seen { next: u64::from(port) << 32, ..Seen::default() }));
        let account = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut seen = lock(&account);
                if seen.closed {
                    return;
                }
                seen.connections.push(stream.try_clone().expect("a second handle"));
                let account = Arc::clone(&account);
                thread::spawn(move || converse(stream, manner, &account));
            }
        });
        Self { port, seen }
    }

    /// Returns its address as a configuration names it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("tcp:127.0.0.1:{}", self.port)
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns how many connections it accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.seen).connections.len()
    }

    /// Returns the length that each request for entropy asked for.
    #[must_use]
    pub fn requests(&self) -> Vec<u8> {
        lock(&self.seen).requests.clone()
    }

    /// Returns whether a client ever sent a request before the answer to the previous one.
    #[must_use]
    pub fn was_pipelined(&self) -> bool {
        lock(&self.seen).pipelined
    }

    /// Returns all entropy that it sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        lock(&self.seen).sent.clone()
    }

    /// Closes all connections and accepts no more.
    pub fn close(&self) {
        let mut seen = lock(&self.seen);
        seen.closed = true;
        for stream in &seen.connections {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(seen);
        // Wakes the listening thread, which ends and releases the port.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Drop for EgdServer {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one client until either side hangs up.
fn converse(mut stream: TcpStream, manner: Manner, seen: &Mutex<Seen>) {
    if let Manner::Says(words) = manner {
        let _ = stream.write_all(words);
    }
    let mut given = 0;
    let mut input = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut input) {
        let outcome = match (manner, &input[..count]) {
            (Manner::Silent | Manner::Says(_), _) => Ok(()),
            (_, [0x00]) => stream.write_all(&[0, 0, 0x20, 0]),
            (Manner::Answers(words), [0x02, _]) => stream.write_all(words),
            (_, [0x02, wanted]) => {
                lock(seen).requests.push(*wanted);
                (0..*wanted).try_for_each(|_| {
                    if matches!(manner, Manner::HangsUpAfter(most) if given == most) {
                        return Err(std::io::ErrorKind::Other.into());
                    }
                    given += 1;
                    send_byte(&mut stream, manner, seen)
                })
            }
            _ => {
                lock(seen).pipelined = true;
                return;
            }
        };
        if outcome.is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn send_byte(stream: &mut TcpStream, manner: Manner, seen: &Mutex<Seen>) -> std::io::Result<()> {
    if let Manner::Slow(after, pause) = manner
        && lock(seen).sent.len() >= after
    {
        thread::sleep(pause);
    }
    let mut seen = lock(seen);
    seen.next += 1;
    let byte = match manner {
        Manner::Sends(byte_at) => byte_at(seen.sent.len() as u64),
        _ => random_byte(seen.next),
    };
    seen.sent.push(byte);
    stream.write_all(&[byte])
}

/// Returns the byte at a place of a sequence that passes every health test, and in which a few bytes identify their place
/// (SplitMix64).
#[must_use]
pub fn random_byte(place: u64) -> u8 {
    let mut word = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((word ^ (word >> 31)) >> 56) as u8
}
