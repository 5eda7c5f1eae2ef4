//! Runs the host's and the key's state machines on a virtual clock, over a wire that damages, loses and inserts bytes in
//! both directions. The host must deliver only blocks that the key sent, in order, and entropy must flow again within a
//! bounded time once the wire is clean.

use std::collections::VecDeque;
use std::time::Duration;

use ekey_proto::session::{Output, Session, State, Timings};
use ekey_proto::{Instant, LongTermKey, Nonce};
use ekey_sim::{Device, Seed, Setup};
use proptest::prelude::*;
use proptest::test_runner::Config;

/// The longest recovery: eight damaged frames or five seconds of silence, a `^C`, and a retry of each step.
const BACK_IN: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(50);

/// The fault of the wire in one tick.
#[derive(Debug, Clone, Copy)]
enum Mischief {
    None,
    /// Flips a bit on the way to the host.
    Flip(u16),
    /// Loses this many bytes on the way to the host.
    Lose(u8),
    /// Inserts this many bytes of noise on the way to the host.
    Insert(u8),
    /// Repeats the last bytes to the host.
    Repeat,
    /// Loses the host's commands.
    Mute,
    /// Damages the host's commands.
    Garble(u8),
    /// Inserts a `^C` on the way to the key.
    ForeignReset,
}

struct Both {
    now: Duration,
    session: Session,
    device: Device,
    long_term_key: LongTermKey,
    to_device: Vec<u8>,
    heard: Vec<u8>,
    sent: VecDeque<[u8; 32]>,
    delivered: usize,
    nonces: u32,
}

impl Both {
    fn new(seed: u64) -> Self {
        let setup = Setup { rate: 500, ..Setup::from_seed(Seed::from_number(seed)) };
        let now = Duration::ZERO;
        Self {
            now,
            session: Session::new(Instant::after_start(now), Some(setup.serial), Timings::default()),
            long_term_key: setup.long_term_key.duplicate(),
            device: Device::new(setup),
            to_device: Vec::new(),
            heard: Vec::new(),
            sent: VecDeque::new(),
            delivered: 0,
            nonces: 0,
        }
    }

    fn tick(&mut self, mischief: Mischief) {
        let mut output = ekey_sim::Output::default();
        let mut commands = std::mem::take(&mut self.to_device);
        match mischief {
            Mischief::Mute => commands.clear(),
            Mischief::Garble(by) => commands.iter_mut().for_each(|byte| *byte ^= by | 1),
            Mischief::ForeignReset => commands.push(3),
            _ => {}
        }
        self.device.handle_input(self.now, &commands);
        while self.device.next_output().is_some_and(|at| at <= self.now) {
            self.device.produce(self.now, &mut output);
        }
        self.sent.extend(output.blocks.chunks(32).map(|block| <[u8; 32]>::try_from(block).expect("32 bytes")));
        let mut bytes = output.bytes;
        let at = |place: u8, len: usize| usize::from(place) % len.max(1);
        match mischief {
            Mischief::Flip(bit) if !bytes.is_empty() => {
                let len = bytes.len();
                bytes[usize::from(bit) / 8 % len] ^= 1 << (bit % 8);
            }
            Mischief::Lose(count) => drop(bytes.drain(..usize::from(count).min(bytes.len()))),
            Mischief::Insert(count) => {
                let place = at(count, bytes.len());
                let noise = (0..count).map(|byte| byte.wrapping_mul(count) ^ b'*');
                bytes.splice(place..place, noise);
            }
            Mischief::Repeat => bytes.extend_from_slice(&self.heard.clone()),
            _ => {}
        }
        self.heard.clone_from(&bytes);
        self.hear(&bytes);
        self.now += TICK;
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        loop {
            let now = Instant::after_start(self.now);
            match self.session.poll_output() {
                Output::Write(command) => self.to_device.extend_from_slice(command.to_bytes().as_ref()),
                Output::NeedNonce(_) => {
                    self.nonces += 1;
                    let nonce = Nonce::new(self.nonces, [0; 8]);
                    self.session.handle_nonce(now, nonce, Some(self.long_term_key.duplicate()));
                }
                Output::Event(_) => {}
                Output::WaitUntil(deadline) if deadline <= now => self.session.handle_timeout(now),
                Output::WaitUntil(_) if bytes.is_empty() => return,
                Output::WaitUntil(_) => {
                    let mut delivered = Vec::new();
                    let taken = self.session.handle_input(now, bytes, |block| delivered.push(block));
                    bytes = &bytes[taken..];
                    delivered.iter().for_each(|block| self.check(block.as_bytes()));
                }
            }
        }
    }

    /// Fails unless the key sent this block, after the last one that came out.
    fn check(&mut self, block: &[u8; 32]) {
        while let Some(next) = self.sent.pop_front() {
            if next == *block {
                self.delivered += 1;
                return;
            }
        }
        panic!("a block came out that never went in, or out of order, or twice");
    }
}

fn mischief() -> impl Strategy<Value = Mischief> {
    prop_oneof![
        6 => Just(Mischief::None),
        3 => any::<u16>().prop_map(Mischief::Flip),
        1 => any::<u8>().prop_map(Mischief::Lose),
        1 => any::<u8>().prop_map(Mischief::Insert),
        1 => Just(Mischief::Repeat),
        1 => Just(Mischief::Mute),
        1 => any::<u8>().prop_map(Mischief::Garble),
        1 => Just(Mischief::ForeignReset),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 400, ..Config::default() })]

    #[test]
    fn any_wire_yields_only_sent_blocks_and_recovers(
        seed in any::<u64>(),
        disturbed in proptest::collection::vec(mischief(), 0..300),
    ) {
        let mut both = Both::new(seed);
        for mischief in disturbed {
            both.tick(mischief);
        }
        let well_since = both.now;
        while both.session.state() != State::Running || both.delivered == 0 {
            prop_assert!(both.now < well_since + BACK_IN, "still {:?} after {BACK_IN:?}", both.session.state());
            both.tick(Mischief::None);
        }
        let (before, at) = (both.delivered, both.now);
        while both.delivered < before + 100 {
            prop_assert!(both.now < at + BACK_IN, "running, but only {} blocks more", both.delivered - before);
            both.tick(Mischief::None);
        }
    }
}

#[test]
fn a_clean_wire_delivers_ten_sessions_with_one_reset() {
    let mut both = Both::new(1);
    while both.delivered < 10 * 4096 {
        both.tick(Mischief::None);
        assert!(both.now < Duration::from_secs(600), "only {} blocks", both.delivered);
    }
    let counters = both.session.counters();
    assert_eq!((counters.resets, counters.mac_failures, counters.lost, counters.replayed), (1, 0, 0, 0));
    assert_eq!(counters.rekeys, 10 + u64::from(both.delivered > 10 * 4096));
    assert_eq!(counters.entropy_blocks, both.delivered as u64);
}
