//! A software key in a thread behind a socket, as QEMU connects to it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ekey_sim::{Device, Records, Seed, Setup, SimError, StopHandle, UnixSocket, run_usbredir};
use nix::unistd::gettid;
use tempfile::TempDir;

const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const DEVICE_DISCONNECT: u32 = 2;
const INTERFACE_INFO: u32 = 4;
const EP_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const CONFIGURATION_STATUS: u32 = 8;
const BULK: u32 = 101;
const DEADLINE: Duration = Duration::from_secs(600);
const BULK_IN_64: [u8; 10] = [0x81, 0, 64, 0, 0, 0, 0, 0, 0, 0];
const CTRL_C: [u8; 11] = [0x03, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3];

/// A key in its thread.
struct Running {
    stop: StopHandle,
    thread: JoinHandle<Result<(), SimError>>,
    path: PathBuf,
    folder: TempDir,
    /// The thread's number in the system.
    task: i32,
}

impl Running {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("key");
        let mut socket = UnixSocket::open(&path).expect("a socket");
        let stop = StopHandle::new().expect("a descriptor");
        let mut records = Records::none().with_plain_log(&folder.path().join("plain")).expect("a log");
        let handle = stop.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(gettid().as_raw()).expect("the test waits");
            let setup = Setup { rate: 0, ..Setup::from_seed(Seed::from_number(1)) };
            run_usbredir(Device::new(setup), &mut socket, &mut records, &handle)
        });
        let task = told.recv().expect("the thread runs");
        Self { stop, thread, path, folder, task }
    }

    fn end(self) {
        self.stop.stop();
        self.thread.join().expect("no panic").expect("no error");
        assert!(!self.path.exists(), "its socket is gone");
        assert!(self.folder.path().exists());
    }
}

/// A QEMU with message numbers of 64 bits.
struct Host(UnixStream);

impl Host {
    /// Connects, greets, and reads until the key is announced.
    fn plug(path: &Path) -> Self {
        let mut host = Self::connect(path);
        let kinds = [(); 3].map(|()| host.next().expect("a message").0);
        assert_eq!(kinds, [INTERFACE_INFO, EP_INFO, DEVICE_CONNECT]);
        host.say(SET_CONFIGURATION, 1, &[1]);
        let kinds = [(); 3].map(|()| host.next().expect("a message").0);
        assert_eq!(kinds, [INTERFACE_INFO, EP_INFO, CONFIGURATION_STATUS]);
        host
    }

    fn connect(path: &Path) -> Self {
        let mut stream = UnixStream::connect(path).expect("the key listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut greeting = [HELLO, 68, 0].map(u32::to_le_bytes).concat();
        greeting.extend([0; 64]);
        greeting.extend(0xf7_u32.to_le_bytes());
        stream.write_all(&greeting).expect("the key hears");
        let mut theirs = [0; 80];
        stream.read_exact(&mut theirs).expect("the key greets");
        assert_eq!(theirs[..8], [0, 0, 0, 0, 68, 0, 0, 0]);
        Self(stream)
    }

    fn say(&mut self, kind: u32, id: u64, body: &[u8]) {
        let mut bytes = [kind, body.len() as u32].map(u32::to_le_bytes).concat();
        bytes.extend(id.to_le_bytes());
        bytes.extend(body);
        self.0.write_all(&bytes).expect("the key hears");
    }

    /// Returns kind, number and body of the next message, or `None` when the key has hung up.
    fn next(&mut self) -> Option<(u32, u64, Vec<u8>)> {
        let mut head = [0; 16];
        if let Err(error) = self.0.read_exact(&mut head) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "nothing comes for {DEADLINE:?}");
            return None;
        }
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let mut body = vec![0; word(4) as usize];
        self.0.read_exact(&mut body).expect("a whole message");
        Some((word(0), u64::from(word(8)), body))
    }

    /// Returns whether the key answers `^C` with a frame.
    fn is_answered(&mut self) -> bool {
        self.say(BULK, 5, &BULK_IN_64);
        self.say(BULK, 6, &CTRL_C);
        let answers = [(); 2].map(|()| self.next().expect("two answers"));
        answers.iter().any(|(_, id, body)| *id == 5 && body[10..12] == *b"* ")
    }
}

#[test]
fn each_connection_plugs_the_key_in() {
    let key = Running::start();
    for _ in 0..3 {
        assert!(Host::plug(&key.path).is_answered());
    }
    key.end();
}

#[test]
fn a_toggle_unplugs_the_key_or_plugs_it_in() {
    let key = Running::start();
    let mut host = Host::plug(&key.path);
    key.stop.toggle();
    assert_eq!(host.next().expect("a message").0, DEVICE_DISCONNECT);
    key.stop.toggle();
    let kinds = [(); 3].map(|()| host.next().expect("a message").0);
    assert_eq!(kinds, [INTERFACE_INFO, EP_INFO, DEVICE_CONNECT]);
    // Unplugged without a host: the next host waits for the key.
    drop(host);
    key.stop.toggle();
    let mut host = Host::connect(&key.path);
    key.stop.toggle();
    let kinds = [(); 3].map(|()| host.next().expect("a message").0);
    assert_eq!(kinds, [INTERFACE_INFO, EP_INFO, DEVICE_CONNECT]);
    key.end();
}

#[test]
fn a_violation_disconnects_only_its_host() {
    let key = Running::start();
    let mut host = Host::plug(&key.path);
    host.say(77, 0, &[]);
    assert_eq!(host.next(), None);
    assert!(Host::plug(&key.path).is_answered());
    key.end();
}

#[test]
fn a_host_that_reads_late_gets_every_answer() {
    let key = Running::start();
    let mut host = Host::plug(&key.path);
    let rounds = 2000;
    for id in 0..rounds {
        // The device descriptor and the longest text: answers of 100 bytes for 52.
        host.say(100, id, &[0x80, 6, 0x80, 0, 0, 1, 0, 0, 18, 0]);
        host.say(100, id, &[0x80, 6, 0x80, 0, 1, 3, 9, 4, 255, 0]);
    }
    for id in 0..rounds {
        for length in [10 + 18, 10 + 38] {
            let (kind, number, body) = host.next().expect("an answer");
            assert_eq!((kind, number, body.len()), (100, id, length));
        }
    }
    key.end();
}

/// Waits until the thread sleeps from one look to the next. One that spins never does.
fn await_sleep(task: i32, what: &str) {
    let path = format!("/proc/self/task/{task}/status");
    let look = || {
        let status = std::fs::read_to_string(&path).expect("the thread runs");
        let lines = status.lines().filter(|line| line.starts_with("State:") || line.contains("ctxt_switches:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let started = Instant::now();
    loop {
        let before = look();
        std::thread::sleep(Duration::from_millis(50));
        if before[0].ends_with("S (sleeping)") && look() == before {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "{what}: it never sleeps: {before:?}");
    }
}

#[test]
fn a_key_with_nothing_to_do_sleeps() {
    let key = Running::start();
    let mut host = Host::plug(&key.path);
    await_sleep(key.task, "the host does not ask");
    host.say(BULK, 5, &[0x81, 0, 0, 0x40, 0, 0, 0, 0, 0, 0]);
    await_sleep(key.task, "a read of 16 KiB waits");
    key.stop.toggle();
    await_sleep(key.task, "unplugged");
    drop(host);
    await_sleep(key.task, "no host");
    key.end();
}
