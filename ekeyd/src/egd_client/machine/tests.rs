//! The conversation on a virtual clock: what is asked, of whom, and when.

use super::*;
use crate::config::{EgdClient, Server};

const BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n";
const SOME_BITS: [u8; 4] = [0, 0, 0x20, 0];

/// A machine, the time, and the server that it is connected to.
struct Played {
    machine: Machine,
    start: Instant,
    now: Instant,
}

impl Played {
    fn with(servers: usize) -> Self {
        let servers = (1..=servers).map(|port| Server::Tcp { host: "h".to_owned(), port: port as u16 }).collect();
        let now = Instant::now();
        Self { machine: Machine::new(&EgdClient::of(servers)), start: now, now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn next(&mut self) -> Step {
        self.machine.next(self.now).expect("the server is not late")
    }

    /// It connects now, to this one.
    #[track_caller]
    fn connects_to(&mut self, due: usize) {
        let until = self.now + Duration::from_secs(10);
        assert_eq!(self.next(), Step::Connect { server: due, until });
    }

    #[track_caller]
    fn greets(&mut self) {
        self.machine.connected();
        assert_eq!(self.next(), Step::Send(Ask::Available));
        assert_eq!(self.machine.receive(self.now, &SOME_BITS).unwrap(), Received::Greeting);
    }

    #[track_caller]
    fn answers(&mut self, count: usize) {
        assert_eq!(self.machine.receive(self.now, &vec![0xaa; count]).unwrap(), Received::Entropy);
    }

    fn fails(&mut self) {
        self.machine.failed(self.now);
    }

    /// Waits as it is told to, and returns for how long.
    #[track_caller]
    fn waits(&mut self) -> Duration {
        let Step::Wait(Some(until)) = self.next() else { panic!("it does not wait for a time") };
        let pause = until - self.now;
        self.now = until;
        pause
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn what_is_wanted_is_asked_for_in_one_request_at_a_time_and_nothing_else_is() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    assert_eq!(played.next(), Step::Wait(None), "nothing is wanted yet");
    played.machine.want(300);
    assert_eq!(played.next(), Step::Send(Ask::Entropy(128)));
    assert!(matches!(played.next(), Step::Wait(Some(_))), "no second request before the answer");
    played.answers(100);
    assert!(matches!(played.next(), Step::Wait(Some(_))), "28 bytes are still to come");
    played.answers(28);
    assert_eq!(played.next(), Step::Send(Ask::Entropy(128)));
    played.answers(128);
    assert_eq!(played.next(), Step::Send(Ask::Entropy(44)));
    played.answers(44);
    assert_eq!(played.next(), Step::Wait(None));
}

#[test]
fn the_requests_are_those_of_the_protocol() {
    assert_eq!(Ask::Available.to_bytes(), [0x00]);
    assert_eq!(Ask::Entropy(44).to_bytes(), [0x02, 44]);
}

#[test]
fn a_greeting_may_come_byte_by_byte() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.machine.connected();
    played.next();
    for byte in &SOME_BITS[..3] {
        assert_eq!(played.machine.receive(played.now, &[*byte]).unwrap(), Received::Nothing);
    }
    assert_eq!(played.machine.receive(played.now, &SOME_BITS[3..]).unwrap(), Received::Greeting);
}

#[test]
fn whatever_speaks_first_or_speaks_text_is_no_egd_server() {
    for input in [BANNER, b"HTTP", b"220 mail", b"\r\n\r\n\r\n", &[0xff; 4], b"    "] {
        let mut played = Played::with(1);
        played.connects_to(0);
        played.machine.connected();
        played.next();
        let refused = played.machine.receive(played.now, input);
        assert!(matches!(refused, Err(Failure::NotEgd)), "{input:?}: {refused:?}");
    }
    let mut played = Played::with(1);
    played.connects_to(0);
    played.machine.connected();
    let refused = played.machine.receive(played.now, BANNER);
    assert!(matches!(refused, Err(Failure::NotAskedFor)), "before anything was sent: {refused:?}");
}

#[test]
fn bytes_that_were_not_asked_for_are_refused_whole() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    let refused = played.machine.receive(played.now, &[1]);
    assert!(matches!(refused, Err(Failure::NotAskedFor)), "{refused:?}");
    for too_many in [11, 255, 256, 10_000] {
        let mut played = Played::with(1);
        played.connects_to(0);
        played.greets();
        played.machine.want(10);
        assert_eq!(played.next(), Step::Send(Ask::Entropy(10)));
        let refused = played.machine.receive(played.now, &vec![1; too_many]);
        assert!(matches!(refused, Err(Failure::NotAskedFor)), "{too_many} for 10: {refused:?}");
    }
}

#[test]
fn a_slow_server_has_the_timeout_for_each_byte_and_a_silent_one_once() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    played.machine.want(5);
    assert_eq!(played.next(), Step::Send(Ask::Entropy(5)));
    for _ in 0..4 {
        played.pass(ms(9_999));
        played.answers(1);
    }
    assert_eq!(played.waits(), Duration::from_secs(10));
    let late = played.machine.next(played.now);
    assert!(matches!(late, Err(Failure::Silent(_))), "{late:?}");
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_given_up() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.machine.connected();
    played.next();
    assert_eq!(played.waits(), Duration::from_secs(10));
    assert!(matches!(played.machine.next(played.now), Err(Failure::Silent(_))));
}

#[test]
fn the_pauses_grow_from_half_a_second_to_a_minute() {
    let mut played = Played::with(1);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        played.connects_to(0);
        played.fails();
        pauses.push(played.waits().as_millis());
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
}

#[test]
fn a_whole_answer_makes_the_pauses_short_again_and_a_greeting_does_not() {
    let mut played = Played::with(1);
    for due in [500, 1000, 2000] {
        played.connects_to(0);
        played.greets();
        played.fails();
        assert_eq!(played.waits(), ms(due));
    }
    played.connects_to(0);
    played.greets();
    played.machine.want(8);
    played.next();
    played.answers(8);
    played.fails();
    assert_eq!(played.waits(), ms(500));
}

#[test]
fn the_next_server_has_its_turn_at_once_and_the_first_again_after_its_rest() {
    let mut played = Played::with(3);
    played.connects_to(0);
    played.fails();
    played.connects_to(1);
    played.fails();
    played.pass(ms(100));
    played.connects_to(2);
    played.greets();
    played.pass(ms(60_000));
    assert_eq!(played.next(), Step::Wait(None), "it stays with the one that works");
    played.fails();
    played.connects_to(0);
    played.fails();
    played.connects_to(1);
    played.fails();
    assert_eq!(played.waits(), ms(500), "of the third; the others rest for longer");
    played.connects_to(2);
}

#[test]
fn no_server_is_asked_more_often_than_twice_a_second_however_they_fail() {
    let mut played = Played::with(2);
    let mut attempts = [0_u32; 2];
    while played.now < played.start + Duration::from_secs(60) {
        match played.next() {
            Step::Connect { server, .. } => {
                attempts[server] += 1;
                played.greets();
                played.machine.want(1);
                played.next();
                played.answers(1);
                played.fails();
            }
            Step::Wait(Some(until)) => played.now = until,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(attempts, [120, 120], "attempts in a minute");
}

#[test]
fn what_came_before_a_failure_is_not_asked_for_again() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    played.machine.want(100);
    assert_eq!(played.next(), Step::Send(Ask::Entropy(100)));
    played.answers(60);
    played.fails();
    played.waits();
    played.connects_to(0);
    played.greets();
    assert_eq!(played.next(), Step::Send(Ask::Entropy(40)));
}
