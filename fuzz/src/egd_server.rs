//! Clients of the EGD server that send anything and read when they like. Each gets the answers to its requests in order and nothing
//! else; entropy is sent once, in the order in which it was granted, and no more than was granted; a request that waits is granted whole
//! or not at all; the client that had least is next; no peer exceeds its rate; what is kept for a client is bounded; the books add up; and no request waits for ever.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ekey_egd::{Conversation, FairQueue, Mark, PeerLimits, Rate, Request, Served, Step, Supply};

use crate::choices::Choices;

/// When every run starts: the clock is the target's own.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const MOST_CLIENTS: usize = 4;
/// Bytes that one client sends in all.
const MOST_SENT: usize = 256;
/// Bytes that are kept for a client that does not read: short of 1,024 by one, and the longest answer.
const MOST_UNSENT: usize = 1023 + 256;
const PROCESS: u32 = 4711;
/// Each byte is one more than the one before, so that order and repetition show.
static ENTROPY: [u8; 512] = {
    let mut bytes = [0; 512];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// Any clients.
pub fn egd_server(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut server = Server::new(&mut choices);
    while !choices.is_empty() {
        let place = choices.below(MOST_CLIENTS);
        match choices.below(10) {
            0 | 1 => {
                let bytes = requests(&mut choices);
                server.with(place, |client| client.send(&bytes));
            }
            2 => {
                let count = 8 * usize::from(choices.byte());
                server.with(place, |client| client.room += count);
            }
            3 => server.pool.held += 16 * usize::from(choices.byte()),
            4 => server.now += Duration::from_millis(u64::from(choices.byte()) * 4),
            5 if choices.below(4) == 0 => server.with(place, |client| client.finished = true),
            5 | 6 if choices.below(4) == 0 => server.replace(place, choices.below(2)),
            7 | 8 => {
                server.turn();
            }
            _ => server.go_on(place, None),
        }
    }
    server.come_to_rest();
}

/// The server without its sockets, as the daemon puts it together.
struct Server {
    clients: [Option<Client>; MOST_CLIENTS],
    /// Clients that have been here.
    admitted: u32,
    queue: FairQueue<u32>,
    limits: PeerLimits<usize, u32>,
    rate: Option<Rate>,
    most_clients: Option<usize>,
    /// Bytes given to each peer.
    given: [usize; 2],
    pool: Pool,
    served: Served,
    now: Instant,
}

/// A client, and what an outsider knows of it.
struct Client {
    number: u32,
    peer: usize,
    conversation: Conversation,
    mark: Mark,
    /// Its place among those that joined the queue, while it waits there.
    queued: Option<u64>,
    parked: bool,
    /// Whether it waits in the queue again, after it waited for its peer's rate.
    released: bool,
    finished: bool,
    /// Room in its socket.
    room: usize,
    /// What it has sent, and how much of that the server has read.
    requests: Vec<u8>,
    read: usize,
    seen: Seen,
}

/// What came out for a client, and what went in for it.
#[derive(Default)]
struct Seen {
    answers: Vec<u8>,
    /// Entropy that the conversation took from the pool.
    given: Vec<u8>,
    offered: Vec<u8>,
    /// What the pool held each time it was asked.
    bits: RefCell<Vec<u32>>,
}

/// The entropy that there is: a piece of [`ENTROPY`] for each request.
#[derive(Default)]
struct Pool {
    held: usize,
    next: u8,
    arrivals: u64,
}

/// The pool, as one client may use it.
struct Tap<'a> {
    pool: &'a mut Pool,
    seen: &'a mut Seen,
    allowance: usize,
    /// What the conversation was granted.
    granted: usize,
}

impl Supply for Tap<'_> {
    fn bits(&self) -> u64 {
        self.seen.bits.borrow_mut().push(8 * self.pool.held as u32);
        8 * self.pool.held as u64
    }

    fn held(&self) -> usize {
        self.pool.held.min(self.allowance)
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) {
        assert!(count <= self.granted, "it takes {count} bytes, and {} were granted", self.granted);
        let count = count.min(self.pool.held).min(self.allowance);
        let bytes = &ENTROPY[usize::from(self.pool.next)..][..count];
        out.extend_from_slice(bytes);
        self.seen.given.extend_from_slice(bytes);
        self.pool.next = self.pool.next.wrapping_add(count as u8);
        self.pool.held -= count;
        self.allowance -= count;
        self.granted -= count;
    }

    fn offered(&mut self, bytes: &[u8]) {
        self.seen.offered.extend_from_slice(bytes);
    }

    fn process(&self) -> u32 {
        PROCESS
    }
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        let room = if self.finished { 0 } else { MOST_SENT - self.requests.len() };
        self.requests.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Reads as far as there is room, and returns whether that was anything.
    fn read(&mut self) -> bool {
        let unread = &self.requests[self.read..];
        let room = self.conversation.room();
        assert!(!room.is_empty(), "it is to read, and has no room");
        let count = unread.len().min(room.len());
        room[..count].copy_from_slice(&unread[..count]);
        self.conversation.received(count);
        self.read += count;
        count > 0
    }
}

impl Server {
    fn new(choices: &mut Choices<'_>) -> Self {
        let limited = choices.below(4);
        let rate = Rate {
            bytes_per_s: 1 + u32::from(choices.byte()),
            burst_bytes: Request::MOST_BYTES as u32 + 4 * u32::from(choices.byte()),
        };
        let rate = (limited & 1 > 0).then_some(rate);
        let most_clients = (limited & 2 > 0).then_some(2);
        let mut server = Self {
            clients: [const { None }; MOST_CLIENTS],
            admitted: 0,
            queue: FairQueue::new(),
            limits: PeerLimits::new(most_clients, rate),
            rate,
            most_clients,
            given: [0; 2],
            pool: Pool::default(),
            served: Served::default(),
            now: *START,
        };
        server.replace(0, 0);
        server
    }

    fn with(&mut self, place: usize, change: impl FnOnce(&mut Client)) {
        self.clients[place].as_mut().map(change);
    }

    /// Another client takes the place of the one that has it, which hangs up.
    fn replace(&mut self, place: usize, peer: usize) {
        self.remove(place);
        let of_peer = self.clients.iter().flatten().filter(|client| client.peer == peer).count();
        let admitted = self.limits.admit(peer, self.now);
        assert_eq!(
            admitted.is_err(),
            self.most_clients.is_some_and(|most| of_peer >= most),
            "it has {of_peer} clients"
        );
        if admitted.is_err() {
            return;
        }
        self.admitted += 1;
        self.clients[place] = Some(Client {
            number: self.admitted,
            peer,
            conversation: Conversation::new(),
            mark: self.queue.entrance(),
            queued: None,
            parked: false,
            released: false,
            finished: false,
            room: 0,
            requests: Vec::new(),
            read: 0,
            seen: Seen::default(),
        });
    }

    fn remove(&mut self, place: usize) {
        let Some(mut client) = self.clients[place].take() else { return };
        client.conversation.close(&mut self.served);
        assert!(client.conversation.unsent().is_empty(), "bytes are left of a client that has gone");
        let clients = &self.clients;
        let is_live = |number| clients.iter().flatten().any(|client| client.number == number);
        if client.queued.is_some() {
            self.queue.abandon(is_live);
        }
        self.limits.leave(client.peer, client.parked, self.now, is_live);
        client.seen.check(&client.requests[..client.read]);
    }

    /// Serves the client whose turn it is, if there is enough for all that it waits for and its peer may have that. Returns whether
    /// its turn has come.
    fn turn(&mut self) -> bool {
        let Self { limits, clients, queue, pool, .. } = self;
        limits.released(self.now, |number| {
            let client = clients.iter_mut().flatten().find(|client| client.number == number);
            let Some(client) = client else { return false };
            assert!(std::mem::replace(&mut client.parked, false), "a client is released that does not wait");
            client.released = true;
            pool.arrivals += 1;
            client.queued = Some(pool.arrivals);
            queue.push(number, &mut client.mark);
            true
        });
        let clients = &self.clients;
        let find = |number| clients.iter().flatten().find(|client| client.number == number);
        let Some(next) = self.queue.next(|number| find(number).is_some()).and_then(find) else { return false };
        if next.conversation.wanted() > self.pool.held {
            return false;
        }
        let expected =
            clients.iter().flatten().filter_map(|client| Some((client.mark, client.queued?, client.number))).min();
        let next = self.queue.pop(|number| find(number).is_some());
        assert_eq!(next, expected.map(|(.., number)| number), "the client that has had least is next");
        let Some(place) = next.and_then(|next| self.place_of(next)) else { return true };
        let Some(client) = &mut self.clients[place] else { return true };
        client.queued = None;
        let released = std::mem::replace(&mut client.released, false);
        let allowance = match released {
            true => self.limits.allowance_of_released(client.peer, self.now),
            false => self.limits.allowance(client.peer, self.now),
        };
        let wanted = client.conversation.wanted();
        if allowance < wanted {
            client.parked = true;
            self.limits.park(client.peer, client.number, wanted, released);
            assert!(self.limits.next_wake().is_some(), "a client waits for its rate for ever");
        } else {
            self.go_on(place, Some(allowance));
        }
        true
    }

    fn place_of(&self, number: u32) -> Option<usize> {
        self.clients.iter().position(|client| client.as_ref().is_some_and(|client| client.number == number))
    }

    /// Goes on with a client until it has to wait. If it is its `turn`, that is how many bytes its peer may have.
    fn go_on(&mut self, place: usize, turn: Option<usize>) {
        let Some(client) = &mut self.clients[place] else { return };
        let peer = client.peer;
        let before = self.served.entropy;
        let allowance = turn.unwrap_or_else(|| self.limits.allowance(peer, self.now));
        let Client { conversation, seen, .. } = client;
        let wanted = conversation.wanted();
        let mut tap = Tap { pool: &mut self.pool, seen, allowance, granted: wanted };
        if turn.is_some() {
            let given = conversation.grant(&mut tap, &mut self.served);
            assert_eq!((given, conversation.wanted()), (wanted, 0), "a request is granted whole");
        }
        let allowance = tap.allowance;
        let need = self.exchange(place, allowance);
        let Some(client) = &mut self.clients[place] else { return };
        let given = self.served.entropy - before;
        client.mark.move_on(given);
        self.limits.spend(peer, given, self.now);
        self.given[client.peer] += given as usize;
        match need {
            Step::Close => self.remove(place),
            Step::Entropy if client.queued.is_none() && !client.parked => {
                self.pool.arrivals += 1;
                client.queued = Some(self.pool.arrivals);
                self.queue.push(client.number, &mut client.mark);
            }
            _ => {}
        }
        self.add_up();
    }

    fn exchange(&mut self, place: usize, mut allowance: usize) -> Step {
        let Some(client) = &mut self.clients[place] else { return Step::Close };
        loop {
            let Client { conversation, seen, .. } = client;
            let mut tap = Tap { pool: &mut self.pool, seen, allowance, granted: 255 };
            let step = conversation.proceed(&mut tap, &mut self.served);
            allowance = tap.allowance;
            match step {
                Step::Answered => {}
                Step::Send => {
                    let unsent = conversation.unsent();
                    assert!(!unsent.is_empty(), "it sends nothing");
                    let count = unsent.len().min(client.room);
                    seen.answers.extend_from_slice(&unsent[..count]);
                    conversation.sent(count, &mut self.served);
                    client.room -= count;
                    if client.room == 0 {
                        return Step::Send;
                    }
                }
                Step::Read | Step::Entropy if !conversation.unsent().is_empty() => panic!("it holds answers back"),
                Step::Read if client.read() => {}
                Step::Read if client.finished => client.conversation.finish(),
                Step::Read | Step::Entropy | Step::Close => return step,
            }
        }
    }

    /// What holds at any time.
    fn add_up(&self) {
        let unsent: usize = self.clients.iter().flatten().map(|client| client.conversation.unsent().len()).sum();
        let Served { entropy, others, sent, dropped, .. } = self.served;
        assert_eq!(entropy + others, sent + dropped + unsent as u64, "{:?}, unsent are {unsent}", self.served);
        for client in self.clients.iter().flatten() {
            assert!(client.conversation.unsent().len() <= MOST_UNSENT, "kept for a client that does not read");
        }
        let Some(rate) = self.rate else { return };
        let most = f64::from(rate.burst_bytes) + (self.now - *START).as_secs_f64() * f64::from(rate.bytes_per_s);
        assert!(self.given.iter().all(|given| *given as f64 <= most + 1.0), "{:?}, most are {most}", self.given);
    }

    /// Whatever has happened, clients that read, entropy and time bring it to rest or nearer to it, with every request answered.
    fn come_to_rest(&mut self) {
        let mut rests = false;
        // The first round goes to the limits as they stand. Before each of the others, every burst is whole again.
        for round in 0..8 {
            self.pool.held = 1 << 20;
            self.now += Duration::from_secs(3600 * round);
            let before = self.served.entropy;
            for place in 0..MOST_CLIENTS {
                self.with(place, |client| client.room = 1 << 20);
                self.go_on(place, None);
            }
            // Each client that has gone while it waited for its rate holds the next one up for a millisecond.
            for _ in 0..=MOST_CLIENTS {
                while self.turn() {}
                self.now += Duration::from_millis(2);
                rests = !self.clients.iter().flatten().any(|client| client.queued.is_some() || client.parked);
                if rests {
                    break;
                }
            }
            if rests {
                break;
            }
            assert!(round == 0 || self.served.entropy > before, "a client waits for ever");
        }
        for place in 0..MOST_CLIENTS {
            if let Some(client) = &self.clients[place].as_ref().filter(|_| rests) {
                assert_eq!(client.read, client.requests.len(), "it does not read on");
                let (rest, given) = client.seen.check(&client.requests);
                let is_part = match *rest {
                    [] | [1..=3] | [3, _] | [3, _, _] => true,
                    [3, _, _, count, ref offer @ ..] => offer.len() < count.into(),
                    _ => false,
                };
                assert!(is_part && given.is_empty(), "{rest:?} are not answered, and {given:?} not sent");
            }
            self.remove(place);
        }
        let Served { entropy, others, sent, dropped, .. } = self.served;
        assert_eq!(entropy + others, sent + dropped, "{:?}", self.served);
    }
}

fn requests(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(9) {
        0 => vec![0],
        1 => vec![1, choices.byte()],
        2 => vec![2, choices.byte()],
        3 => {
            let offered = choices.some(255);
            [&[3, 0, 8, offered.len() as u8], offered].concat()
        }
        4 => vec![4],
        5 => [2, 64].repeat(choices.below(20)),
        6 => vec![0; choices.below(100)],
        7 => [1, choices.byte()].repeat(choices.below(32)),
        _ => choices.some(60).to_vec(),
    }
}

impl Seen {
    /// Reads the answers next to the requests that the server has read. Returns the requests that have no answer, or only a part of
    /// one, and the entropy that was given and is not in an answer.
    fn check<'a>(&'a self, mut requests: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let (mut answers, mut given, mut offered) = (&self.answers[..], &self.given[..], &self.offered[..]);
        let bits = self.bits.borrow();
        let mut bits = bits.iter();
        loop {
            let (len, complete) = match *requests {
                [0, ..] => match bits.next() {
                    Some(bits) => (1, take(&mut answers, &bits.to_be_bytes())),
                    None => (1, false),
                },
                [1, most, ..] => match answers.split_first() {
                    Some((count, rest)) => {
                        assert!(*count <= most, "{count} bytes for a request of {most}");
                        answers = rest;
                        (2, take_given(&mut answers, &mut given, *count))
                    }
                    None => (2, false),
                },
                [2, count, ..] => (2, take_given(&mut answers, &mut given, count)),
                [3, _, _, count, ..] => {
                    let offer = &requests[4..][..requests.len().min(4 + usize::from(count)) - 4];
                    let taken = offered.len().min(offer.len());
                    assert_eq!(offered[..taken], offer[..taken], "what it offered");
                    offered = &offered[taken..];
                    (4 + taken, taken == usize::from(count))
                }
                [4, ..] => (1, take(&mut answers, b"\x044711")),
                _ => break,
            };
            if !complete {
                break;
            }
            requests = &requests[len..];
        }
        assert!(answers.is_empty(), "{answers:?} for no request");
        assert!(offered.is_empty(), "{offered:?} were not offered");
        (requests, given)
    }
}

/// Takes `expected` off the answers. Returns whether all of it was there.
fn take(answers: &mut &[u8], expected: &[u8]) -> bool {
    let count = answers.len().min(expected.len());
    assert_eq!(answers[..count], expected[..count], "an answer");
    *answers = &answers[count..];
    count == expected.len()
}

/// Takes `count` bytes of entropy off the answers, which are the next that were given. Returns whether all of them were there.
fn take_given(answers: &mut &[u8], given: &mut &[u8], count: u8) -> bool {
    let count = usize::from(count);
    let came = answers.len().min(count);
    assert_eq!(Some(&answers[..came]), given.get(..came), "entropy is sent once and in order");
    (*answers, *given) = (&answers[came..], &given[came..]);
    came == count
}
