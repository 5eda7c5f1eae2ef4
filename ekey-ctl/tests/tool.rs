//! Runs the tool against a scripted daemon.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ekey_control::original::{list_lines, stat_lines};
use ekey_control::{KeyState, KeyStatus, Reply, Status, tag};
use ekey_proto::session::State;
use sample::{SERIAL, all_states, key, status};
use scripted::{Daemon, serve};
use tempfile::TempDir;

#[path = "../../ekey-control/tests/sample/mod.rs"]
mod sample;
mod scripted;

/// Runs a daemon whose status is `now()` at each request.
fn daemon(now: impl Fn() -> Status + Send + Sync + 'static) -> Daemon {
    serve(move |line| {
        let status = now();
        let reply = match ekey_control::Command::parse(line) {
            Ok(Some(ekey_control::Command::Status)) => Reply::lines([status.to_json().expect("JSON")]),
            Ok(Some(ekey_control::Command::ListEntropyKeys)) => Reply::lines(list_lines(&status.keys)),
            Ok(Some(ekey_control::Command::StatEntropyKey(tag))) => match tag::find(&status.keys, &tag) {
                Some(key) => Reply::lines(stat_lines(key)),
                None => Reply::error(format!("no key is called {tag:?}")),
            },
            Ok(Some(ekey_control::Command::Shutdown)) => return None,
            other => Reply::error(format!("{other:?}")),
        };
        Some(reply.to_string())
    })
}

fn daemon_with(keys: Vec<KeyStatus>) -> Daemon {
    daemon(move || status(keys.clone()))
}

fn ctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
    command.env_remove("EKEYD_SOCKET").env_remove("NO_COLOR");
    command
}

fn run(socket: &Path, args: &[&str]) -> Output {
    ctl().arg("--socket").arg(socket).args(args).output().expect("to run ekey-ctl")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[track_caller]
fn exits(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "stdout:\n{}\nstderr:\n{}", out(output), err(output));
}

#[test]
fn status_exits_by_how_many_keys_run() {
    let (running, silent) = (key(State::Running), key(State::Silent));
    for (keys, expected) in [
        (vec![running.clone()], 0),
        (vec![running.clone(), running.clone()], 0),
        (vec![running.clone(), silent.clone()], 1),
        (vec![silent], 2),
        (Vec::new(), 2),
    ] {
        let daemon = daemon_with(keys);
        exits(&run(&daemon.socket, &["status"]), expected);
        exits(&run(&daemon.socket, &["status", "--json"]), expected);
    }
}

#[test]
fn an_egd_server_fetched_from_counts_as_a_source() {
    use ekey_control::status::{EgdClientState, EgdClientStatus};
    for (keys, state, expected) in [
        (vec![], EgdClientState::Connected, 0),
        (vec![], EgdClientState::Connecting, 2),
        (vec![key(State::Running)], EgdClientState::Connected, 0),
        (vec![key(State::Running)], EgdClientState::Resting, 1),
        (vec![key(State::Silent)], EgdClientState::Connected, 1),
        (vec![key(State::Silent)], EgdClientState::Resting, 2),
    ] {
        let client = EgdClientStatus {
            servers: vec!["tcp:h:1".to_owned()],
            state,
            server: "tcp:h:1".to_owned(),
            ..EgdClientStatus::default()
        };
        let now = Status { egd_client: Some(client), ..status(keys) };
        let daemon = daemon(move || now.clone());
        exits(&run(&daemon.socket, &["status"]), expected);
    }
}

#[test]
fn a_retired_egd_server_counts_as_one_that_is_down() {
    use ekey_control::health::{HealthStatus, PutAside};
    use ekey_control::status::{EgdClientState, EgdClientStatus, ServerTests};
    let tests = |server: &str, retired: bool| {
        let put_aside = retired.then(PutAside::default);
        ServerTests {
            server: server.to_owned(),
            passed: !retired,
            health: HealthStatus { put_aside, ..HealthStatus::default() },
        }
    };
    for (keys, retired, expected) in [
        (vec![], [false, false], 0),
        (vec![], [true, false], 1),
        (vec![], [false, true], 2),
        (vec![], [true, true], 2),
        (vec![key(State::Running)], [false, true], 1),
    ] {
        let client = EgdClientStatus {
            state: EgdClientState::Connected,
            server: "tcp:b:1".to_owned(),
            tests: vec![tests("tcp:a:1", retired[0]), tests("tcp:b:1", retired[1])],
            ..EgdClientStatus::default()
        };
        let now = Status { egd_client: Some(client), ..status(keys) };
        let daemon = daemon(move || now.clone());
        exits(&run(&daemon.socket, &["status"]), expected);
    }
}

#[test]
fn status_exits_with_2_in_every_state_but_running() {
    for state in all_states() {
        let expected = if state.is_running() { 0 } else { 2 };
        exits(&run(&daemon_with(vec![key(state)]).socket, &["status"]), expected);
    }
}

#[test]
fn status_without_a_daemon_exits_3_with_advice() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("none.sock");
    let output = run(&socket, &["status"]);
    exits(&output, 3);
    assert_eq!(out(&output), "");
    let error = err(&output);
    assert!(
        error.lines().count() <= 2 && error.contains("none.sock") && error.contains("systemctl start ekeyd"),
        "{error}"
    );
}

#[test]
fn status_without_a_terminal_has_no_colours() {
    let daemon = daemon_with(vec![key(State::Running)]);
    assert_eq!(out(&run(&daemon.socket, &["status"])), include_str!("golden/status.txt"));
}

#[test]
fn status_json_passes_on_unknown_fields() {
    let line = status(vec![key(State::Running)]).to_json().expect("JSON").replacen('{', r#"{"moon":3,"#, 1);
    let sent = line.clone();
    let daemon = serve(move |_| Some(format!("*\t{sent}\nOK\n")));
    let output = run(&daemon.socket, &["status", "--json"]);
    exits(&output, 0);
    assert_eq!(out(&output).trim_end(), line);
}

#[test]
fn the_socket_comes_from_an_option_or_the_environment() {
    let daemon = daemon_with(vec![key(State::Running)]);
    let socket = daemon.socket.as_path();
    exits(&ctl().arg("--socket").arg(socket).arg("status").output().expect("to run"), 0);
    exits(&ctl().arg("status").arg("--socket").arg(socket).output().expect("to run"), 0);
    exits(&ctl().arg("status").env("EKEYD_SOCKET", socket).output().expect("to run"), 0);
    let wins = ctl().args(["status", "--socket"]).arg(socket).env("EKEYD_SOCKET", "/nowhere").output().expect("to run");
    exits(&wins, 0);
}

#[test]
fn a_daemon_of_another_kind_exits_4_and_says_so() {
    for (reply, expected) in [
        ("OK\n", "gives no status"),
        ("ERROR no\n", "gives no status"),
        ("*\t{}\nOK\n", "same version"),
        ("*\t{\"format\":2}\nOK\n", "update ekey-ctl"),
        ("hello\n", "another program than ekeyd"),
    ] {
        let daemon = serve(move |_| Some(reply.to_owned()));
        let output = run(&daemon.socket, &["status"]);
        exits(&output, 4);
        assert!(err(&output).contains(expected), "{reply:?} gave {}", err(&output));
    }
}

#[test]
fn list_shows_one_line_or_one_object_per_key() {
    let mut unknown = key(KeyState::Gone);
    (unknown.number, unknown.serial) = (2, None);
    let daemon = daemon_with(vec![key(State::Running), unknown]);
    let output = run(&daemon.socket, &["list"]);
    exits(&output, 0);
    let expected = "NR  OK   Status                   Path                              SerialNo\n\
               1   YES  Running OK               /dev/entropykey/NwBvBlg3OTBJORFD  NwBvBlg3OTBJORFD\n\
               2   NO   Key closed. (Vanished?)  /dev/entropykey/NwBvBlg3OTBJORFD\n";
    assert_eq!(out(&output), expected);
    let rows: serde_json::Value = serde_json::from_str(&out(&run(&daemon.socket, &["list", "--json"]))).expect("JSON");
    let expected = serde_json::json!([
        {"number": 1, "ok": true, "status": "Running OK", "path": "/dev/entropykey/NwBvBlg3OTBJORFD", "serial": SERIAL},
        {"number": 2, "ok": false, "status": "Key closed. (Vanished?)", "path": "/dev/entropykey/NwBvBlg3OTBJORFD", "serial": null},
    ]);
    assert_eq!(rows, expected);
}

#[test]
fn stats_takes_a_key_by_any_of_its_names() {
    let daemon = daemon_with(vec![key(State::Running)]);
    for name in [SERIAL, "1", "/dev/entropykey/NwBvBlg3OTBJORFD", "entropykey/NwBvBlg3OTBJORFD"] {
        let output = run(&daemon.socket, &["stats", name]);
        exits(&output, 0);
        assert!(out(&output).contains("\nKeyTemperatureC=41.15\n"), "{name} gave {}", out(&output));
    }
    let numbers: serde_json::Value =
        serde_json::from_str(&out(&run(&daemon.socket, &["stats", "1", "--json"]))).expect("JSON");
    assert_eq!(numbers["KeyTemperatureC"], 41.15);
    assert_eq!(numbers["TotalEntropy"], 29_520_000);
    assert_eq!(numbers["KeyRawBadness"], "0");
}

#[test]
fn stats_of_a_missing_key_says_which_there_are() {
    let daemon = daemon_with(Vec::new());
    let output = run(&daemon.socket, &["stats", "x\"y"]);
    exits(&output, 4);
    assert_eq!(err(&output), "ekey-ctl: no key is called x\"y: the daemon drives none; see `ekey-ctl list`\n");
}

#[test]
fn wait_ends_once_the_bytes_have_come() {
    let bytes = Arc::new(AtomicU64::new(1_000_000));
    let counter = Arc::clone(&bytes);
    // Each look finds 32 bytes more.
    let daemon = daemon(move || {
        let mut key = key(State::Running);
        key.entropy_bytes = counter.fetch_add(32, Ordering::Relaxed);
        status(vec![key])
    });
    let output = run(&daemon.socket, &["wait", "--bytes", "64", "--timeout", "60", "--json"]);
    exits(&output, 0);
    let outcome: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!((&outcome["ready"], &outcome["bytes"]), (&true.into(), &64.into()), "{outcome}");
    assert_eq!(bytes.load(Ordering::Relaxed), 1_000_096, "three looks");
}

#[test]
fn wait_without_a_number_ends_at_once_if_a_key_runs() {
    let daemon = daemon_with(vec![key(State::Running)]);
    let output = run(&daemon.socket, &["wait", "--timeout", "0"]);
    exits(&output, 0);
    assert!(out(&output).contains("1 key running"), "{}", out(&output));
}

#[test]
fn wait_gives_up_with_each_keys_state_and_advice() {
    let daemon = daemon_with(vec![key(State::SerialUnknown)]);
    let output = run(&daemon.socket, &["wait", "--timeout", "0.2"]);
    exits(&output, 1);
    let words = out(&output);
    assert!(words.contains("Key 1 (NwBvBlg3OTBJORFD)") && words.contains("rekey"), "{words}");
    let output = run(&daemon.socket, &["wait", "--timeout", "0", "--json"]);
    exits(&output, 1);
    let outcome: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(outcome["keys"][0]["state"]["name"], "serial-unknown");
    assert!(outcome["keys"][0]["next_step"].as_str().is_some_and(|step| step.contains("rekey")), "{outcome}");
}

#[test]
fn wait_for_a_daemon_that_never_comes_exits_1() {
    let directory = TempDir::new().expect("a directory");
    let output = run(&directory.path().join("none.sock"), &["wait", "--timeout", "0.2"]);
    exits(&output, 1);
    assert!(err(&output).contains("is ekeyd running?"), "{}", err(&output));
}

#[test]
fn wait_outlasts_a_daemon_that_starts_late() {
    let directory = TempDir::new().expect("a directory");
    let late = directory.path().join("late.sock");
    let child =
        ctl().arg("--socket").arg(&late).args(["wait", "--timeout", "60"]).stdout(std::process::Stdio::piped()).spawn();
    let child = child.expect("to run ekey-ctl");
    let daemon = daemon_with(vec![key(State::Running)]);
    std::os::unix::fs::symlink(&daemon.socket, &late).expect("a link");
    exits(&child.wait_with_output().expect("an end"), 0);
}

#[test]
fn shutdown_ends_when_the_daemon_hangs_up() {
    let daemon = daemon_with(Vec::new());
    let output = run(&daemon.socket, &["shutdown"]);
    exits(&output, 0);
    assert!(out(&output).contains("is stopping"), "{}", out(&output));
}

#[test]
fn every_verb_shows_an_example_in_its_help() {
    for verb in ["", "status", "list", "stats", "wait", "capture", "test", "forget", "shutdown"] {
        let args: Vec<&str> = verb.split_terminator(' ').chain(["--help"]).collect();
        let output = ctl().args(args).output().expect("to run ekey-ctl");
        exits(&output, 0);
        assert!(out(&output).contains(&format!("Example: ekey-ctl {verb}")), "{verb}: {}", out(&output));
    }
}

#[test]
fn a_wrong_command_line_exits_64() {
    for args in [
        &["frobnicate"][..],
        &["wait", "--bytes", "0"],
        &["wait", "--timeout", "-1"],
        &["wait", "--timeout", "nan"],
        &["capture", "f"],
        &["capture", "f", "--bytes", "0"],
        &["capture", "f", "--bytes", "1T"],
        &["capture", "f", "--bytes", "99999999999999999999G"],
        &["test", "f", "--alpha", "2^-10"],
        &[],
    ] {
        let output = ctl().args(args).output().expect("to run ekey-ctl");
        exits(&output, 64);
        assert!(!err(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn a_reader_that_closes_early_is_not_a_failure() {
    let daemon = daemon_with(vec![key(State::Running)]);
    let script = format!("{} --socket {} status | true", env!("CARGO_BIN_EXE_ekey-ctl"), daemon.socket.display());
    let output = Command::new("sh").args(["-c", &script]).output().expect("to run a shell");
    assert_eq!(err(&output), "");
}

#[test]
fn a_daemons_control_characters_are_filtered() {
    let daemon = serve(|_| Some("*\tNR\tOK\tStatus\tPath\n*\t1\tNO\tx\t/dev/\u{1b}]0;evil\u{7}\nOK\n".to_owned()));
    let output = run(&daemon.socket, &["list"]);
    assert!(out(&output).contains("/dev/?]0;evil?"), "{:?}", out(&output));
}

#[test]
fn what_cannot_be_a_key_is_not_added() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let daemon = serve(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Some("OK ID 1\n".to_owned())
    });
    let folder = TempDir::new().expect("a directory");
    let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
    std::fs::write(&file, "").expect("a file");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for path in [folder.path(), &file, &pipe] {
        let output = run(&daemon.socket, &["add", path.to_str().expect("UTF-8")]);
        exits(&output, 4);
        assert!(err(&output).contains("unix socket of a key"), "{}", err(&output));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "the daemon was asked to drive it");
    let later = folder.path().join("later");
    exits(&run(&daemon.socket, &["add", later.to_str().expect("UTF-8")]), 0);
}

#[test]
fn the_only_key_needs_no_name_and_a_slip_is_met() {
    let one = daemon_with(vec![key(State::Running)]);
    exits(&run(&one.socket, &["stats"]), 0);
    let slip = run(&one.socket, &["stats", "NwBvBlg3OTBJORFX"]);
    exits(&slip, 4);
    assert!(err(&slip).contains(&format!("did you mean {SERIAL}?")), "{}", err(&slip));
    let mut second = key(State::Running);
    second.number = 2;
    let two = daemon_with(vec![key(State::Running), second]);
    let which = run(&two.socket, &["remove"]);
    exits(&which, 4);
    assert!(err(&which).contains("2 keys: name one of"), "{}", err(&which));
}

#[test]
fn a_slip_in_a_verb_or_option_is_met() {
    for (args, meant) in
        [(&["statuss"][..], "`status`"), (&["status", "--jsn"], "`--json`"), (&["keyring", "lst"], "`list`")]
    {
        let output = ctl().args(args).output().expect("to run ekey-ctl");
        exits(&output, 64);
        assert!(err(&output).contains(&format!("Did you mean {meant}?")), "{args:?}: {}", err(&output));
    }
}

#[test]
fn errors_do_not_speak_the_sockets_language() {
    let daemon = serve(|line| {
        let name = line.split(['(', ' ']).next().unwrap_or_default().to_owned();
        Some(format!("ERROR {name}: takes no argument\n"))
    });
    for args in [
        &["list"][..],
        &["stats", "1"],
        &["remove", "1"],
        &["reset", "1"],
        &["status"],
        &["plot", "-"],
        &["shutdown"],
        &["keyring", "reload"],
    ] {
        let output = run(&daemon.socket, args);
        assert_ne!(output.status.code(), Some(0), "{args:?}");
        for name in ["EntropyKey", "Shutdown", "Keyring(", "Status", "History", "EKEYD/1"] {
            assert!(!err(&output).contains(name), "{args:?}: {}", err(&output));
        }
    }
}

#[test]
fn a_full_pool_without_a_running_key_is_not_enough() {
    use ekey_control::History;
    let daemon = serve(|line| {
        let mut status = status(vec![key(State::Silent)]);
        status.pool.bytes = status.pool.capacity;
        let reply = match line {
            "Status" => Reply::lines([status.to_json().expect("JSON")]),
            "History" => Reply::lines([serde_json::to_string(&History::default()).expect("JSON")]),
            other => Reply::error(other),
        };
        Some(reply.to_string())
    });
    for args in [&["capacity"][..], &["capacity", "--json"], &["capacity", "--clients", "1:gpg"]] {
        let output = run(&daemon.socket, args);
        exits(&output, 1);
        assert!(out(&output).contains("not enough") || out(&output).contains("nothing is enough"), "{}", out(&output));
    }
    let json: serde_json::Value =
        serde_json::from_str(&out(&run(&daemon.socket, &["capacity", "--json"]))).expect("JSON");
    assert_eq!(json["enough"], false);
}
