//! When it is seeded, what it gives of a seed, and when it gives nothing.

use super::*;

const INTERVAL: Duration = Duration::from_secs(60);
const BYTES: u64 = 65_536;

fn expander() -> Expander {
    Expander::new(&config::Expand {
        listen: Vec::new(),
        reseed_interval: INTERVAL,
        reseed_bytes: BYTES,
        max_clients: 1,
    })
}

fn of_a_key(count: usize) -> Pool {
    let mut pool = Pool::new(1 << 16);
    pool.put(Batch::new((0..count).map(|at| at as u8).collect()));
    pool
}

/// All that it gives now, in the order in which it was made.
fn take(expander: &mut Expander, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    expander.output(now).take_oldest(usize::MAX, &mut out);
    out
}

#[test]
fn nothing_is_given_before_the_first_seed_and_a_seed_is_taken_whole() {
    let now = Instant::now();
    let mut expander = expander();
    let mut pool = of_a_key(95);
    expander.draw(&mut pool, now);
    assert!(take(&mut expander, now).is_empty(), "bytes were given without a seed");
    assert_eq!((pool.len(), expander.status(now).seeded), (95, false));
    assert!(expander.status(now).problem.is_some_and(|problem| problem.contains("no seed yet")));
    pool = of_a_key(1000);
    expander.draw(&mut pool, now);
    assert_eq!((pool.len(), expander.status(now).seed_bytes), (904, 96));
    assert_eq!(take(&mut expander, now).len(), READY);
    assert_eq!(expander.status(now).problem, None);
}

#[test]
fn what_is_given_is_what_the_generator_makes_of_the_keys_bytes() {
    let now = Instant::now();
    let mut expander = expander();
    expander.draw(&mut of_a_key(96), now);
    let seed: Vec<u8> = (0..96).collect();
    let mut drbg = Drbg::instantiate(&seed[..64], &seed[64..], PERSONALIZATION);
    let mut due = vec![0; READY];
    for request in 0..2 {
        drbg.generate(&mut due);
        assert!(take(&mut expander, now) == due, "request {request} gave something else");
    }
    let later = now + INTERVAL;
    expander.draw(&mut of_a_key(64), later);
    drbg.reseed(&seed[..64]);
    drbg.generate(&mut due);
    assert!(take(&mut expander, later) == due, "after the second seed something else was given");
}

#[test]
fn a_fresh_seed_is_taken_once_the_time_or_the_bytes_are_over_and_not_before() {
    let start = Instant::now();
    let mut expander = expander();
    expander.draw(&mut of_a_key(96), start);
    assert_eq!(expander.wants(start + INTERVAL - Duration::from_millis(1)), 0);
    assert_eq!(expander.wants(start + INTERVAL), SEED);
    let mut given = 0;
    while expander.wants(start) == 0 {
        given += take(&mut expander, start).len() as u64;
    }
    assert_eq!(given, BYTES, "bytes made of one seed until another was wanted");
    let mut pool = of_a_key(100);
    expander.draw(&mut pool, start);
    assert_eq!((pool.len(), expander.status(start).seeds, expander.wants(start)), (36, 2, 0));
}

#[test]
fn an_old_seed_gives_nothing_once_it_is_twice_as_old_as_it_should_be() {
    let start = Instant::now();
    let mut expander = expander();
    expander.draw(&mut of_a_key(96), start);
    let late = start + INTERVAL * 2;
    assert!(!take(&mut expander, late - Duration::from_millis(1)).is_empty());
    expander.output(late - Duration::from_millis(1));
    assert!(take(&mut expander, late).is_empty(), "bytes of a seed that is overdue");
    let status = expander.status(late);
    assert!(!status.seeded && status.problem.is_some_and(|problem| problem.contains("for too long")));
    expander.draw(&mut of_a_key(64), late);
    assert_eq!(take(&mut expander, late).len(), READY);
}

#[test]
fn a_seed_that_is_not_renewed_gives_twice_the_bytes_that_it_should_and_no_more() {
    let now = Instant::now();
    let mut expander = expander();
    expander.draw(&mut of_a_key(96), now);
    let mut given = 0;
    loop {
        match take(&mut expander, now).len() {
            0 => break,
            bytes => given += bytes as u64,
        }
    }
    assert_eq!(given, BYTES * 2);
    assert!(expander.status(now).problem.is_some_and(|problem| problem.contains("for too long")));
}

#[test]
fn a_fresh_seed_wipes_what_was_made_of_the_last_and_the_books_add_up() {
    let start = Instant::now();
    let mut expander = expander();
    expander.draw(&mut of_a_key(96), start);
    let mut given = Vec::new();
    expander.output(start).take_freshest(100, &mut given);
    expander.draw(&mut of_a_key(64), start + INTERVAL);
    let status = expander.status(start + INTERVAL);
    assert_eq!((status.ready_bytes, status.wiped_bytes), (0, READY as u64 - 100));
    expander.forget();
    assert_eq!(expander.wants(start + INTERVAL), SEED + NONCE, "bytes for a first seed, as the last is forgotten");
    assert!(take(&mut expander, start + INTERVAL).is_empty());
    let status = expander.status(start + INTERVAL);
    assert_eq!(status.generated_bytes, status.ready_bytes + status.wiped_bytes + given.len() as u64);
}

#[test]
fn there_are_256_bits_of_a_seed_and_each_byte_takes_eight() {
    let now = Instant::now();
    let mut expander = expander();
    assert_eq!(expander.output(now).entropy_bits(), 0);
    expander.draw(&mut of_a_key(96), now);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(expander.output(now).entropy_bits());
        expander.output(now).take_freshest(12, &mut Vec::new());
    }
    assert_eq!(seen, [256, 160, 64, 0]);
    expander.draw(&mut of_a_key(96), now + INTERVAL);
    assert_eq!(expander.output(now + INTERVAL).entropy_bits(), 256);
}

#[test]
fn a_seed_is_taken_off_the_end_of_what_a_key_has_sent() {
    let now = Instant::now();
    let mut expander = expander();
    let mut short = Batch::new(vec![7; 64]);
    assert_eq!((expander.draw_off(&mut short, now), short.len()), (0, 64));
    let mut batch = Batch::new(vec![7; 128]);
    assert_eq!((expander.draw_off(&mut batch, now), batch.len()), (96, 32));
    assert_eq!((expander.draw_off(&mut batch, now), batch.len()), (0, 32));
}
