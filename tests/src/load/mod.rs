//! Many clients of an EGD server at once, on one thread: what they get, how soon, and how evenly.
//!
//! Each client asks by `0x02` and has a [`Habit`]: how much it asks for, how many requests it has in flight, and how
//! often it asks. A load connects once and can run several times; each run is measured by itself.

mod client;
mod habit;
mod measured;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::await_until::DEADLINE;
use client::Client;
pub use habit::Habit;
pub use measured::Measured;

/// A crowd of clients.
pub struct Load {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    /// When the clients that ask at intervals ask next.
    turns: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

impl Load {
    /// Makes a load without clients.
    ///
    /// # Panics
    /// When the machine has no free descriptor.
    #[must_use]
    pub fn new() -> Self {
        Self {
            poll: Poll::new().expect("an event queue can be made"),
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            turns: BinaryHeap::new(),
        }
    }

    /// Connects `count` more clients to the unix socket at `path`, without asking for anything.
    ///
    /// # Panics
    /// When the server does not take them.
    #[must_use]
    pub fn with(self, count: usize, habit: Habit, path: &Path) -> Self {
        allow_open_files(self.clients.len() + count);
        self.with_streams((0..count).map(|_| connect(path)), habit)
    }

    /// Adds clients on existing connections, which may lead through programs that speak TLS for them.
    ///
    /// # Panics
    /// When a socket cannot be watched.
    #[must_use]
    pub fn with_streams(mut self, streams: impl Iterator<Item = mio::net::UnixStream>, habit: Habit) -> Self {
        for stream in streams {
            let mut client = Client::new(stream, habit);
            let token = Token(self.clients.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut client.stream, token, interest).expect("a socket can be watched");
            self.clients.push(client);
        }
        self
    }

    /// Keeps what the clients are given from now on, for [`Load::given`].
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.clients.iter_mut().for_each(Client::keep);
        self
    }

    /// Returns what each client was given since [`Load::keeping`], in their order.
    pub fn given(&self) -> impl Iterator<Item = &[u8]> {
        self.clients.iter().map(Client::given)
    }

    /// Runs every client by its habit for this long.
    pub fn run_for(&mut self, span: Duration) -> Measured {
        self.run(span, |_| false)
    }

    /// Runs every client by its habit until each has been served once.
    pub fn run_until_all_are_served(&mut self) -> Measured {
        let mut unserved = 0;
        self.run(DEADLINE, |clients| {
            while clients.get(unserved).is_some_and(|client| client.tally.requests > 0 || client.is_lost) {
                unserved += 1;
            }
            unserved == clients.len()
        })
    }

    /// Waits until all requests are answered, and sends no more.
    ///
    /// # Panics
    /// When they are not.
    pub fn await_answers(&mut self) {
        let end = Instant::now() + DEADLINE;
        while !self.clients.iter().all(Client::is_answered) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "some requests were not answered within {DEADLINE:?}");
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome.expect("an event queue works"),
            }
            for event in &self.events {
                self.clients[event.token().0].read();
            }
        }
    }

    fn run(&mut self, span: Duration, mut is_enough: impl FnMut(&[Client]) -> bool) -> Measured {
        let started = Instant::now();
        let end = started + span;
        self.turns.clear();
        let count = u32::try_from(self.clients.len().max(1)).expect("a crowd is countable");
        for (place, client) in self.clients.iter_mut().enumerate() {
            client.start_over();
            match client.habit.every {
                // Spread over the interval, as independent clients are.
                Some(every) => {
                    let share = every * u32::try_from(place).expect("a crowd is countable") / count;
                    self.turns.push(Reverse((started + share, place)));
                }
                None => client.ask_ahead(),
            }
        }
        loop {
            let now = Instant::now();
            if now >= end || is_enough(&self.clients) {
                let elapsed = started.elapsed();
                let lost = self.clients.iter().filter(|client| client.is_lost).count();
                return Measured::of(elapsed, lost, self.clients.iter_mut().map(|client| client.tally.take()));
            }
            self.ask_in_turn(now);
            let next = self.turns.peek().map_or(end, |Reverse((at, _))| *at).min(end);
            match self.poll.poll(&mut self.events, Some(next.saturating_duration_since(now))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome.expect("an event queue works"),
            }
            for event in &self.events {
                self.clients[event.token().0].proceed();
            }
        }
    }

    fn ask_in_turn(&mut self, now: Instant) {
        while let Some(Reverse((at, place))) = self.turns.peek().copied()
            && at <= now
        {
            let client = &mut self.clients[place];
            client.ask();
            self.turns.pop();
            let every = client.habit.every.expect("only clients with an interval have turns");
            self.turns.push(Reverse((at + every, place)));
        }
    }
}

/// Raises this process's limit of open files to its maximum, so that `clients` sockets and all other files fit, also
/// for tests that run at the same time.
///
/// # Panics
/// When the machine allows fewer.
pub fn allow_open_files(clients: usize) {
    let expected = clients as u64 + 256;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be asked for");
    assert!(
        hard >= expected,
        "{clients} clients need {expected} open files, and this machine allows {hard}: see ulimit -Hn"
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the hard limit can be used up");
}

fn connect(path: &Path) -> mio::net::UnixStream {
    let started = Instant::now();
    loop {
        // The queue of a busy server may be full for a moment.
        match mio::net::UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && started.elapsed() < DEADLINE => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(error) => panic!("cannot connect to {}: {error}", path.display()),
        }
    }
}
