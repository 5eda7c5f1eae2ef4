//! Instructions that a frame takes in the whole daemon, counted by callgrind: the same on every run, even on a busy
//! machine.

use std::process::Command;

use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit};
use crate::await_until;
use crate::binaries;
use crate::blocks::blocks_in;
use crate::daemon::DaemonPlan;
use crate::original::OriginalDaemon;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::KeyPlan;
use nix::sys::signal::Signal;

pub(super) const SUBJECTS: &[Subject] = &[Subject {
    name: "instructions",
    title: "instructions a frame by callgrind, health tests on, into a file",
    measure,
}];

/// Instructions a frame.
const MOST: f64 = 6000.0;
/// A key sends this many frames, then twice as many, and is silent: the difference is their cost. Several sessions.
const FRAMES: u64 = 20_000;
/// Frames that may be lost where a daemon opens the key.
const LOST: u64 = 200;

fn measure() -> Result<Vec<Figure>, Missing> {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Err(Missing("valgrind is not installed".to_owned()));
    }
    let [ours, original] = [ours, original].map(|counted| {
        let ((less, fewer), (more, blocks)) = (counted(FRAMES), counted(2 * FRAMES));
        (more - less) as f64 / (blocks - fewer) as f64
    });
    let figure = Figure::new("instructions a frame", Unit::Count, ours);
    Ok(vec![figure.against(ORIGINAL, original).bound(Bound::Most(MOST))])
}

/// Counts the instructions of one run, and the blocks that came out.
fn ours(frames: u64) -> (u64, u64) {
    let scratch = Scratch::make();
    let (plan, key) = key(&scratch, frames);
    let output = scratch.path("ours.entropy");
    // The sandbox does not know Valgrind's system calls. A silent key is left alone.
    let settings = "[sandbox]\nenabled = false\n[recovery]\nsilence-ms = 600000\n";
    let words = valgrind(&scratch).join("' '");
    let script = format!("#!/bin/sh\nexec '{words}' '{}' \"$@\"\n", binaries::built("ekeyd").display());
    let program = scratch.write("ekeyd-under-callgrind", &script, 0o755);
    let plan = DaemonPlan::default().program(&program).key(&plan, &key).file(&output, None).extra(settings);
    let mut daemon = plan.spawn(&scratch);
    let blocks = settled(&mut daemon.program, &output, frames);
    (end(&mut daemon.program, &scratch), blocks)
}

/// Does the same with the original.
fn original(frames: u64) -> (u64, u64) {
    let scratch = Scratch::make();
    let (plan, key) = key(&scratch, frames);
    let keyring = scratch.write("original.keyring", &plan.keyring_line(), 0o600);
    let mut daemon = OriginalDaemon::start_under(&valgrind(&scratch), "original", &scratch, &key, &keyring);
    let output = daemon.output.clone();
    let blocks = settled(&mut daemon.program, &output, frames);
    (end(&mut daemon.program, &scratch), blocks)
}

fn key(scratch: &Scratch, frames: u64) -> (KeyPlan, crate::SoftwareKey) {
    let plan = KeyPlan::named("counted").wedge(&format!("until-replug:{frames}"));
    let key = plan.plug_in(scratch);
    (plan, key)
}

fn valgrind(scratch: &Scratch) -> Vec<String> {
    let file = scratch.path("callgrind.out").display().to_string();
    ["valgrind", "--tool=callgrind", &format!("--callgrind-out-file={file}")].map(str::to_owned).to_vec()
}

/// Waits until all frames have come out, and returns how many.
fn settled(program: &mut Program, output: &std::path::Path, frames: u64) -> u64 {
    let mut before = 0;
    program.await_while_running(&format!("{frames} frames"), || {
        let blocks = blocks_in(output);
        std::thread::sleep(std::time::Duration::from_millis(500));
        let is_settled = blocks + LOST >= frames && blocks == before;
        before = blocks;
        is_settled.then_some(blocks)
    })
}

/// Ends it, and returns what callgrind has counted.
fn end(program: &mut Program, scratch: &Scratch) -> u64 {
    program.signal(Signal::SIGTERM);
    program.wait();
    await_until("callgrind's file", || {
        let text = std::fs::read_to_string(scratch.path("callgrind.out")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")))?;
        line.split_whitespace().next()?.parse().ok()
    })
}
