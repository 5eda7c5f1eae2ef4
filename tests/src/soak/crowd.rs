//! The daemon's clients: steady, greedy, vanishing, and rude ones, each on its own thread, as long as the soak lasts.
//! The clerk gets all that they receive.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use super::chance::Chance;
use super::clerk::Note;

/// Where to connect.
#[derive(Debug, Clone)]
pub(super) enum Door {
    Unix(PathBuf),
    Tcp(u16),
}

/// How one client behaves. Every request is for a multiple of eight bytes, which the account needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manner {
    /// Asks for 64 bytes now and then; sometimes asks how much there is, or takes what is available.
    Steady,
    /// Asks for 248 bytes, eight requests ahead, always.
    Greedy,
    /// Asks and leaves, before the answer or during it.
    Vanishing,
    /// Asks for 30 KB and reads nothing; stops within a request; sends garbage. Stays a while each time.
    Rude,
}

/// What the clients of one listener have received and done.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Bytes of entropy that were read.
    pub(super) bytes: AtomicU64,
    /// Connections that were made.
    pub(super) connections: AtomicU64,
}

/// All clients.
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    notes: Sender<Note>,
    seed: u64,
    hired: u64,
}

/// Connections are numbered across all clients.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

impl Crowd {
    /// Makes a crowd without clients.
    pub(super) fn new(seed: u64, notes: Sender<Note>) -> Self {
        Self { stop: Arc::default(), threads: Vec::new(), notes, seed, hired: 0 }
    }

    /// Adds `number` clients that connect here.
    pub(super) fn hire(&mut self, number: usize, manner: Manner, door: &Door, count: &Arc<Count>) {
        for _ in 0..number {
            self.hired += 1;
            let client = Client {
                manner,
                door: door.clone(),
                stop: Arc::clone(&self.stop),
                notes: self.notes.clone(),
                count: Arc::clone(count),
                chance: Chance::new(self.seed, 1000 + self.hired),
            };
            self.threads.push(std::thread::spawn(move || client.live()));
        }
    }

    /// Ends all clients.
    pub(super) fn dismiss(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A failed one has printed the reason on standard error.
            let _ = thread.join();
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct Client {
    manner: Manner,
    door: Door,
    stop: Arc<AtomicBool>,
    notes: Sender<Note>,
    count: Arc<Count>,
    chance: Chance,
}

/// How long a client waits before it checks whether the soak is over.
const PATIENCE: Duration = Duration::from_millis(500);

impl Client {
    fn live(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = self.connect() else {
                // The daemon is restarting.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            self.count.connections.fetch_add(1, Ordering::Relaxed);
            let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
            // However the connection ends, the client makes another.
            let _ = match self.manner {
                Manner::Steady => self.be_steady(&mut *stream, connection),
                Manner::Greedy => self.be_greedy(&mut *stream, connection),
                Manner::Vanishing => self.vanish(&mut *stream, connection),
                Manner::Rude => self.be_rude(&mut *stream),
            };
            let _ = self.notes.send(Note::HungUp(connection));
        }
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.door {
            Door::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            Door::Tcp(port) => {
                let stream = TcpStream::connect_timeout(&([127, 0, 0, 1], *port).into(), Duration::from_secs(5))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }

    fn be_steady(&mut self, stream: &mut dyn Stream, connection: u64) -> io::Result<()> {
        loop {
            match self.chance.between(0, 9) {
                0 => {
                    stream.write_all(&[0x00])?;
                    self.read(stream, 4)?;
                }
                1 => {
                    stream.write_all(&[0x01, 128])?;
                    let count = self.read(stream, 1)?[0];
                    self.take(stream, connection, usize::from(count))?;
                }
                2 => {
                    stream.write_all(&[0x04])?;
                    let length = self.read(stream, 1)?[0];
                    self.read(stream, usize::from(length))?;
                }
                3 => stream.write_all(&[0x03, 0, 8, 4, 1, 2, 3, 4])?,
                _ => {
                    let bytes = self.chance.one_of(&[8_u8, 16, 64, 64, 64, 120, 248]);
                    stream.write_all(&[0x02, bytes])?;
                    self.take(stream, connection, usize::from(bytes))?;
                }
            }
            std::thread::sleep(self.chance.millis(20, 200));
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn be_greedy(&mut self, stream: &mut dyn Stream, connection: u64) -> io::Result<()> {
        const AHEAD: usize = 8;
        stream.write_all(&[0x02, 248].repeat(AHEAD))?;
        loop {
            self.take(stream, connection, 248)?;
            stream.write_all(&[0x02, 248])?;
        }
    }

    fn vanish(&mut self, stream: &mut dyn Stream, connection: u64) -> io::Result<()> {
        let requests = self.chance.between(0, 3) as usize;
        stream.write_all(&[0x02, 64].repeat(requests))?;
        if requests > 0 && self.chance.once_in(2) {
            // Part of it, which may end within a cell.
            let some = self.chance.between(1, 64) as usize;
            self.take(stream, connection, some)?;
        }
        std::thread::sleep(self.chance.millis(20, 300));
        Ok(())
    }

    fn be_rude(&mut self, stream: &mut dyn Stream) -> io::Result<()> {
        let words = match self.chance.between(0, 4) {
            0 | 1 => [0x02, 248].repeat(120),
            2 => vec![0x02],
            3 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            _ => Vec::new(),
        };
        stream.write_all(&words)?;
        let until = std::time::Instant::now() + self.chance.millis(500, 10_000);
        while std::time::Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Reads `count` bytes of entropy, and sends them to the clerk as they arrive.
    fn take(&mut self, stream: &mut dyn Stream, connection: u64, count: usize) -> io::Result<()> {
        let mut buffer = [0; 255];
        let mut left = count;
        while left > 0 {
            let come = self.some(stream, &mut buffer[..left.min(255)])?;
            left -= come;
            self.count.bytes.fetch_add(come as u64, Ordering::Relaxed);
            let _ = self.notes.send(Note::Given { connection, bytes: buffer[..come].to_vec() });
        }
        Ok(())
    }

    fn read(&mut self, stream: &mut dyn Stream, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut come = 0;
        while come < count {
            come += self.some(stream, &mut bytes[come..])?;
        }
        Ok(bytes)
    }

    /// Waits for at least one byte, as long as the soak lasts: the daemon may be suspended, and keys may be gone.
    fn some(&self, stream: &mut dyn Stream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(count),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.stop.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
