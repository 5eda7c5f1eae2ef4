//! Letting the scheduler prefer what is measured, where it may be told to, so that other work on the machine shows less.

use std::process::{Command, Stdio};

/// Has the first thread of each of these processes go before all usual work from now on. Without the right to
/// (CAP_SYS_NICE), or without `chrt`, nothing changes.
pub(super) fn prefer(processes: &[u32]) {
    for process in processes {
        let mut chrt = Command::new("chrt");
        chrt.args(["--fifo", "--pid", "1", &process.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        // Measuring goes on without it, only less steadily.
        let _ = chrt.status();
    }
}

/// Prefers the calling thread.
pub(super) fn prefer_this_thread() {
    let thread = nix::unistd::gettid().as_raw();
    prefer(&[u32::try_from(thread).expect("a thread's number is positive")]);
}

/// Has the calling thread, and those that it starts from now on, wait for their turn as usual.
pub(super) fn prefer_this_thread_no_more() {
    let thread = nix::unistd::gettid().as_raw().to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--other", "--pid", "0", &thread]).stdout(Stdio::null()).stderr(Stdio::null());
    // Where it could not be preferred it need not be put back.
    let _ = chrt.status();
}
