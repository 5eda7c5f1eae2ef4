//! One client of the EGD server at the end of a socket, for the fuzz targets: what it sends, and when it is served.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::client::{Client, Means, Need, Served};
use super::offer::Offers;
use super::queue::Queue;
use crate::pool::Pool;
use crate::socket::Stream;

/// A client, the pool it is served from, and its own end of the connection.
pub struct EgdBench {
    client: Client,
    there: UnixStream,
    pool: Pool,
    served: Served,
    offers: Offers,
    output: Vec<u8>,
    /// The server has closed the connection.
    closed: bool,
}

/// What the server waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EgdNeed {
    /// More of the client.
    Input,
    /// Room to send.
    Room,
    /// Entropy.
    Entropy,
    /// Another turn.
    Turn,
    /// Nothing: the connection is closed.
    Close,
}

/// The server's books about the client, in bytes but for the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgdBooks {
    /// Requests answered in full.
    pub requests: u64,
    /// Entropy given.
    pub entropy: u64,
    /// Answers that are no entropy.
    pub others: u64,
    /// Sent of both.
    pub sent: u64,
    /// Wiped of both, since the client had gone.
    pub dropped: u64,
    /// Not sent yet of both.
    pub unsent: u64,
    /// Entropy that the pool holds.
    pub pool: u64,
}

impl EgdBench {
    /// A client that has just been let in, with an empty pool of so many bytes; the kernel holds `unread` bytes for it.
    ///
    /// # Panics
    /// If the system makes no sockets.
    #[must_use]
    pub fn new(capacity: usize, unread: usize) -> Self {
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        here.set_nonblocking(true).and(there.set_nonblocking(true)).expect("sockets that do not block");
        let mut stream = Stream::Unix(mio::net::UnixStream::from_std(here));
        stream.settle(unread);
        Self {
            client: Client::new(stream, 0, 1, Queue::default().entrance(), None),
            there,
            pool: Pool::new(capacity),
            served: Served::default(),
            offers: Offers::default(),
            output: Vec::new(),
            closed: false,
        }
    }

    /// A key gives these bytes.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.pool.put(crate::batch::Batch::new(bytes.to_vec()));
    }

    /// The client sends these bytes, as far as there is room. Returns how many went.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let sent = self.there.write(bytes).unwrap_or(0);
        self.client.set_readable(false);
        sent
    }

    /// The client says that it will send no more.
    pub fn finish(&mut self) {
        let _ = self.there.shutdown(Shutdown::Write);
        self.client.set_readable(true);
    }

    /// The server goes on with the client; it may have `allowance` bytes. If it is `turn`, what it waits for is given.
    pub fn serve(&mut self, turn: Option<usize>, allowance: usize) -> EgdNeed {
        if self.closed {
            return EgdNeed::Close;
        }
        let Self { client, pool, served, offers, output, .. } = self;
        let means = Means { pool, served, allowance, offers, output };
        let need = match turn {
            Some(most) => client.give(most, means),
            None => client.proceed(means),
        };
        assert!(self.output.is_empty(), "answers stay in the place that all clients share");
        match need {
            Need::Input => EgdNeed::Input,
            Need::Room => EgdNeed::Room,
            Need::Entropy => EgdNeed::Entropy,
            Need::Turn => EgdNeed::Turn,
            Need::Close => {
                self.closed = true;
                EgdNeed::Close
            }
        }
    }

    /// What the client receives, at most so many bytes.
    pub fn receive(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let count = match self.there.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("the socket fails: {error}"),
        };
        bytes.truncate(count);
        bytes
    }

    /// The books.
    #[must_use]
    pub fn books(&self) -> EgdBooks {
        let Served { requests, bytes, others, sent, dropped, .. } = self.served;
        let (unsent, pool) = (self.client.unsent(), self.pool.len() as u64);
        EgdBooks { requests, entropy: bytes, others, sent, dropped, unsent, pool }
    }
}
