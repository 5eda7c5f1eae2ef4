//! When it is seeded, what it gives of a seed, and when it gives nothing.

use super::*;

const INTERVAL: Duration = Duration::from_secs(60);
const BYTES: u64 = 65_536;

/// What the system gives in these tests.
const SYSTEM: [u8; OF_THE_SYSTEM] = [0x5a; OF_THE_SYSTEM];

fn expander() -> Expander {
    let expand = config::Expand { listen: Vec::new(), reseed_interval: INTERVAL, reseed_bytes: BYTES, max_clients: 1 };
    let system = |out: &mut [u8]| {
        out.copy_from_slice(&SYSTEM);
        Ok(())
    };
    Expander { system, ..Expander::new(&expand) }
}

/// Seeds it with the last of `count` bytes of a key, if it wants a seed and there is enough. Returns how many bytes are left.
fn seed(expander: &mut Expander, count: usize, now: Instant) -> usize {
    let wanted = expander.wants(now);
    let bytes: Vec<u8> = (0..count).map(|at| at as u8).collect();
    match count.checked_sub(wanted).filter(|_| wanted > 0) {
        Some(left) => {
            expander.seed(&bytes[left..], now);
            left
        }
        None => count,
    }
}

/// All that it gives now, in the order in which it was made.
fn take(expander: &mut Expander, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    expander.output(now).take(usize::MAX, &mut out);
    out
}

#[test]
fn nothing_is_given_before_the_first_seed() {
    let now = Instant::now();
    let mut expander = expander();
    assert!(take(&mut expander, now).is_empty(), "bytes were given without a seed");
    assert_eq!((expander.wants(now), expander.status(now).seeded), (96, false));
    assert!(expander.status(now).problem.is_some_and(|problem| problem.contains("no seed yet")));
    assert_eq!(seed(&mut expander, 1000, now), 904);
    assert_eq!(expander.status(now).seed_bytes, 96);
    assert_eq!(take(&mut expander, now).len(), READY);
    assert_eq!(expander.status(now).problem, None);
}

#[test]
fn the_generator_makes_what_is_given() {
    let now = Instant::now();
    let mut expander = expander();
    seed(&mut expander, 96, now);
    let first: Vec<u8> = (0..96).collect();
    let mut drbg = Drbg::instantiate(&first[..64], &first[64..], &[PERSONALIZATION, &SYSTEM].concat());
    let mut expected = vec![0; READY];
    for request in 0..2 {
        drbg.generate(&mut expected, &SYSTEM);
        assert!(take(&mut expander, now) == expected, "request {request} gave something else");
    }
    let later = now + INTERVAL;
    seed(&mut expander, 64, later);
    drbg.reseed(&first[..64]);
    drbg.generate(&mut expected, &SYSTEM);
    assert!(take(&mut expander, later) == expected, "after the second seed something else was given");
}

#[test]
fn the_systems_bytes_change_the_output() {
    let now = Instant::now();
    let outputs = [0_u8, 1].map(|once| {
        [expander(), Expander { system: |_| Err(io::ErrorKind::NotFound.into()), ..expander() }].map(|mut expander| {
            seed(&mut expander, 96, now);
            if once == 1 {
                // Later requests take them too.
                expander.system = |_| Ok(());
            }
            take(&mut expander, now)
        })
    });
    let all: std::collections::HashSet<_> = outputs.into_iter().flatten().collect();
    assert_eq!(all.len(), 4, "outputs of one seed with other bytes of the system");
}

#[test]
fn a_seed_is_renewed_by_time_and_by_bytes() {
    let start = Instant::now();
    let mut expander = expander();
    seed(&mut expander, 96, start);
    assert_eq!(expander.wants(start + INTERVAL - Duration::from_millis(1)), 0);
    assert_eq!(expander.wants(start + INTERVAL), SEED);
    let mut given = 0;
    while expander.wants(start) == 0 {
        given += take(&mut expander, start).len() as u64;
    }
    assert_eq!(given, BYTES, "bytes made of one seed until another was wanted");
    assert_eq!(seed(&mut expander, 100, start), 36);
    assert_eq!((expander.status(start).seeds, expander.wants(start)), (2, 0));
}

#[test]
fn a_seed_of_twice_its_age_gives_nothing() {
    let start = Instant::now();
    let mut expander = expander();
    seed(&mut expander, 96, start);
    let late = start + INTERVAL * 2;
    assert!(!take(&mut expander, late - Duration::from_millis(1)).is_empty());
    expander.output(late - Duration::from_millis(1));
    assert!(take(&mut expander, late).is_empty(), "bytes of a seed that is overdue");
    let status = expander.status(late);
    assert!(!status.seeded && status.problem.is_some_and(|problem| problem.contains("for too long")));
    seed(&mut expander, 64, late);
    assert_eq!(take(&mut expander, late).len(), READY);
}

#[test]
fn a_seed_gives_at_most_twice_its_bytes() {
    let now = Instant::now();
    let mut expander = expander();
    seed(&mut expander, 96, now);
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
fn a_fresh_seed_wipes_what_is_left_of_the_last() {
    let start = Instant::now();
    let mut expander = expander();
    seed(&mut expander, 96, start);
    let mut given = Vec::new();
    expander.output(start).take(100, &mut given);
    seed(&mut expander, 64, start + INTERVAL);
    let status = expander.status(start + INTERVAL);
    assert_eq!((status.ready_bytes, status.wiped_bytes), (0, READY as u64 - 100));
    expander.forget("a key has failed");
    assert_eq!(expander.wants(start + INTERVAL), SEED + NONCE, "bytes for a first seed, as the last is forgotten");
    assert!(take(&mut expander, start + INTERVAL).is_empty());
    let status = expander.status(start + INTERVAL);
    assert_eq!(status.generated_bytes, status.ready_bytes + status.wiped_bytes + given.len() as u64);
}

#[test]
fn a_seed_has_256_bits_and_a_byte_takes_eight() {
    let now = Instant::now();
    let mut expander = expander();
    assert_eq!(expander.output(now).entropy_bits(), 0);
    seed(&mut expander, 96, now);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(expander.output(now).entropy_bits());
        expander.output(now).take(12, &mut Vec::new());
    }
    assert_eq!(seen, [256, 160, 64, 0]);
    seed(&mut expander, 96, now + INTERVAL);
    assert_eq!(expander.output(now + INTERVAL).entropy_bits(), 256);
}
