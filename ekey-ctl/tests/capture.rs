//! Runs `capture` and `test` against a scripted daemon and EGD server.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use ekey_control::{GREETING, Reply, Status};
use ekey_proto::session::State;
use sample::{all_states, key, status};
use serde_json::Value;
use tempfile::TempDir;

#[path = "../../ekey-control/tests/sample/mod.rs"]
mod sample;

struct Daemon {
    folder: TempDir,
}

impl Daemon {
    /// Answers `Status`, and gives each EGD client `most` bytes of a hashed counter, which look random.
    fn start(most: u64, change: impl Fn(&mut Status)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut status = status(vec![key(State::Running)]);
        status.egd[0].listen = format!("unix:{}", folder.path().join("egd.sock").display());
        change(&mut status);
        let json = status.to_json().expect("JSON");
        serve(&folder.path().join("control.sock"), move |mut stream| {
            let _ = stream.write_all(GREETING.as_bytes());
            let mut line = [0; 64];
            while matches!(stream.read(&mut line), Ok(length) if length > 0) {
                let _ = stream.write_all(Reply::lines([json.clone()]).to_string().as_bytes());
            }
        });
        serve(&folder.path().join("egd.sock"), move |stream| hand_out(stream, most));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        ctl().arg("--socket").arg(self.path("control.sock")).args(args).output().expect("to run ekey-ctl")
    }
}

fn serve(path: &Path, client: impl Fn(UnixStream) + Clone + Send + 'static) {
    let listener = UnixListener::bind(path).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let client = client.clone();
            thread::spawn(move || client(stream));
        }
    });
}

fn hand_out(mut stream: UnixStream, most: u64) {
    let mut given = 0;
    let mut request = [0; 2];
    while stream.read_exact(&mut request).is_ok() {
        assert_eq!(request[0], 0x02, "the request");
        let count = u64::from(request[1]).min(most - given);
        let bytes: Vec<u8> = (given..given + count).map(byte).collect();
        given += count;
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn byte(at: u64) -> u8 {
    let mut word = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word >> 33) as u8
}

fn ctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
    command.env_remove("EKEYD_SOCKET").env_remove("LC_ALL").env_remove("LC_CTYPE").env("LANG", "C");
    command
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn exits(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "stdout:\n{}\nstderr:\n{}", out(output), err(output));
}

#[test]
fn capture_writes_exactly_that_many_bytes_privately() {
    let daemon = Daemon::start(u64::MAX, |_| {});
    for (count, expected) in [("1", 1), ("255", 255), ("4k", 4000), ("100001", 100_001)] {
        let file = daemon.path(count);
        let output = daemon.run(&["capture", file.to_str().expect("UTF-8"), "--bytes", count]);
        exits(&output, 0);
        assert_eq!(out(&output), "");
        assert!(err(&output).contains(&format!(": {expected} bytes in ")), "{}", err(&output));
        let bytes = fs::read(&file).expect("the file");
        assert_eq!(bytes.len(), expected);
        assert!(bytes.iter().zip(0..).all(|(seen, at)| *seen == byte(at)), "the bytes in their order");
        assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn capture_overwrites_nothing() {
    let daemon = Daemon::start(u64::MAX, |_| {});
    let file = daemon.path("precious");
    fs::write(&file, "precious").expect("a file");
    let output = daemon.run(&["capture", file.to_str().expect("UTF-8"), "--bytes", "10"]);
    exits(&output, 4);
    assert!(err(&output).contains("nothing is overwritten: name another file"), "{}", err(&output));
    assert_eq!(fs::read(&file).expect("the file"), b"precious");
}

#[test]
fn capture_to_standard_output_reports_on_stderr() {
    let daemon = Daemon::start(u64::MAX, |status| status.not_random = true);
    let output = daemon.run(&["capture", "-", "--bytes", "300", "--json"]);
    exits(&output, 0);
    assert_eq!(output.stdout, (0..300).map(byte).collect::<Vec<u8>>());
    let json: Value = serde_json::from_str(&err(&output)).expect("JSON");
    assert_eq!((&json["bytes"], &json["complete"], &json["not_random"]), (&300.into(), &true.into(), &true.into()));
}

#[test]
fn capture_gives_up_keeps_its_bytes_and_says_why() {
    // The limit is long enough for the bytes that do come on a busy machine; the three runs wait at the same time.
    thread::scope(|scope| {
        for state in all_states().into_iter().filter(|state| !state.is_okay()).take(3) {
            scope.spawn(move || {
                let daemon = Daemon::start(1000, move |status| status.keys = vec![key(state)]);
                let file = daemon.path("part");
                let name = file.to_str().expect("UTF-8");
                let output = daemon.run(&["capture", name, "--bytes", "2000", "--timeout", "3"]);
                exits(&output, 1);
                let words = err(&output);
                assert!(words.contains("gave up at 1.0 kB of 2.0 kB, nothing came for 3.0 s"), "{words}");
                assert!(words.contains("Key 1 (NwBvBlg3OTBJORFD):"), "{words}");
                assert_eq!(fs::read(&file).expect("the file").len(), 1000);
            });
        }
    });
}

#[test]
fn without_an_egd_server_the_error_says_what_to_set() {
    let daemon = Daemon::start(0, |status| status.egd.clear());
    for verb in [&["capture", "never", "--bytes", "1"][..], &["test"]] {
        let output = daemon.run(verb);
        exits(&output, 4);
        assert!(err(&output).contains("name one under [egd] listen in ekeyd.toml"), "{}", err(&output));
    }
    let gone = Daemon::start(0, |status| status.egd[0].listen = "unix:/nowhere/egd.sock".to_owned());
    let output = gone.run(&["test"]);
    exits(&output, 4);
    assert!(err(&output).contains("unix:/nowhere/egd.sock: No such file"), "{}", err(&output));
}

#[test]
fn test_judges_bytes_from_the_daemon() {
    let daemon = Daemon::start(u64::MAX, |status| status.not_random = true);
    let output = daemon.run(&["test", "--bytes", "100k"]);
    exits(&output, 0);
    let text = out(&output);
    for expected in
        ["100000 bytes", "repetition-count     passed", "of 40 blocks fail", "These 100.0 kB pass every test."]
    {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
    assert!(text.trim_end().ends_with("never for secrets."), "{text}");
    assert!(text.lines().all(|line| line.len() <= 120 && line.is_ascii()), "{text}");
}

#[test]
fn test_judges_a_file_or_stdin_without_a_daemon() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("bad.bin");
    let bad: Vec<u8> = (0..50_000).map(|at| byte(at) & 0x0f).collect();
    fs::write(&file, &bad).expect("a file");
    let output = ctl().arg("test").arg(&file).output().expect("to run");
    exits(&output, 1);
    assert!(out(&output).contains("adaptive-proportion  FAILED at byte"), "{}", out(&output));
    assert!(out(&output).contains("\nNOT RANDOM: adaptive-proportion, fips-ratio, "), "{}", out(&output));

    let json: Value =
        serde_json::from_str(&out(&ctl().args(["test", "--json"]).arg(&file).output().expect("to run"))).expect("JSON");
    assert_eq!((&json["good"], &json["bytes"]), (&false.into(), &50_000.into()));
    assert_eq!((&json["failed"][0]["test"], &json["failed"][0]["cutoff"]), (&"adaptive-proportion".into(), &19.into()));
    assert_eq!(json["counts"].as_array().map(Vec::len), Some(256));

    let good: Vec<u8> = (0..50_000).map(byte).collect();
    let mut child = ctl().args(["test", "-", "--bytes", "30k"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().expect("to run");
    let _ = child.stdin.take().expect("its input").write_all(&good);
    let mut text = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{text}");
    assert!(text.starts_with("30000 bytes"), "{text}");
}

#[test]
fn test_draws_the_histogram_and_overwrites_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (file, picture) = (folder.path().join("good.bin"), folder.path().join("picture.svg"));
    fs::write(&file, (0..50_000).map(byte).collect::<Vec<u8>>()).expect("a file");
    let run = || ctl().arg("test").arg(&file).arg("--svg").arg(&picture).output().expect("to run");
    exits(&run(), 0);
    let svg = fs::read_to_string(&picture).expect("the picture");
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("Histogram of 50000 bytes"), "{svg:.300}");
    let again = run();
    exits(&again, 4);
    assert!(err(&again).contains("nothing is overwritten"), "{}", err(&again));
}

#[test]
fn too_little_is_not_judged() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("short");
    fs::write(&file, [1; 2499]).expect("a file");
    let output = ctl().arg("test").arg(&file).output().expect("to run");
    exits(&output, 4);
    assert!(err(&output).contains("2499 bytes are too few"), "{}", err(&output));
    let output = ctl().args(["test", "/nowhere/file"]).output().expect("to run");
    exits(&output, 4);
    assert!(err(&output).contains("/nowhere/file: cannot read"), "{}", err(&output));
}
