//! What third-party programs say of captured bytes: rngtest, ent and dieharder of Debian, unpacked by `tests/run`, and
//! NIST's estimator if you have built it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::await_until::{await_until, await_within};
use crate::binaries;
use crate::daemon::DaemonPlan;
use crate::fips::Fips;
use crate::original::{libraries_below, root, unpacked};
use crate::scratch::Scratch;
use crate::software_key::KeyPlan;

/// What ent says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ent {
    /// Bytes.
    pub bytes: u64,
    /// Shannon's entropy in bits a byte.
    pub entropy: f64,
    /// Pearson's sum.
    pub chi_square: f64,
    /// The mean byte.
    pub mean: f64,
    /// Correlation of a byte with the next.
    pub serial_correlation: f64,
}

/// One line of dieharder's table.
#[derive(Debug, Clone, PartialEq)]
pub struct DieHarder {
    /// The test, and the number of its family.
    pub name: String,
    /// The probability that good data is as far off.
    pub p: f64,
    /// `PASSED`, `WEAK` or `FAILED`.
    pub assessment: String,
}

/// Captures bytes of a software key with a good generator, with `ekey-ctl capture` from its own daemon.
///
/// # Panics
/// When some of them never come.
#[must_use]
pub fn capture(scratch: &Scratch, bytes: u64) -> PathBuf {
    let plan = KeyPlan::named("captured");
    let key = plan.plug_in(scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).egd().start(scratch);
    let file = scratch.path("captured.bin");
    let mut command = binaries::command("ekey-ctl");
    command.arg("capture").arg(&file).args(["--bytes", &bytes.to_string()]).arg("--socket").arg(&daemon.control);
    let mut program = crate::Program::spawn("ekey-ctl-capture", command, scratch);
    // A gigabyte takes long.
    let ended = await_within(Duration::from_secs(6 * 3600), "ekey-ctl capture to end", || program.ended());
    assert_eq!(ended.code(), Some(0), "ekey-ctl capture: {}", program.stderr());
    await_until("the file", || File::open(&file).ok());
    file
}

/// Returns what `ekey-ctl test` says of a file, as JSON.
///
/// # Panics
/// When it says nothing.
#[must_use]
pub fn ours(file: &Path) -> Value {
    let output = binaries::command("ekey-ctl").arg("test").arg(file).arg("--json").output().expect("ekey-ctl runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {output:?}"))
}

/// Returns what rngtest says of a file. It skips the first four bytes.
///
/// # Panics
/// When it is not unpacked, or its output cannot be parsed.
#[must_use]
pub fn rngtest(file: &Path) -> Fips {
    let output = Command::new(unpacked("usr/bin/rngtest"))
        .stdin(File::open(file).expect("the file is there"))
        .output()
        .expect("rngtest runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = |name: &str| {
        let line = text.lines().find_map(|line| line.split_once(name));
        let number = line.and_then(|(_, number)| number.trim_start_matches(':').trim().parse().ok());
        number.unwrap_or_else(|| panic!("rngtest has no {name}: {text}"))
    };
    let tests = ["Monobit", "Poker", "Runs", "Long run"].map(|name| count(&format!("{name}:")));
    Fips { successes: count("successes"), failures: count("failures"), tests }
}

/// Returns what ent says of a file.
///
/// # Panics
/// When it is not unpacked, or its output cannot be parsed.
#[must_use]
pub fn ent(file: &Path) -> Ent {
    let output = run(Command::new(unpacked("usr/bin/ent")).arg("-t").arg(file));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let columns: Vec<f64> =
        text.lines().nth(1).into_iter().flat_map(|line| line.split(',')).filter_map(|cell| cell.parse().ok()).collect();
    let [_, bytes, entropy, chi_square, mean, _, serial_correlation] = columns[..] else {
        panic!("ent says {text}");
    };
    Ent { bytes: bytes as u64, entropy, chi_square, mean, serial_correlation }
}

/// Returns what dieharder says of a file in its test of this number (`dieharder -l` lists them), with `ntuple` for a
/// test of a family, and its default number of samples: with fewer, it is known to give p too near 1. `None` if the
/// test needs more bytes than the file has: dieharder then rereads the file, and repeated data is not what the test is
/// for.
///
/// # Panics
/// When it is not unpacked, or its output cannot be parsed.
#[must_use]
pub fn dieharder(file: &Path, test: u32, ntuple: Option<u32>) -> Option<Vec<DieHarder>> {
    let own = unpacked("usr/lib/libdieharder.so.3");
    let mut libraries = own.parent().expect("a folder").as_os_str().to_owned();
    libraries.push(":");
    libraries.push(libraries_below(&root()));
    let mut command = Command::new(unpacked("usr/bin/dieharder"));
    // 201 is raw data from a file.
    command.env("LD_LIBRARY_PATH", libraries).args(["-g", "201", "-d", &test.to_string()]);
    if let Some(ntuple) = ntuple {
        command.args(["-n", &ntuple.to_string()]);
    }
    let output = run(command.arg("-f").arg(file));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    let lines: Vec<DieHarder> = text.lines().filter_map(line).collect();
    assert!(!lines.is_empty(), "dieharder -d {test} says {text}");
    (!text.contains("was rewound")).then_some(lines)
}

/// Returns NIST's estimate for the first million bytes of a file, as 8-bit symbols: bits of min-entropy a byte,
/// estimated as SP 800-90B 3.1.3 does for raw data. `program` is its `ea_non_iid`.
///
/// # Panics
/// When it cannot be run, or its output cannot be parsed.
#[must_use]
pub fn estimator(program: &Path, file: &Path) -> f64 {
    let output = run(Command::new(program).args(["-i", "-a", "-l", "0,1000000"]).arg(file).arg("8"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("min(H_original"));
    let number = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{} says {output:?}", program.display()))
}

fn line(text: &str) -> Option<DieHarder> {
    let cells: Vec<&str> = text.split('|').map(str::trim).collect();
    let [name, ntuple, _, _, p, assessment] = cells[..] else { return None };
    Some(DieHarder { name: format!("{name} {ntuple}"), p: p.parse().ok()?, assessment: assessment.to_owned() })
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}
