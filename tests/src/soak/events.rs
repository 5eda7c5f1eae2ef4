//! Carries out the plan on the daemon and its surroundings.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Soak;
use super::clerk::Note;
use super::crowd::Door;
use super::keeper::PATIENCE;
use super::keys::STEADFAST;
use super::plan::{COMES_AND_GOES, Event};

impl Soak {
    /// Carries out one event of the plan.
    pub(super) fn carry_out(&mut self, event: &Event) {
        *self.report.happened.entry(event.kind()).or_default() += 1;
        match event {
            Event::Replug(slot, pause) => self.replug(*slot, *pause, None),
            Event::Wedge(slot, kind, after) => self.replug(*slot, Duration::ZERO, Some((kind, *after))),
            Event::ReloadKeys => self.reload_keys(),
            Event::ReloadKeyring => self.keeper.toggle_keyring(&self.scratch),
            Event::ReloadMistake => {
                self.keeper.mistake(&self.scratch);
                sleep(Duration::from_millis(300));
                self.keeper.reload(&self.scratch);
            }
            Event::Clock(away) => self.keeper.set_clock(*away),
            Event::Suspend(span) => {
                self.settle();
                self.signal_keys(Signal::SIGCONT);
                self.suspend(*span);
            }
            Event::SuspendAll(span) => {
                self.settle();
                self.suspend(*span);
            }
            Event::RemoveAndAdd(slot) => {
                let path = self.slots[*slot].path(&self.scratch).display().to_string();
                self.say(&format!("RemoveEntropyKey({path:?})"));
                self.say(&format!("AddEntropyKey({path:?})"));
            }
            Event::Reset(slot, level) => {
                let path = self.slots[*slot].path(&self.scratch).display().to_string();
                self.say(&format!("ResetEntropyKey({path:?}, {level:?})"));
            }
            Event::Deaf(count) => self.deaf(*count),
            Event::Restart => self.restart(),
        }
    }

    /// Settles for the last time: compares everything, and ends the daemon.
    pub(super) fn end(&mut self) {
        if self.report.is_hopeless() {
            return;
        }
        if let Some(status) = self.settle() {
            self.figures(&status);
        }
        if let Some(crowd) = self.crowd.take() {
            crowd.dismiss();
        }
        if let Err(complaint) = self.keeper.stop() {
            self.find(&complaint);
        }
        self.clerk.settle();
        self.judge_log();
        let served = self.report.samples.len();
        if let Some(Err(growth)) =
            super::samples::thirds(&self.report.samples).map(|(a, b)| super::samples::is_flat(a, b))
        {
            self.find(&format!("{growth} ({served} samples)"));
        }
    }

    fn replug(&mut self, slot: usize, pause: Duration, wedge: Option<(&'static str, u64)>) {
        self.end_stretch(slot);
        let verified = if slot < STEADFAST { self.stretches[slot].verified } else { 0 };
        if let Some(plugged) = &self.slots[slot].key {
            for (name, times) in plugged.struck() {
                *self.struck_before.entry(name).or_default() += times;
            }
        }
        if let Some(log) = self.slots[slot].pull_out() {
            self.clerk.note(Note::Unplugged(log));
        }
        sleep(pause);
        let log = self.slots[slot].next_log(&self.scratch);
        self.clerk.note(Note::Plugged(log.clone()));
        self.slots[slot].plug_in(&self.scratch, wedge, &log);
        if slot < STEADFAST {
            self.begin_stretch(slot, verified, None);
            // The fresh key's log begins empty, and it may already have sent something.
            self.stretches[slot].sent = 0;
        }
    }

    fn reload_keys(&mut self) {
        self.keeper.toggle_key(&self.scratch);
        let is_expected = self.keeper.is_configured;
        let path = self.slots[COMES_AND_GOES].path(&self.scratch).display().to_string();
        let started = Instant::now();
        while let Some(status) = self.status() {
            if status.key_at(&path).is_some() == is_expected {
                return;
            }
            if started.elapsed() > PATIENCE {
                return self.find(&format!(
                    "after SIGHUP the key is still {}: {status}",
                    if is_expected { "missing" } else { "there" }
                ));
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn suspend(&mut self, span: Duration) {
        self.keeper.daemon.signal(Signal::SIGSTOP);
        sleep(span);
        self.keeper.daemon.signal(Signal::SIGCONT);
        self.resume();
    }

    fn say(&mut self, statement: &str) {
        if self.keeper.say(statement).is_ok_and(|reply| reply.ok()) {
            self.report.commands += 1;
        }
    }

    /// Connects many clients that ask for 30 KB each and read nothing, then disconnects them together.
    fn deaf(&mut self, count: usize) {
        let Door::Unix(path) = &self.keeper.doors[2] else { return };
        let clients = (0..count).filter_map(|_| {
            let mut stream = UnixStream::connect(path).ok()?;
            stream.set_write_timeout(Some(Duration::from_millis(100))).ok()?;
            stream.write_all(&[0x02, 248].repeat(120)).ok()?;
            Some(stream)
        });
        let clients = clients.collect::<Vec<_>>();
        self.counts[2].connections.fetch_add(clients.len() as u64, Ordering::Relaxed);
        sleep(Duration::from_millis(500));
    }

    fn restart(&mut self) {
        if let Some(status) = self.settle() {
            self.figures(&status);
            self.verified_before = self.report.verified_bytes;
        }
        if let Err(complaint) = self.keeper.stop() {
            self.find(&complaint);
        }
        self.judge_log();
        self.got_before = std::array::from_fn(|door| self.counts[door].bytes.load(Ordering::Relaxed));
        self.file_before = std::fs::metadata(&self.keeper.output).map_or(0, |file| file.len());
        self.keeper.spawn(&self.scratch);
        (0..STEADFAST).for_each(|slot| self.begin_stretch(slot, 0, None));
        self.resume();
    }

    /// Checks that the daemon's log has no panic.
    fn judge_log(&mut self) {
        let log = self.keeper.daemon.stderr();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            self.find(&format!("the daemon's log says: {line}"));
        }
        self.report.log_lines += log.lines().count() as u64;
    }
}
