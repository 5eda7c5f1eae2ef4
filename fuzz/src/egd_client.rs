//! Another machine's EGD servers, which send anything: a byte of theirs is entropy only if it was asked for, after the greeting.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ekey_egd::{Fetcher, Pace, Received, Request, Task};

use crate::choices::Choices;

/// When every run starts: the clock is the target's own.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A client and the time, and how far it has come as an outsider counts it.
struct Seen {
    fetcher: Fetcher,
    now: Instant,
    state: State,
}

#[derive(Default)]
struct State {
    connected: bool,
    connecting: bool,
    greeted: bool,
    /// Bytes of the greeting that have come.
    greeting: Vec<u8>,
    /// Bytes asked for that have not come.
    asked: usize,
}

/// Any behaviour of up to four servers.
pub fn egd_client(data: &[u8]) {
    let mut choices = Choices::new(data);
    let servers = 1 + choices.below(4);
    let mut seen = Seen::new(servers);
    while !choices.is_empty() {
        match choices.below(7) {
            0 => seen.now += Duration::from_millis(u64::from(choices.word()) * 10),
            1 => seen.fetcher.want(usize::from(choices.word() & 0x1fff)),
            2 if seen.state.connecting => {
                seen.fetcher.connected();
                seen.state = State { connected: true, ..State::default() };
            }
            3 if seen.state.connecting || seen.state.connected => seen.fail(),
            4 if seen.state.connected => seen.hear(&[0, 0, 1, choices.byte()]),
            5 if seen.state.connected => seen.hear(choices.some(255)),
            6 if seen.state.asked > 0 => seen.hear(&[5; 255][..seen.state.asked]),
            _ => {}
        }
        seen.proceed(servers);
    }
}

impl Seen {
    fn new(servers: usize) -> Self {
        let pace = Pace {
            request_bytes: 128,
            timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        };
        Self { fetcher: Fetcher::new(pace, servers), now: *START, state: State::default() }
    }

    fn fail(&mut self) {
        self.fetcher.failed(self.now);
        self.state = State::default();
    }

    /// The server sends `bytes`.
    fn hear(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let state = &mut self.state;
        match self.fetcher.receive(self.now, bytes) {
            Ok(Received::Entropy) => {
                assert!(state.greeted, "entropy of something that has not greeted as an EGD server");
                let count = bytes.len();
                assert!(count <= state.asked, "{count} bytes are taken, asked for were {}", state.asked);
                state.asked -= count;
            }
            Ok(Received::Greeting) => {
                state.greeting.extend_from_slice(bytes);
                let greeting = &state.greeting;
                assert!(!state.greeted && greeting.len() == 4, "a greeting of {} bytes", greeting.len());
                let printable = greeting.iter().all(|byte| (0x20..0x7f).contains(byte));
                assert!(!printable, "text is taken for a greeting: {greeting:?}");
                state.greeted = true;
            }
            Ok(Received::Nothing) => {
                state.greeting.extend_from_slice(bytes);
                assert!(!state.greeted && state.greeting.len() < 4, "{bytes:?} is passed over");
            }
            Err(_) => self.fail(),
        }
    }

    /// Does what the client wants until it waits.
    fn proceed(&mut self, servers: usize) {
        for steps in 0.. {
            assert!(steps < 10, "it never waits");
            let state = &mut self.state;
            match self.fetcher.next(self.now) {
                Ok(Task::Connect { server, until }) => {
                    assert!(server < servers && !state.connected && !state.connecting, "server {server} of {servers}");
                    assert!(until > self.now, "it gives up before it tries");
                    state.connecting = true;
                }
                Ok(Task::Send(Request::Available)) => {
                    assert!(state.connected && !state.greeted, "asks for a greeting at the wrong time");
                }
                Ok(Task::Send(Request::Wait(count))) => {
                    assert!(state.greeted && state.asked == 0, "asks for {count} while {} are to come", state.asked);
                    assert!((1..=128).contains(&count), "asks for {count}");
                    state.asked = count.into();
                }
                Ok(Task::Send(request)) => panic!("{request:?} is not for a client that fetches"),
                Ok(Task::Wait(until)) => {
                    assert!(until.is_none_or(|until| until > self.now), "it waits for a time that has come");
                    // A server that was asked has a time limit, and so has a rest.
                    let idle = state.connecting || (state.greeted && state.asked == 0);
                    return assert!(idle || until.is_some(), "it would wait for ever");
                }
                Err(_) => self.fail(),
            }
        }
    }
}
