//! Rude clients of an EGD server while others are served: connections that come and go by the thousand, some that ask and do not
//! wait, some that talk nonsense, beside some that stay and never read or never speak. And what the others notice of it.
//!
//! The rude ones take processor time themselves, and so does accepting them. Whatever a machine of two processors loses by that
//! is not the daemon's doing: so the same rude ones are sent to a dummy in turn, which accepts and hangs up, while the same
//! measurement goes on at the daemon. Windows of both kinds alternate, so that what else the machine does falls on both.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::priority::{prefer, prefer_this_thread, prefer_this_thread_no_more};
use super::{Bound, Figure, Missing, Subject, Unit, median as middle_of};
use crate::await_until;
use crate::egd::EgdClient;
use crate::load::{Habit, Load, Measured};
use crate::scratch::Scratch;
use crate::serving::{USUAL, ours};
use crate::software_key::KeyPlan;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "rude-stay", says: "what others notice of rude clients that stay", measure: stay },
    Subject {
        name: "rude-come-and-go",
        says: "what others notice of 10,000 that come and go a second",
        measure: paced,
    },
    Subject { name: "rude-flood", says: "what others notice of as many as can come and go", measure: flooding },
];

/// So many times as long may an answer take while others come and go.
const MOST: f64 = 1.2;
/// The same of late answers while all processors are busy: then they are the scheduler's as much as the daemon's.
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
    let held = [
        many(50, &daemon.egd, &[0x02, 255].repeat(200)),
        many(500, &daemon.egd, b""),
        many(500, &daemon.egd, &[0x02]),
        many(500, &daemon.egd, b"GET / HTTP/1.1\r\n\r\n"),
    ];
    // Those that ask for 50 KB each and read nothing have soon got what the kernel holds for them.
    await_until("the deaf to be full", || (daemon.status(&scratch).count("/egd/0/waiting") == 0).then_some(()));
    let beside = usual();
    drop(held);
    // These ask, and are gone before the answer is.
    for _ in 0..1000 {
        drop(many(1, &daemon.egd, &[0x02, 255, 0x02]));
    }
    let after = usual();
    prefer_this_thread_no_more();
    let figure = |what: &str, seen| {
        Figure::new(what, Unit::Seconds, seen).beside("before", before).bound(Bound::MostTimes(MOST))
    };
    Ok(vec![
        figure("usual answer with 1,550 rude clients, median of 5", beside),
        figure("usual answer after 1,000 vanished, median of 5", after),
    ])
}

fn many(count: usize, path: &Path, words: &[u8]) -> Vec<UnixStream> {
    let one = |_| {
        let mut stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream.set_nonblocking(true).expect("a socket can be told not to block");
        drop(stream.write_all(words));
        stream
    };
    (0..count).map(one).collect()
}

fn paced() -> Result<Vec<Figure>, Missing> {
    Ok(come_and_go_at(PACE, MOST))
}

fn flooding() -> Result<Vec<Figure>, Missing> {
    Ok(come_and_go_at(u32::MAX, MOST_LATE))
}

/// Answers to polite clients while the rude come and go at the daemon, beside the same at a dummy.
fn come_and_go_at(pace: u32, most_late: f64) -> Vec<Figure> {
    let noticed = beside(COUNT, pace);
    [("usual (50 of 100)", noticed.usual, MOST), ("late (90 of 100)", noticed.late, most_late)]
        .into_iter()
        .map(|(name, [dummy, daemon], most)| {
            let what = format!("{name} answer beside {:.0} connections a second", noticed.rate);
            Figure::new(what, Unit::Seconds, daemon.as_secs_f64())
                .beside("with a dummy as their target", dummy.as_secs_f64())
                .bound(Bound::MostTimes(most))
        })
        .collect()
}

/// What the others notice: the middle one of all windows.
struct Noticed {
    /// The usual answer's time with the rude at the dummy, and at the daemon.
    usual: [Duration; 2],
    /// The time that nine of ten answers take at most.
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

/// A daemon of ours with a thousand polite clients, two requests a second each, and fifty that ask and never read, while
/// `connections` connections come and go, `pace` a second at most.
fn beside(connections: u64, pace: u32) -> Noticed {
    prefer_this_thread_no_more();
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
    // Those that read nothing have soon got what the kernel holds for them.
    await_until("the deaf to be full", || (daemon.status(&scratch).count("/egd/0/waiting") == 0).then_some(()));
    let _ = polite.run_for(Duration::from_millis(700));
    let noticed = crowd.noticed(&mut polite, connections);
    prefer_this_thread_no_more();
    drop(deaf);
    noticed
}

/// The rude ones, and the dummy that they go to in turn.
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

    /// Runs `polite` until so many have come to the daemon and gone.
    fn noticed(&self, polite: &mut Load, connections: u64) -> Noticed {
        const WINDOW: Duration = Duration::from_millis(250);
        let mut windows: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
        let mut spent = Duration::ZERO;
        while self.at_daemon.gone() < connections {
            for (rude, windows) in [&self.at_dummy, &self.at_daemon].into_iter().zip(&mut windows) {
                let started = Instant::now();
                rude.active.store(true, Ordering::Relaxed);
                // What the change itself brings is no part of it.
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

/// A thread that connects and leaves, again and again, while it is told to.
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
            let mut due = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let now = Instant::now();
                if !active.load(Ordering::Relaxed) || due > now {
                    thread::sleep(due.saturating_duration_since(now).max(Duration::from_micros(100)));
                    due = due.max(now - space * 8);
                    continue;
                }
                come_and_go(&path, gone.fetch_add(1, Ordering::Relaxed));
                due += space;
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
        // It has nothing to say that the measurement does not show.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One says nothing, one asks and does not wait, one asks half a question, one talks nonsense. They ask for so little that there
/// is enough for all: who gets how much of too little is another question.
///
/// # Panics
/// When the server takes no connection.
pub fn come_and_go(path: &Path, number: u64) {
    let mut stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let words: &[u8] = match number % 4 {
        0 => &[],
        1 => &[0x02, 16],
        2 => &[0x02],
        _ => b"GET / HTTP/1.1\r\n\r\n",
    };
    // It may be hung up on.
    let _ = stream.write_all(words);
}

/// Accepts and hangs up: what any server costs the machine at least.
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
        // Wakes it, so that it sees that it is over.
        let _ = UnixStream::connect(&self.path);
    }
}
