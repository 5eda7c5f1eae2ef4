//! Asks the scheduler to prefer the measured processes, where it may, so that other work on the machine disturbs less.

use std::process::{Command, Stdio};

/// Runs the first thread of each of these processes before all usual work from now on. Without the right to
/// (CAP_SYS_NICE), or without `chrt`, changes nothing.
pub(super) fn prefer(processes: &[u32]) {
    for process in processes {
        let mut chrt = Command::new("chrt");
        chrt.args(["--fifo", "--pid", "1", &process.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        // The measurement continues without it, less steadily.
        let _ = chrt.status();
    }
}

/// Prefers the calling thread.
pub(super) fn prefer_this_thread() {
    let thread = nix::unistd::gettid().as_raw();
    prefer(&[u32::try_from(thread).expect("a thread's number is positive")]);
}

/// Returns the calling thread, and those that it starts from now on, to the usual priority.
pub(super) fn stop_preferring_this_thread() {
    let thread = nix::unistd::gettid().as_raw().to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--other", "--pid", "0", &thread]).stdout(Stdio::null()).stderr(Stdio::null());
    // Without the right there is nothing to undo.
    let _ = chrt.status();
}
