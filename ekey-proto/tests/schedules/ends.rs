//! The two ends, the wires between them, and one schedule of faults for all of them.

use std::collections::VecDeque;
use std::time::Duration;

use ekey_proto::session::{Output, Session, State, Timings};
use ekey_proto::{Command, Instant, LongTermKey, Nonce, Serial};
use ekey_sim::{Device, Revival, Seed, Setup};

use crate::model::{Made, Model};
use crate::random::Random;
use crate::wire::{Carried, Wire};

/// Sums over schedules.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) predicted: u64,
    pub(crate) delivered: u64,
    pub(crate) agreed: u64,
    pub(crate) mistaken: u64,
    pub(crate) longest_recovery: Duration,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.predicted += other.predicted;
        self.delivered += other.delivered;
        self.agreed += other.agreed;
        self.mistaken += other.mistaken;
        self.longest_recovery = self.longest_recovery.max(other.longest_recovery);
    }
}

/// Both ends and their wires.
pub(crate) struct Ends {
    seed: u64,
    random: Random,
    now: Duration,
    serial: Serial,
    session: Session,
    device: Device,
    model: Model,
    /// The host's commands, each with its nonce if it is a `K`.
    to_key: Wire<Option<Nonce>>,
    to_host: Wire<Made>,
    /// The key read a damaged command, and no `^C` since.
    garbled: bool,
    hangs: Option<Revival>,
    right: LongTermKey,
    keyring: Keyring,
    /// When the host answers its session's request for a nonce.
    nonce_at: Option<Duration>,
    nonces: u32,
    last_reset: Option<Duration>,
    sent: VecDeque<[u8; 32]>,
    delivered: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyring {
    Right,
    Wrong,
    Empty,
}

impl Ends {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // A block of 78 frames every 3 s: more frames only cost time.
        let setup = Setup { rate: 26, ..Setup::from_seed(Seed::from_number(seed)) };
        let (serial, right) = (setup.serial, setup.long_term_key.duplicate());
        let now = Duration::ZERO;
        let trouble = [0, 3, 10, 30][random.below(4) as usize];
        Self {
            seed,
            now,
            serial,
            session: Session::new(Instant::after_start(now), Some(serial), Timings::default()),
            device: Device::new(setup),
            model: Model::new(),
            to_key: Wire::new(trouble),
            to_host: Wire::new(trouble),
            garbled: false,
            hangs: None,
            right,
            keyring: Keyring::Right,
            nonce_at: None,
            nonces: 0,
            last_reset: None,
            sent: VecDeque::new(),
            delivered: 0,
            random,
        }
    }

    /// Runs a schedule of faults, then none. Panics if entropy does not flow again within `patience`.
    pub(crate) fn run(mut self, patience: Duration) -> Outcome {
        self.drain();
        for _ in 0..3 + self.random.below(12) {
            self.happen();
            let time = Duration::from_millis(self.random.below(2000));
            self.pass(time);
        }
        (self.to_key.trouble, self.to_host.trouble) = (0, 0);
        if let Some(needed) = self.hangs {
            self.revive(needed);
        }
        self.change_keyring(Keyring::Right);
        let (since, before) = (self.now, self.delivered);
        while self.delivered < before + 78 || self.session.state() != State::Running {
            let (passed, state) = (self.now - since, self.session.state());
            assert!(passed < patience, "schedule {}: after {passed:?} it is {state:?}", self.seed);
            self.pass(Duration::from_millis(100));
        }
        let Self { model: Model { predicted, agreed, mistaken, .. }, delivered, .. } = self;
        Outcome { predicted, delivered, agreed, mistaken, longest_recovery: self.now - since }
    }

    /// Makes one random event happen to an end or a wire.
    fn happen(&mut self) {
        match self.random.below(16) {
            0 | 1 => self.to_host.echo(self.now, &mut self.random),
            2 | 3 => self.to_key.echo(self.now, &mut self.random),
            4 => self.tell_key(&Carried { bytes: vec![3], whole: true, known: None }),
            5 => self.tell_key(&Carried { bytes: b"K?R".to_vec(), whole: false, known: None }),
            6 => self.revive(Revival::Replug),
            7 | 8 => {
                let needed = [Revival::CtrlC, Revival::UsbReset, Revival::Replug][self.random.below(3) as usize];
                self.speak(None);
                self.device.hang(needed);
                self.hangs = self.hangs.max(Some(needed));
            }
            9 => {
                if let Some(needed) = self.hangs {
                    self.revive(needed);
                }
            }
            10 => {
                // The host closes the link and opens it again.
                self.session = Session::new(self.instant(), Some(self.serial), Timings::default());
                self.model.host_began();
                (self.nonce_at, self.last_reset) = (None, None);
                self.drain();
            }
            11 => {
                let keyring = [Keyring::Wrong, Keyring::Empty][self.random.below(2) as usize];
                self.change_keyring(keyring);
            }
            12 => self.change_keyring(Keyring::Right),
            13 => {
                self.session.start_over(self.instant());
                self.drain();
            }
            14 => {
                self.to_host.cut();
                self.to_key.cut();
            }
            _ => {}
        }
    }

    fn revive(&mut self, step: Revival) {
        self.speak(None);
        self.device.handle_revival(self.now, step);
        if step == Revival::Replug {
            self.model.key_lost_power();
            self.garbled = false;
        }
        if self.hangs.is_some_and(|needed| step >= needed) {
            self.hangs = None;
        }
    }

    fn change_keyring(&mut self, keyring: Keyring) {
        self.keyring = keyring;
        self.session.handle_new_keyring(self.instant());
        self.drain();
    }

    /// Lets time pass, from one deadline to the next.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadline = self.deadline();
            let deadlines =
                [self.to_key.next(), self.to_host.next(), self.nonce_at, self.device.next_output(), Some(deadline)];
            let due = deadlines.into_iter().flatten().min().unwrap_or(end);
            if due > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(due);
            if let Some(command) = self.to_key.take(self.now) {
                self.tell_key(&command);
            } else if let Some(frame) = self.to_host.take(self.now) {
                self.tell_host(&frame);
            } else if self.nonce_at.take_if(|at| *at <= self.now).is_some() {
                self.give_nonce();
            } else if deadline <= self.now {
                self.session.handle_timeout(self.instant());
                self.drain();
                assert!(self.deadline() > self.now, "schedule {}: the session spins", self.seed);
            } else {
                self.speak(None);
            }
        }
    }

    fn tell_key(&mut self, command: &Carried<Option<Nonce>>) {
        self.garbled |= !command.whole;
        if command.bytes.contains(&3) {
            // ^C ends whatever the key was reading, but the key reads what follows it.
            self.garbled = !command.whole;
            self.hangs = self.hangs.filter(|needed| *needed != Revival::CtrlC);
        }
        self.device.handle_input(self.now, &command.bytes);
        self.speak(command.known.filter(|_| !self.garbled));
    }

    /// Sends what the key has to send; `nonce` is the one that it just read, if known.
    fn speak(&mut self, nonce: Option<Nonce>) {
        let mut said = ekey_sim::Output::default();
        self.device.produce(self.now, &mut said);
        self.sent.extend(said.blocks.as_chunks().0);
        for frame in said.bytes.chunks(64) {
            let known = self.model.made(frame, nonce);
            self.to_host.send(self.now, &mut self.random, Carried { bytes: frame.to_vec(), whole: true, known });
        }
    }

    fn tell_host(&mut self, frame: &Carried<Made>) {
        let before = self.session.counters();
        let mut rest = &frame.bytes[..];
        while !rest.is_empty() {
            let (now, mut delivered) = (self.instant(), Vec::new());
            let taken = self.session.handle_input(now, rest, |block| delivered.push(block));
            rest = &rest[taken..];
            delivered.iter().for_each(|block| self.check(block.as_bytes()));
            if frame.whole && rest.is_empty() {
                self.model.heard(frame.known, &before, &self.session.counters());
            }
            self.drain();
        }
        self.model.counted(&before, &self.session.counters());
    }

    fn give_nonce(&mut self) {
        self.nonces += 1;
        let nonce = Nonce::new(self.nonces, [0; 8]);
        let key = match self.keyring {
            Keyring::Right => Some(self.right.duplicate()),
            Keyring::Wrong => Some(LongTermKey::from_bytes([1; 32])),
            Keyring::Empty => None,
        };
        self.session.handle_nonce(self.instant(), nonce, key);
        self.drain();
    }

    fn instant(&self) -> Instant {
        Instant::after_start(self.now)
    }

    fn deadline(&mut self) -> Duration {
        let Output::WaitUntil(deadline) = self.session.poll_output() else { panic!("outputs are left") };
        deadline.since_start()
    }

    /// Carries out the outputs of the host's session.
    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Write(command) => {
                    let mut nonce = None;
                    match command {
                        Command::Reset => {
                            let last = self.last_reset.replace(self.now);
                            let apart = last.is_none_or(|last| self.now >= last + Duration::from_secs(1));
                            assert!(apart, "schedule {}: ^C at {last:?} and {:?}", self.seed, self.now);
                        }
                        Command::RekeySession(asked) => {
                            self.model.host_asked(asked, self.keyring == Keyring::Right);
                            nonce = Some(asked);
                        }
                        other => panic!("schedule {}: {other:?}", self.seed),
                    }
                    let bytes = command.to_bytes().as_ref().to_vec();
                    self.to_key.send(self.now, &mut self.random, Carried { bytes, whole: true, known: nonce });
                }
                Output::NeedNonce(serial) => {
                    assert_eq!(serial, self.serial, "schedule {}", self.seed);
                    let late = if self.random.percent(20) { self.random.below(4000) } else { 0 };
                    self.nonce_at = Some(self.now + Duration::from_millis(late));
                }
                Output::Event(_) => {}
                Output::WaitUntil(_) => return,
            }
        }
    }

    /// Fails unless the key sent this block, after the last one that came out.
    fn check(&mut self, block: &[u8; 32]) {
        let found = self.sent.iter().position(|sent| sent == block);
        let found = found.unwrap_or_else(|| {
            panic!("schedule {}: a block came out that never went in, or out of order, or twice", self.seed)
        });
        self.sent.drain(..=found);
        self.delivered += 1;
    }
}
