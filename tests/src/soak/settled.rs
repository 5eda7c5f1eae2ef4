//! Moments at which nothing is in flight: what was sent must have arrived, to the byte.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::keeper::PATIENCE;
use super::keys::STEADFAST;
use super::stretch::Stretch;
use super::{POLITE, Soak};
use crate::books::{OnTheWay, add_up};
use crate::status::Status;

/// Time between two looks, of which several must agree.
const PAUSE: Duration = Duration::from_millis(100);

impl Soak {
    /// Stops all keys, or continues them.
    pub(super) fn signal_keys(&self, signal: Signal) {
        self.slots.iter().filter_map(|slot| slot.key.as_ref()).for_each(|key| key.signal(signal));
    }

    /// Ends the stretch of one steadfast key and stops it.
    pub(super) fn end_stretch(&mut self, slot: usize) {
        if let Some(plugged) = &self.slots[slot].key {
            plugged.signal(Signal::SIGSTOP);
        }
        if slot >= STEADFAST {
            return;
        }
        let (mut before, mut same) = (0, 0);
        let started = Instant::now();
        loop {
            sleep(PAUSE);
            let Some(status) = self.status() else { return };
            let now = self.verified(&status, slot);
            same = if now == before { same + 1 } else { 0 };
            before = now;
            self.note_disturbance(&status, slot);
            if (same >= 4 && self.has_arrived(slot, before)) || started.elapsed() > PATIENCE {
                return self.judge_stretch(&status, slot, before);
            }
        }
    }

    /// Ends the stretches of all keys, stops them, and waits until all that they sent has arrived. Returns the status
    /// of that moment.
    pub(super) fn settle(&mut self) -> Option<Status> {
        self.signal_keys(Signal::SIGSTOP);
        let started = Instant::now();
        let (mut before, mut same) = (([0; STEADFAST], 0), 0);
        loop {
            sleep(PAUSE);
            let status = self.status()?;
            let now = (std::array::from_fn(|slot| self.verified(&status, slot)), status.count("/pool/received_bytes"));
            let unsettled = self.unsettled(&status);
            same = if now == before && unsettled.is_none() { same + 1 } else { 0 };
            before = now;
            (0..STEADFAST).for_each(|slot| self.note_disturbance(&status, slot));
            let has_arrived = (0..STEADFAST).all(|slot| self.has_arrived(slot, before.0[slot]));
            if same >= 4 && (has_arrived || started.elapsed() > PATIENCE) {
                if let Err(discrepancy) = add_up(&status, OnTheWay::Nothing) {
                    self.find(&format!("at rest, the books do not add up: {discrepancy}: {status}"));
                }
                (0..STEADFAST).for_each(|slot| self.judge_stretch(&status, slot, before.0[slot]));
                self.report.settled += 1;
                return Some(status);
            }
            if let Some(unsettled) = unsettled.filter(|_| started.elapsed() > PATIENCE) {
                self.find(&format!("{} s after the keys were stopped, {unsettled}: {status}", PATIENCE.as_secs()));
                return Some(status);
            }
        }
    }

    /// Begins a stretch for a steadfast key, with what it has sent and what this daemon has verified so far.
    pub(super) fn begin_stretch(&mut self, slot: usize, verified: u64, resets: Option<(u64, u64)>) {
        let sent = self.sent(slot);
        self.stretches[slot] = Stretch { sent, verified, resets, is_disturbed: false };
        self.progress[slot] = (verified, Instant::now());
    }

    /// Returns what polite clients and the file were given and have not read.
    fn unsettled(&self, status: &Status) -> Option<String> {
        // What is too little for the next request stays.
        if status.count("/pool/bytes") >= 255 {
            return Some("the pool is not empty".to_owned());
        }
        for polite in 0..POLITE {
            let given = status.count(&format!("/egd/{polite}/served_bytes"));
            let got = self.counts[polite].bytes.load(Ordering::Relaxed) - self.got_before[polite];
            if given != got {
                return Some(format!("listener {polite} has served {given} bytes, and its clients have got {got}"));
            }
        }
        let written = status.count("/file/written_bytes") + self.file_before;
        let there = std::fs::metadata(&self.keeper.output).map_or(0, |file| file.len());
        let waiting = status.count("/file/waiting_bytes");
        (waiting > 0 || written != there)
            .then(|| format!("the file has {there} bytes, {written} were written, {waiting} wait"))
    }

    /// Checks whether the daemon reopened the key.
    fn note_disturbance(&mut self, status: &Status, slot: usize) {
        let Some(now) = self.resets(status, slot) else { return };
        // A new connection begins with one reset.
        let stretch = &mut self.stretches[slot];
        stretch.is_disturbed |= stretch.resets.map_or(now.0 > 1, |before| before != now);
    }

    fn resets(&self, status: &Status, slot: usize) -> Option<(u64, u64)> {
        let path = self.slots[slot].path(&self.scratch).display().to_string();
        status.key_at(&path).map(|key| (key.resets(), key.recoveries()))
    }

    /// Returns whether all that a steadfast key has sent has arrived. The caller waits as long as a daemon on a busy
    /// machine needs.
    fn has_arrived(&self, slot: usize, verified: u64) -> bool {
        self.stretches[slot].is_explained(self.sent(slot), verified)
    }

    /// Returns the bytes that the key has sent since it was plugged in.
    fn sent(&self, slot: usize) -> u64 {
        self.slots[slot].key.as_ref().map_or(0, super::keys::Plugged::sent_bytes)
    }

    fn judge_stretch(&mut self, status: &Status, slot: usize, verified: u64) {
        if let Err(complaint) = self.report.lines.end(self.stretches[slot], self.sent(slot), verified) {
            self.find(&format!("key {slot}: {complaint}: {status}"));
        }
        self.begin_stretch(slot, verified, self.resets(status, slot));
    }

    /// Continues the keys after an event that may have ended their connections, waits until they bring entropy again,
    /// and begins new stretches.
    pub(super) fn resume(&mut self) {
        self.stretches.iter_mut().for_each(|stretch| stretch.is_disturbed = true);
        self.signal_keys(Signal::SIGCONT);
        sleep(Duration::from_millis(1500));
        let started = Instant::now();
        let mut before = None;
        while let Some(status) = self.status() {
            let now: [u64; STEADFAST] = std::array::from_fn(|slot| self.verified(&status, slot));
            let first = *before.get_or_insert(now);
            if started.elapsed() > PATIENCE || now.iter().zip(first).all(|(now, first)| *now > first) {
                break;
            }
            sleep(PAUSE);
        }
        self.settle();
        self.signal_keys(Signal::SIGCONT);
    }
}
