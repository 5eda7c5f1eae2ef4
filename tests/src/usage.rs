//! The processor time and memory of a running process, as the kernel counts them.

use std::fs;
use std::time::Duration;

/// Memory of a process, in KB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now (VmRSS).
    pub resident: u64,
    /// The most that was ever resident (VmHWM).
    pub peak: u64,
    /// Resident now of what the process has allocated (RssAnon). Pages of its program, which load as their code first
    /// runs, do not count.
    pub own: u64,
}

/// Returns the processor time, user and system, of all living threads of a process, in nanoseconds' resolution.
///
/// # Panics
/// When there is no such process, or the kernel keeps no schedstat (CONFIG_SCHED_INFO).
#[must_use]
pub fn processor_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process is there");
    let nanoseconds = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .map(|line| {
            let first = line.split_whitespace().next().unwrap_or_default();
            first.parse::<u64>().expect("schedstat starts with nanoseconds")
        })
        .sum::<u64>();
    assert!(nanoseconds > 0, "/proc/{process}/task/*/schedstat counts nothing: this kernel keeps no times");
    Duration::from_nanos(nanoseconds)
}

/// Returns the processor time of a process's first thread, which is our daemon's event loop.
///
/// # Panics
/// As [`processor_time`] does.
#[must_use]
pub fn event_loop_time(process: u32) -> Duration {
    thread_time(&format!("/proc/{process}/task/{process}"))
}

fn thread_time(folder: &str) -> Duration {
    let line = fs::read_to_string(format!("{folder}/schedstat")).expect("the kernel keeps schedstat");
    let first = line.split_whitespace().next().unwrap_or_default();
    Duration::from_nanos(first.parse().expect("schedstat starts with nanoseconds"))
}

/// Returns how often the threads of a process have given up or lost the processor.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn context_switches(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process is there");
    let statuses = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let count = |status: String| {
        let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum::<u64>()
    };
    statuses.map(count).sum()
}

/// Returns how many descriptors a process has open; `None` if this user may not see them: the daemon shows them only to root.
#[must_use]
pub fn open_descriptors(process: u32) -> Option<usize> {
    fs::read_dir(format!("/proc/{process}/fd")).ok().map(Iterator::count)
}

/// Returns the memory of a process.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or_else(|| panic!("/proc/{process}/status lacks {name} in:\n{status}"))
    };
    Memory { resident: field("VmRSS:"), peak: field("VmHWM:"), own: field("RssAnon:") }
}
