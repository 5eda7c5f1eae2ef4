//! Thousands of nearly right lines and files: no panic, a bounded answer to each, and no change by a peer that may not
//! change anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ekey_tests::control::ControlClient;
use ekey_tests::mutations::{Chance, LINES, STATEMENTS, mutated};
use ekey_tests::serving::{running, started};
use ekey_tests::{KeyPlan, Program, Scratch, binaries, peer};

/// Limit of an answer's length in bytes; the status of one key is far below it.
const MOST_ANSWER: usize = 64 * 1024;

const FILES: u32 = 10_000;
const OURS: [&str; 2] = [
    "keyring = \"/k\"\n[kernel]\nbits-per-byte = 7\n[egd]\nlisten = [\"unix:/e\", \"tcp:127.0.0.1:1\"]\n",
    "[keys]\npaths = [\"/a\", { path = \"/b\", serial = \"NwBvBlg3OTBJORFD\" }]\n[file]\npath = \"-\"\nmax-bytes = 1\n",
];
const THE_ORIGINALS: [&str; 2] = [
    "Keyring \"/k\"\nSetOutputToKernel(7)\nEGDTCPSocket(8888, \"127.0.0.1\")\n--[[ x\n]] AddEntropyKeys \"/d\"\n",
    "EGDUnixSocket(\"/e\", \"0660\", \"\", \"root\")\nAddEntropyKey(\"/k\", \"NwBvBlg3OTBJORFD\")\nDaemonise(false)\n",
];

#[test]
fn each_of_ten_thousand_mutated_lines_is_answered() {
    let (scratch, _key, mut daemon) = running(&KeyPlan::named("key").rate(126), |daemon| daemon);
    say_all(&daemon.control, 0x5eed_0001, |_, _| {});
    assert_eq!(daemon.program.ended(), None, "the daemon ended");
    assert!(!daemon.program.stderr().contains("panicked"), "{}", daemon.program.stderr());
    daemon.await_state(&scratch, "running");
}

#[test]
fn ten_thousand_unprivileged_lines_change_nothing() {
    if let Some(control) = peer::as_peer() {
        return say_as_peer(&control);
    }
    let (scratch, _key, mut daemon) = started(&KeyPlan::named("key").rate(126), |daemon| daemon);
    // One reset opens a key, and another a key that was slow to answer.
    let resets = daemon.await_state(&scratch, "running").key(0).resets();
    if !peer::is_possible() {
        // Only root can run a program as another user: without root no other user reaches the socket, which its mode
        // shows.
        let mode = fs::metadata(&daemon.control).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "the socket's mode");
        return;
    }
    // All users may connect, so that only the daemon's check of its peer protects it.
    let test = "mutations::ten_thousand_unprivileged_lines_change_nothing";
    let peer = peer::command(test, &[&daemon.control], &daemon, &scratch);
    let finished = Program::run("peer", peer, &scratch);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let status = daemon.await_state(&scratch, "running");
    assert_eq!((status.keys(), status.key(0).resets()), (1, resets), "the key was left alone: {status}");
    assert_eq!(daemon.program.ended(), None, "the daemon ended");
    let log = daemon.program.stderr();
    assert!(!log.contains("keyring was read") && !log.contains("panicked"), "{log}");
}

/// Checks that every line that could change something, mutated or not, is refused.
fn say_as_peer(control: &Path) {
    assert_eq!(nix::unistd::geteuid().as_raw(), peer::NOBODY, "this is the peer");
    let mut client = ControlClient::connect(control).expect("a connection");
    for line in [
        "Shutdown",
        "Forget",
        "RemoveEntropyKey(1)",
        "AddEntropyKey(\"/k\")",
        "AddEntropyKeys(\"/k\")",
        "Keyring(\"/k\")",
    ] {
        let reply = client.say(line).expect("an answer");
        assert!(reply.verdict.starts_with("ERROR"), "{line} was answered {reply:?}");
    }
    say_all(control, 0x5eed_0002, |line, verdict| {
        let reads = ["ListEntropyKeys", "StatEntropyKey", "Status"].iter().any(|name| line.contains(name));
        let is_nothing = line.trim().is_empty() || line.trim_start().starts_with("--");
        assert!(verdict.starts_with("ERROR") || reads || is_nothing, "{line:?} was answered {verdict:?}");
    });
}

/// Sends mutated lines, reconnecting after a line that ends the connection.
fn say_all(control: &Path, seed: u64, look: impl Fn(&str, &str)) {
    let mut chance = Chance(seed);
    let mut client = ControlClient::connect(control).expect("a connection");
    for number in 0..LINES {
        let line = mutated(&mut chance, &STATEMENTS).replace(['\n', '\r'], " ");
        match client.say(&line) {
            Ok(reply) => {
                let bytes: usize = reply.lines.iter().map(|line| line.len() + 3).sum::<usize>() + reply.verdict.len();
                assert!(bytes <= MOST_ANSWER, "line {number}, {line:?}, was answered with {bytes} bytes");
                look(&line, &reply.verdict);
            }
            Err(error) => assert!(line.len() > 4096, "line {number}, {line:?}, got no answer: {error}"),
        }
        // A line longer than any command gets an answer, and then the daemon hangs up.
        if line.len() > 4096 {
            client = ControlClient::connect(control).expect("a connection");
        }
    }
}

#[test]
fn mutated_configurations_are_accepted_or_located() {
    let workers = 4;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || check_all(Chance(0x5eed_0003 + worker), FILES / u32::try_from(workers).unwrap_or(1)));
        }
    });
}

/// Has `ekeyd check` read `files` mutated files, and `ekey-ctl config convert` some of the original's.
fn check_all(mut chance: Chance, files: u32) {
    let scratch = Scratch::make();
    for number in 0..files {
        let (name, seeds) = if number % 2 == 0 { ("ekeyd.toml", &OURS) } else { ("ekeyd.conf", &THE_ORIGINALS) };
        let text = mutated(&mut chance, seeds);
        let path = scratch.write(name, &text, 0o644);
        ends_well(&scratch, "ekeyd", &["check"], 78, &path, &text);
        if number % 10 == 1 {
            ends_well(&scratch, "ekey-ctl", &["config", "convert"], 4, &path, &text);
        }
    }
}

/// Checks that the program accepts the file, or exits with `refused` and names a place in it, in bounded output.
fn ends_well(scratch: &Scratch, program: &str, words: &[&str], refused: i32, path: &Path, text: &str) {
    let output = binaries::command(program).args(words).arg(path).current_dir(scratch.folder()).output();
    let output = output.expect("the program runs");
    let text: String = text.chars().take(1000).collect();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(refused), "{program} ended with {code:?} for {text:?}: {said}");
    let place = format!("{}:", path.display());
    assert!(code == Some(0) || said.contains(&place), "{program} names no place in {said} for {text:?}");
    assert!(said.len() < MOST_ANSWER, "{program} printed {} bytes for {text:?}", said.len());
}
