//! A hostile device against the whole daemon, a process of its own with its sandbox, over a unix socket.
//!
//! The device knows the long-term key and sends what the input says, under the zero key or a session key, as fast as it is
//! taken. The daemon runs on, its books add up, no kind of line is logged more than ten times a minute, nothing grows, and
//! nothing spins once the device is silent. One daemon serves all inputs of a run: run it for ten minutes.

mod device;
mod process;

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use process::become_the_daemon;

use crate::choices::Choices;
use device::Device;
use process::{Daemon, Figures};

/// Enough to reach any state.
const MOST_STEPS: usize = 40;
/// How long one input may take, so that many are played.
const MOST_TIME: Duration = Duration::from_millis(300);
/// How often the daemon is examined.
const EXAMINE_EVERY: Duration = Duration::from_secs(10);
/// How long it may take to reach its full size.
const GROWS_UP: Duration = Duration::from_secs(30);
/// How much may be added after that: pages of the allocator, in KB, and files and threads.
const MORE_MEMORY: u64 = 1024;
const MORE_FILES: usize = 4;
/// A silent second, and the processor time that the daemon may take in it: a hundredth would do; a thread that spins takes all.
const SILENCE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_millis(200);

/// Plays one input.
pub fn daemon(data: &[u8]) {
    static SIEGE: OnceLock<Mutex<Siege>> = OnceLock::new();
    let siege = SIEGE.get_or_init(|| Mutex::new(Siege::begin()));
    siege.lock().expect("a finding ends the run").play(&mut Choices::new(data));
}

/// The daemon, the device, and what was seen so far.
struct Siege {
    daemon: Daemon,
    device: Device,
    began: Instant,
    examined: Instant,
    grown_up: Option<Figures>,
}

impl Siege {
    fn begin() -> Self {
        let (folder, device) = Device::listen();
        let daemon = Daemon::start(folder);
        Self { daemon, device, began: Instant::now(), examined: Instant::now(), grown_up: None }
    }

    fn play(&mut self, choices: &mut Choices<'_>) {
        let end = Instant::now() + MOST_TIME;
        for _ in 0..MOST_STEPS {
            if choices.is_empty() || Instant::now() > end {
                break;
            }
            self.device.step(choices, end);
        }
        self.daemon.assert_log_is_quiet();
        if self.examined.elapsed() > EXAMINE_EVERY {
            self.examine();
            self.examined = Instant::now();
        }
    }

    fn examine(&mut self) {
        let wrong = self.daemon.discrepancies();
        assert!(wrong.is_empty(), "the books do not add up: {wrong:?}");
        // What was sent already may be digested first.
        std::thread::sleep(SILENCE);
        let before = self.daemon.figures();
        std::thread::sleep(SILENCE);
        let now = self.daemon.figures();
        let took = now.processor.saturating_sub(before.processor);
        assert!(took < IDLE, "while the device is silent, a second of the daemon takes {took:?} of processor time");
        eprintln!("{:>4} s: {now}; {}", self.began.elapsed().as_secs(), self.daemon.log_so_far());
        match &self.grown_up {
            None if self.began.elapsed() > GROWS_UP => self.grown_up = Some(now),
            None => {}
            Some(then) => {
                assert!(now.memory_kb <= then.memory_kb + MORE_MEMORY, "memory grows: {then}, now {now}");
                assert!(now.files <= then.files + MORE_FILES, "open files grow: {then}, now {now}");
                assert!(now.threads <= then.threads, "threads grow: {then}, now {now}");
            }
        }
    }
}
