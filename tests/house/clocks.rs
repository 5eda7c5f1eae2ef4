//! No test asserts a time, a rate or a cost: `tests/costs` measures those. A test may compare its own time only with a
//! deadline, which only a hang can reach.

use std::path::{Path, PathBuf};

use ekey_tests::tree;

/// Calls and files that measure a time, a rate, a processor share or memory.
const MEASURES: [&str; 17] = [
    ".elapsed()",
    ".duration_since(",
    ".checked_duration_since(",
    "Instant::now() <",
    "Instant::now() >",
    "processor_time(",
    "event_loop_time(",
    "context_switches(",
    "usage::memory",
    "usage::{memory",
    ".percentile(",
    "requests_per_second",
    "bytes_per_second",
    "schedstat",
    "VmRSS",
    "VmHWM",
    "RssAnon",
];
/// Parts of the harness that wait, load, watch a long run, or measure for `tests/costs`.
const MAY_MEASURE: [&str; 6] = ["await_until.rs", "costs", "load", "soak", "usage.rs", "bin"];
/// The shortest deadline that a test may have, in seconds.
const LEAST_DEADLINE: u64 = 60;

#[test]
fn tests_compare_measurements_only_with_deadlines() {
    let found: Vec<String> = files().iter().flat_map(|path| figures(path)).collect();
    assert!(found.is_empty(), "measurements belong in tests/src/costs: {found:#?}");
}

#[test]
fn only_a_hang_can_reach_a_deadline() {
    for path in files().into_iter().chain([tree::root().join("tests/src/await_until.rs")]) {
        for (number, line) in tree::code_lines(&path) {
            let Some(seconds) = line.split_once("DEADLINE: Duration = Duration::from_secs(") else { continue };
            let seconds = seconds.1.split(')').next().and_then(|seconds| seconds.parse().ok());
            assert!(seconds >= Some(LEAST_DEADLINE), "{}:{number}: {}", path.display(), line.trim());
        }
    }
}

#[test]
fn the_search_finds_measurements() {
    for line in [
        "    assert!(asked.elapsed() < Duration::from_secs(2));",
        "    let share = processor_time(id).as_secs_f64();",
        "    while Instant::now() < end {",
        "    let before = usage::memory(process).own;",
        "    guest.check(\"grep VmRSS /proc/1/status\");",
    ] {
        assert!(is_figure(line), "{line}");
    }
    for line in
        ["    assert!(started.elapsed() < DEADLINE);", "    assert!(Instant::now() >= deadline);", "    now.elapsed"]
    {
        assert!(!is_figure(line), "{line}");
    }
    assert!(
        files().iter().any(|path| path.ends_with("house/sources.rs")),
        "the search covers the tests next to this one"
    );
}

/// Returns the tests of all crates and the harness, except for what may measure and this file, which has examples. Unit
/// tests have virtual clocks.
fn files() -> Vec<PathBuf> {
    let root = tree::root();
    let harness = root.join("tests/src");
    let may_measure = |path: &Path| {
        let below = path.strip_prefix(&harness).ok();
        below.is_some_and(|below| MAY_MEASURE.iter().any(|name| below.starts_with(name)))
    };
    let is_test = |path: &PathBuf| path.strip_prefix(&root).is_ok_and(|path| path.iter().any(|part| part == "tests"));
    let examples = |path: &PathBuf| path.ends_with("house/clocks.rs");
    let tests = tree::rust_files(&root).into_iter().filter(is_test);
    tests.filter(|path| !may_measure(path) && !examples(path)).collect()
}

/// Returns the lines of a file that measure something and do not compare it with a deadline.
fn figures(path: &Path) -> Vec<String> {
    let lines = tree::code_lines(path).into_iter().filter(|(_, line)| is_figure(line));
    lines.map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim())).collect()
}

fn is_figure(line: &str) -> bool {
    MEASURES.iter().any(|measure| line.contains(measure)) && !line.to_ascii_lowercase().contains("deadline")
}
