//! A key's thread against a software key, before and after the kernel's generator is ready.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use ekey_keyring::KeyringEdit;
use ekey_sim::{Device, Records, Seed, Setup, StopHandle, UnixSocket};

use super::nonce::{Host, Nonces};
use super::*;
use crate::source::{Delivery, Epochs, Grade};

/// Only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(600);

/// A software key and its thread in the daemon.
struct Scene {
    key: Key,
    deliveries: Receiver<Delivery>,
    plug: Option<JoinHandle<()>>,
    stop: StopHandle,
    epochs: Epochs,
    _poll: mio::Poll,
}

impl Scene {
    /// Starts both, with the state directory `state`. `is_ready`: whether the kernel's generator is.
    fn start(folder: &Path, state: &Path, is_ready: fn() -> bool) -> Self {
        let setup = Setup { rate: 500, ..Setup::from_seed(Seed::from_number(7)) };
        let keyring = folder.join("keyring");
        let mut edit = KeyringEdit::begin(&keyring).unwrap();
        edit.set(setup.serial, setup.long_term_key.duplicate());
        edit.save().unwrap();
        let socket = folder.join("key");
        let mut plugged = UnixSocket::open(&socket).unwrap();
        let stop = StopHandle::new().unwrap();
        let stopped = stop.clone();
        let plug = std::thread::spawn(move || {
            ekey_sim::run(&mut Device::new(setup), &mut plugged, &mut Records::none(), &stopped).unwrap();
        });
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let (sender, deliveries) = bounded(4);
        let settings = KeySettings {
            number: 1,
            name: Name::Path(socket),
            transport: Transport::Auto,
            recovery: Recovery::default(),
            health: Health::default(),
            expected: None,
            timings: Timings { opening_silence: DEADLINE, running_silence: DEADLINE },
            lines: Lines::new(&Default::default(), 1),
        };
        let epochs = Epochs::default();
        let nonces = Nonces::new(state, Host { is_ready, ..Host::default() });
        let inlet = Inlet { deliveries: sender, waker, epochs: epochs.clone() };
        let key = Key::start(settings, SharedKeyring::open(&keyring), nonces, inlet).unwrap();
        Self { key, deliveries, plug: Some(plug), stop, epochs, _poll: poll }
    }

    /// Returns whether the next delivery may be used.
    fn next_is_fit(&self) -> bool {
        self.deliveries.recv_timeout(DEADLINE).unwrap().grade == Grade::Fit
    }

    fn end(mut self) {
        // Its thread may wait for room.
        drop(self.deliveries);
        self.key.release(DEADLINE);
        self.stop.stop();
        self.plug.take().unwrap().join().unwrap();
    }
}

#[test]
fn an_early_session_without_a_counter_gives_nothing() {
    static READY: AtomicBool = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::start(folder.path(), &folder.path().join("missing"), || READY.load(Ordering::Relaxed));
    for number in 0..20 {
        assert!(!scene.next_is_fit(), "delivery {number} may be used, and may be a recording");
    }
    let status = scene.key.status();
    assert!(status.doubtful && !scene.key.is_delivering(), "{status:?}");
    READY.store(true, Ordering::Relaxed);
    while !scene.next_is_fit() {}
    for number in 0..20 {
        assert!(scene.next_is_fit(), "delivery {number} of the new session");
    }
    assert!(!scene.key.status().doubtful);
    scene.end();
}

#[test]
fn a_ready_generator_starts_a_new_session() {
    static READY: AtomicBool = AtomicBool::new(true);
    let folder = tempfile::tempdir().unwrap();
    let host = Host { is_ready: || true, ..Host::default() };
    assert!(Nonces::new(folder.path(), host).next().unwrap().is_certain, "a counter is made");
    READY.store(false, Ordering::Relaxed);
    let scene = Scene::start(folder.path(), folder.path(), || READY.load(Ordering::Relaxed));
    for number in 0..20 {
        assert!(scene.next_is_fit(), "delivery {number}, with a counter");
    }
    let resets = scene.key.status().connection.resets;
    READY.store(true, Ordering::Relaxed);
    while scene.key.status().connection.resets == resets {
        assert!(scene.next_is_fit());
    }
    scene.end();
}

#[test]
fn what_came_before_forgetting_keeps_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::start(folder.path(), folder.path(), || true);
    let next = || scene.deliveries.recv_timeout(DEADLINE).expect("a delivery").epoch;
    let first = scene.epochs.present();
    for number in 0..5 {
        assert_eq!(next(), first, "delivery {number}");
    }
    scene.epochs.begin_next();
    assert_eq!(next(), first, "the session goes on until it is told");
    let resets = scene.key.status().connection.resets;
    scene.key.command(KeyCommand::Forget);
    while next() == first {}
    assert!(scene.key.status().connection.resets > resets, "a new session");
    for number in 0..5 {
        assert_eq!(next(), scene.epochs.present(), "delivery {number} of the new session");
    }
    scene.end();
}
