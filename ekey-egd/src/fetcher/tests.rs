//! The client on a virtual clock: what it asks, of which server, and when.

use super::*;
use crate::tests::some_time;

const BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n";
const SOME_BITS: [u8; 4] = [0, 0, 0x20, 0];

const PACE: Pace = Pace {
    request_bytes: 128,
    timeout: Duration::from_secs(10),
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(60),
};

/// A client and the time.
struct Played {
    fetcher: Fetcher,
    start: Instant,
    now: Instant,
}

impl Played {
    fn with(servers: usize) -> Self {
        let now = some_time();
        Self { fetcher: Fetcher::new(PACE, servers), start: now, now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn next(&mut self) -> Task {
        self.fetcher.next(self.now).expect("the server is not late")
    }

    /// It connects now, to this server.
    #[track_caller]
    fn connects_to(&mut self, server: usize) {
        let until = self.now + Duration::from_secs(10);
        assert_eq!(self.next(), Task::Connect { server, until });
    }

    #[track_caller]
    fn greets(&mut self) {
        self.fetcher.connected();
        assert_eq!(self.next(), Task::Send(Request::Available));
        assert_eq!(self.fetcher.receive(self.now, &SOME_BITS).unwrap(), Received::Greeting);
    }

    #[track_caller]
    fn answers(&mut self, count: usize) {
        assert_eq!(self.fetcher.receive(self.now, &vec![0xaa; count]).unwrap(), Received::Entropy);
    }

    fn fails(&mut self) {
        self.fetcher.failed(self.now);
    }

    /// Waits until the time that the client says. Returns for how long.
    #[track_caller]
    fn waits(&mut self) -> Duration {
        let Task::Wait(Some(until)) = self.next() else { panic!("it does not wait for a time") };
        let pause = until - self.now;
        self.now = until;
        pause
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn it_asks_for_what_is_wanted_one_request_at_a_time() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    assert_eq!(played.next(), Task::Wait(None), "nothing is wanted yet");
    played.fetcher.want(300);
    assert_eq!(played.next(), Task::Send(Request::Wait(128)));
    assert!(matches!(played.next(), Task::Wait(Some(_))), "no second request before the answer");
    played.answers(100);
    assert!(matches!(played.next(), Task::Wait(Some(_))), "28 bytes are still to come");
    played.answers(28);
    assert_eq!(played.next(), Task::Send(Request::Wait(128)));
    played.answers(128);
    assert_eq!(played.next(), Task::Send(Request::Wait(44)));
    played.answers(44);
    assert_eq!(played.next(), Task::Wait(None));
}

#[test]
fn a_greeting_may_come_byte_by_byte() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.fetcher.connected();
    played.next();
    for byte in &SOME_BITS[..3] {
        assert_eq!(played.fetcher.receive(played.now, &[*byte]).unwrap(), Received::Nothing);
    }
    assert_eq!(played.fetcher.receive(played.now, &SOME_BITS[3..]).unwrap(), Received::Greeting);
}

#[test]
fn text_or_a_banner_is_not_an_egd_server() {
    for input in [BANNER, b"HTTP", b"220 mail", b"\r\n\r\n\r\n", &[0xff; 4], b"    "] {
        let mut played = Played::with(1);
        played.connects_to(0);
        played.fetcher.connected();
        played.next();
        let refused = played.fetcher.receive(played.now, input);
        assert!(matches!(refused, Err(ServerError::NotEgd)), "{input:?}: {refused:?}");
    }
    let mut played = Played::with(1);
    played.connects_to(0);
    played.fetcher.connected();
    let refused = played.fetcher.receive(played.now, BANNER);
    assert!(matches!(refused, Err(ServerError::NotAskedFor)), "before anything was sent: {refused:?}");
}

#[test]
fn bytes_that_were_not_asked_for_are_refused_whole() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    let refused = played.fetcher.receive(played.now, &[1]);
    assert!(matches!(refused, Err(ServerError::NotAskedFor)), "{refused:?}");
    for too_many in [11, 255, 256, 10_000] {
        let mut played = Played::with(1);
        played.connects_to(0);
        played.greets();
        played.fetcher.want(10);
        assert_eq!(played.next(), Task::Send(Request::Wait(10)));
        let refused = played.fetcher.receive(played.now, &vec![1; too_many]);
        assert!(matches!(refused, Err(ServerError::NotAskedFor)), "{too_many} for 10: {refused:?}");
    }
}

#[test]
fn the_timeout_is_for_each_byte_of_an_answer() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    played.fetcher.want(5);
    assert_eq!(played.next(), Task::Send(Request::Wait(5)));
    for _ in 0..4 {
        played.pass(ms(9_999));
        played.answers(1);
    }
    assert_eq!(played.waits(), Duration::from_secs(10));
    let late = played.fetcher.next(played.now);
    assert!(matches!(late, Err(ServerError::Silent(_))), "{late:?}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.fetcher.connected();
    played.next();
    assert_eq!(played.waits(), Duration::from_secs(10));
    assert!(matches!(played.fetcher.next(played.now), Err(ServerError::Silent(_))));
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
fn only_a_whole_answer_makes_the_pauses_short_again() {
    let mut played = Played::with(1);
    for pause in [500, 1000, 2000] {
        played.connects_to(0);
        played.greets();
        played.fails();
        assert_eq!(played.waits(), ms(pause));
    }
    played.connects_to(0);
    played.greets();
    played.fetcher.want(8);
    played.next();
    played.answers(8);
    played.fails();
    assert_eq!(played.waits(), ms(500));
}

#[test]
fn the_next_server_has_its_turn_while_the_first_rests() {
    let mut played = Played::with(3);
    played.connects_to(0);
    played.fails();
    played.connects_to(1);
    played.fails();
    played.pass(ms(100));
    played.connects_to(2);
    played.greets();
    played.pass(ms(60_000));
    assert_eq!(played.next(), Task::Wait(None), "it stays with the one that works");
    played.fails();
    played.connects_to(0);
    played.fails();
    played.connects_to(1);
    played.fails();
    assert_eq!(played.waits(), ms(500), "of the third; the others rest for longer");
    played.connects_to(2);
}

#[test]
fn a_server_that_fails_a_test_is_the_last_resort() {
    let mut played = Played::with(2);
    played.connects_to(0);
    played.greets();
    played.fetcher.failed_test(played.now);
    played.connects_to(1);
    played.greets();
    played.pass(ms(60_000));
    played.fails();
    played.connects_to(0);
    played.greets();
    played.fetcher.failed_test(played.now);
    played.pass(ms(500));
    played.connects_to(1);
    played.greets();
    played.pass(ms(120_000));
    played.fails();
    played.pass(ms(1_000));
    played.connects_to(1);
    played.fetcher.failed(played.now);
    played.connects_to(0);
    played.greets();
    played.fetcher.passes_again();
    played.fails();
    played.pass(ms(60_000));
    played.connects_to(0);
}

#[test]
fn a_server_that_fails_a_test_rests_longest() {
    let mut played = Played::with(1);
    played.connects_to(0);
    played.greets();
    played.fetcher.want(1);
    assert_eq!(played.next(), Task::Send(Request::Wait(1)));
    played.answers(1);
    played.fetcher.failed_test(played.now);
    assert_eq!(played.next(), Task::Wait(Some(played.now + PACE.longest_pause)));
}

#[test]
fn no_failing_server_is_asked_over_twice_a_second() {
    let mut played = Played::with(2);
    let mut attempts = [0_u32; 2];
    while played.now < played.start + Duration::from_secs(60) {
        match played.next() {
            Task::Connect { server, .. } => {
                attempts[server] += 1;
                played.greets();
                played.fetcher.want(1);
                played.next();
                played.answers(1);
                played.fails();
            }
            Task::Wait(Some(until)) => played.now = until,
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
    played.fetcher.want(100);
    assert_eq!(played.next(), Task::Send(Request::Wait(100)));
    played.answers(60);
    played.fails();
    played.waits();
    played.connects_to(0);
    played.greets();
    assert_eq!(played.next(), Task::Send(Request::Wait(40)));
}
