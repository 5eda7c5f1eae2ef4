//! The effect of rude clients of an EGD server on the others: connections that come and go by the thousand, some that
//! ask and leave, some that send garbage, and some that stay and never read or never ask.
//!
//! The rude clients take processor time themselves, and so does accepting them. The loss of a machine of two processors
//! to that is not the daemon's fault: so the same rude clients visit in turn a dummy, which accepts and hangs up, while
//! the same measurement runs at the daemon. Windows of both kinds alternate, so that other load affects both.

use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::priority::{prefer, prefer_this_thread, stop_preferring_this_thread};
use super::{Bound, Figure, Missing, Subject, Unit, median as middle_of};
use crate::await_until;
use crate::egd::EgdClient;
use crate::floods::{come_and_go, rude_clients, vanishing_clients};
use crate::load::{Habit, Load, Measured};
use crate::scratch::Scratch;
use crate::serving::{USUAL, ours};
use crate::software_key::KeyPlan;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "rude-stay", title: "what others notice of rude clients that stay", measure: stay },
    Subject {
        name: "rude-come-and-go",
        title: "what others notice of 10,000 that come and go a second",
        measure: paced,
    },
    Subject { name: "rude-flood", title: "what others notice of as many as can come and go", measure: flooding },
];

/// How many times longer an answer may take while others come and go.
const MOST: f64 = 1.2;
/// The same for late answers while all processors are busy: then the scheduler causes part of the delay.
const MOST_LATE: f64 = 2.0;
const COUNT: u64 = 50_000;
/// Connections a second at which a machine of two processors still has time to spare.
const PACE: u32 = 10_000;

fn stay() -> Result<Vec<Figure>, Missing> {
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    let habit = Habit::at_intervals(USUAL, Duration::from_millis(500));
    let mut polite = Load::new().with(1000, habit, &daemon.egd);
    let mut usual = || {
        middle_of([(); 5].map(|()| {
            let measured = polite.run_for(Duration::from_millis(700));
            assert!(measured.is_flawless(), "{} polite clients were hung up on", measured.lost);
            measured.percentile(50).as_secs_f64()
        }))
    };
    let before = usual();
    let held = rude_clients(&daemon.egd);
    // Clients that ask for 50 KB each and read nothing soon fill their kernel buffers.
    await_until("the silent readers' sockets to fill", || {
        (daemon.status(&scratch).count("/egd/0/waiting") == 0).then_some(())
    });
    let with_rude = usual();
    drop(held);
    vanishing_clients(&daemon.egd);
    let after = usual();
    stop_preferring_this_thread();
    let figure = |what: &str, seen| {
        Figure::new(what, Unit::Seconds, seen).against("before", before).bound(Bound::MostTimes(MOST))
    };
    Ok(vec![
        figure("usual answer with 1,550 rude clients, median of 5", with_rude),
        figure("usual answer after 1,000 vanished, median of 5", after),
    ])
}

fn paced() -> Result<Vec<Figure>, Missing> {
    Ok(come_and_go_at(PACE, MOST))
}

fn flooding() -> Result<Vec<Figure>, Missing> {
    Ok(come_and_go_at(u32::MAX, MOST_LATE))
}

/// Measures the answers to polite clients while the rude come and go at the daemon, and at a dummy.
fn come_and_go_at(pace: u32, most_late: f64) -> Vec<Figure> {
    let noticed = during_connections(COUNT, pace);
    [("usual (50 of 100)", noticed.usual, MOST), ("late (90 of 100)", noticed.late, most_late)]
        .into_iter()
        .map(|(name, [dummy, daemon], most)| {
            let what = format!("{name} answer during {:.0} connections a second", noticed.rate);
            Figure::new(what, Unit::Seconds, daemon.as_secs_f64())
                .against("with a dummy as their target", dummy.as_secs_f64())
                .bound(Bound::MostTimes(most))
        })
        .collect()
}

/// The effect on the others: the medians of all windows.
struct Noticed {
    /// The usual answer's time with the rude clients at the dummy, and at the daemon.
    usual: [Duration; 2],
    /// The time of nine of ten answers.
    late: [Duration; 2],
    /// Connections a second at the daemon.
    rate: f64,
}

impl Noticed {
    fn of(windows: &[Vec<Measured>; 2], connections: u64, spent: Duration) -> Self {
        let times = |hundredths| {
            windows.each_ref().map(|runs| {
                let mut times: Vec<Duration> = runs.iter().map(|run| run.percentile(hundredths)).collect();
                times.sort();
                times[times.len() / 2]
            })
        };
        Self { usual: times(50), late: times(90), rate: connections as f64 / spent.as_secs_f64() }
    }
}

/// Measures our daemon with a thousand polite clients, two requests a second each, and fifty that ask and never read,
/// while `connections` connections come and go, `pace` a second at most.
fn during_connections(connections: u64, pace: u32) -> Noticed {
    stop_preferring_this_thread();
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    let crowd = Crowd::gather(&daemon.egd, pace);
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    let habit = Habit::at_intervals(USUAL, Duration::from_millis(500));
    let mut polite = Load::new().with(1000, habit, &daemon.egd);
    let deaf = [(); 50].map(|()| {
        let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
        client.ask_without_reading(200).expect("the server listens");
        client
    });
    // Clients that read nothing soon fill their kernel buffers.
    await_until("the silent readers' sockets to fill", || {
        (daemon.status(&scratch).count("/egd/0/waiting") == 0).then_some(())
    });
    let _ = polite.run_for(Duration::from_millis(700));
    let noticed = crowd.noticed(&mut polite, connections);
    stop_preferring_this_thread();
    drop(deaf);
    noticed
}

/// The rude clients, and the dummy that they visit in turn.
struct Crowd {
    _dummy: Dummy,
    at_dummy: Rude,
    at_daemon: Rude,
}

impl Crowd {
    fn gather(daemon: &Path, pace: u32) -> Self {
        let scratch = Scratch::make();
        let dummy = Dummy::listen(scratch.path("dummy.sock"), scratch);
        let [at_dummy, at_daemon] = [dummy.path.as_path(), daemon].map(|path| Rude::send(path.to_owned(), pace));
        Self { _dummy: dummy, at_dummy, at_daemon }
    }

    /// Runs `polite` until the rude have made this many connections to the daemon.
    fn noticed(&self, polite: &mut Load, connections: u64) -> Noticed {
        const WINDOW: Duration = Duration::from_millis(250);
        let mut windows: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
        let mut spent = Duration::ZERO;
        while self.at_daemon.gone() < connections {
            for (rude, windows) in [&self.at_dummy, &self.at_daemon].into_iter().zip(&mut windows) {
                let started = Instant::now();
                rude.active.store(true, Ordering::Relaxed);
                // The switch itself does not count.
                let _ = polite.run_for(WINDOW / 10);
                let measured = polite.run_for(WINDOW);
                rude.active.store(false, Ordering::Relaxed);
                assert!(measured.lost == 0 && measured.is_answered(), "{} polite clients were lost", measured.lost);
                spent += started.elapsed();
                windows.push(measured);
            }
        }
        Noticed::of(&windows, self.at_daemon.gone(), spent / 2)
    }
}

/// A thread that connects and leaves, again and again, until it must stop.
struct Rude {
    active: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    gone: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Rude {
    fn send(path: PathBuf, pace: u32) -> Self {
        let [active, ended] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let gone = Arc::new(AtomicU64::new(0));
        let shared = (Arc::clone(&active), Arc::clone(&ended), Arc::clone(&gone));
        let thread = thread::spawn(move || {
            let (active, ended, gone) = shared;
            let space = Duration::from_secs(1) / pace;
            let mut next = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let now = Instant::now();
                if !active.load(Ordering::Relaxed) || next > now {
                    thread::sleep(next.saturating_duration_since(now).max(Duration::from_micros(100)));
                    next = next.max(now - space * 8);
                    continue;
                }
                come_and_go(&path, gone.fetch_add(1, Ordering::Relaxed));
                next += space;
            }
        });
        Self { active, ended, gone, thread: Some(thread) }
    }

    fn gone(&self) -> u64 {
        self.gone.load(Ordering::Relaxed)
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Its failure would show in the measurement.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A server that accepts and hangs up: the least that any server costs the machine.
struct Dummy {
    path: PathBuf,
    _scratch: Scratch,
    ended: Arc<AtomicBool>,
}

impl Dummy {
    fn listen(path: PathBuf, scratch: Scratch) -> Self {
        let listener = UnixListener::bind(&path).expect("a socket can be made");
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        thread::spawn(move || {
            while let (Ok((mut stream, _)), false) = (listener.accept(), is_over.load(Ordering::Relaxed)) {
                let _ = stream.read(&mut [0; 64]);
            }
        });
        Self { path, _scratch: scratch, ended }
    }
}

impl Drop for Dummy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes it, so that it sees the end.
        let _ = UnixStream::connect(&self.path);
    }
}
