//! The client against servers that behave well and badly.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ekey_control::client::MAX_ANSWER;
use ekey_control::{Answer, Client, ClientError, Command, GREETING};
use tempfile::TempDir;

/// A server for one connection, served by `serve` on a thread.
struct Server {
    path: PathBuf,
    thread: JoinHandle<()>,
    _directory: TempDir,
}

fn server(serve: impl FnOnce(UnixStream) + Send + 'static) -> Server {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("control.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let thread = thread::spawn(move || serve(listener.accept().expect("a client").0));
    Server { path, thread, _directory: directory }
}

/// A server that greets, then answers each line with what `answer` says, `None` to hang up.
fn daemon(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> Server {
    server(move |mut stream| {
        stream.write_all(GREETING.as_bytes()).expect("to greet");
        for line in BufReader::new(stream.try_clone().expect("a second handle")).lines() {
            let Some(reply) = line.ok().and_then(|line| answer(&line)) else { return };
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn ask(path: &Path) -> Result<Answer, ClientError> {
    Client::connect_within(path, Duration::from_secs(20))?.request(&Command::ListEntropyKeys)
}

#[test]
fn an_answer_comes_with_its_lines_and_its_text() {
    let server = daemon(|line| Some(format!("*\t{line}\tx\nOK ID 1\n")));
    let answer = ask(&server.path).expect("an answer");
    assert_eq!(answer, Answer { lines: vec!["ListEntropyKeys\tx".to_owned()], text: "ID 1".to_owned() });
    server.thread.join().expect("the server");
}

#[test]
fn one_connection_serves_many_requests() {
    let server = daemon(|line| Some(format!("*\t{line}\nOK\n")));
    let mut client = Client::connect(&server.path).expect("a client");
    for tag in ["1", "a \"quoted\" \\ one", "two\nlines"] {
        let command = Command::StatEntropyKey(tag.to_owned());
        assert_eq!(client.request(&command).expect("an answer").lines, [command.to_string()]);
    }
}

#[test]
fn an_error_is_shown_without_control_characters() {
    let server = daemon(|_| Some("ERROR no \u{1b}[31msuch key\n".to_owned()));
    let error = ask(&server.path).expect_err("an error");
    assert_eq!(error.to_string(), "the daemon refused to list its keys: no ?[31msuch key");
}

#[test]
fn no_line_of_an_answer_acts_on_a_terminal() {
    let server = daemon(|_| Some("*\t1\t\u{1b}[2J\u{202e}\nOK \u{9b}1m\n".to_owned()));
    let answer = ask(&server.path).expect("an answer");
    assert_eq!(answer, Answer { lines: vec!["1\t?[2J?".to_owned()], text: "?1m".to_owned() });
}

#[test]
fn a_socket_missing_or_unserved_means_no_daemon() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("control.sock");
    let error = Client::connect(&path).expect_err("no daemon");
    assert!(error.is_no_daemon() && error.to_string().contains("is ekeyd running?"), "{error}");
    drop(UnixListener::bind(&path).expect("a socket"));
    let error = Client::connect(&path).expect_err("no daemon");
    assert!(error.is_no_daemon(), "{error}");
}

#[test]
fn a_socket_of_someone_else_says_which_group_to_join() {
    let server = daemon(|_| None);
    std::fs::set_permissions(&server.path, std::fs::Permissions::from_mode(0o000)).expect("to change the mode");
    match Client::connect(&server.path) {
        Err(error @ ClientError::NotPermitted { .. }) => {
            assert!(error.to_string().contains("join the group"), "{error}");
        }
        // The system lets root in whatever the mode says; then the daemon is simply there.
        Ok(_) => assert!(is_root(), "a socket of mode 0 let an ordinary user in"),
        Err(other) => panic!("{other}"),
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t0")))
}

#[test]
fn a_greeting_of_another_protocol_is_refused() {
    for greeting in ["220 mail ready\r\n", "PROTOCOL EKEYD/2\n", "\u{1b}]0;x\n", "\n"] {
        let server = server(move |mut stream| stream.write_all(greeting.as_bytes()).expect("to greet"));
        let error = Client::connect(&server.path).expect_err("not ours");
        assert!(matches!(error, ClientError::NotEkeyd { .. }), "{greeting:?} gave {error}");
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn an_endless_greeting_is_cut_off() {
    let server = server(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let error = Client::connect(&server.path).expect_err("endless");
    assert!(matches!(error, ClientError::NotEkeyd { .. }), "{error}");
    server.thread.join().expect("the server, once the client has hung up");
}

#[test]
fn an_endless_answer_is_cut_off_at_a_mebibyte() {
    for piece in ["x".repeat(4096), "*\tx\n".repeat(1000)] {
        let server = server(move |mut stream| {
            stream.write_all(GREETING.as_bytes()).expect("to greet");
            while stream.write_all(piece.as_bytes()).is_ok() {}
        });
        let error = ask(&server.path).expect_err("endless");
        assert!(matches!(error, ClientError::TooLong { .. }), "{error}");
        server.thread.join().expect("the server, once the client has hung up");
    }
}

#[test]
fn the_longest_answer_is_read_whole() {
    let line = "y".repeat(MAX_ANSWER - 100);
    let expected = line.clone();
    let server = daemon(move |_| Some(format!("*\t{line}\nOK\n")));
    assert_eq!(ask(&server.path).expect("an answer").lines, [expected]);
}

#[test]
fn a_daemon_that_says_nothing_is_given_up_in_time() {
    let (done, wait) = mpsc::channel::<()>();
    let server = server(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let error = Client::connect_within(&server.path, Duration::from_millis(50)).expect_err("a time limit");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    drop(done);
}

#[test]
fn a_daemon_that_drips_bytes_is_given_up_in_time() {
    let server = server(|mut stream| {
        stream.write_all(GREETING.as_bytes()).expect("to greet");
        // Each byte comes well within the limit; the answer as a whole does not.
        while stream.write_all(b"x").is_ok() {
            thread::park_timeout(Duration::from_millis(5));
        }
    });
    // The greeting has to come within that time, whatever else the machine does.
    let mut client = Client::connect_within(&server.path, Duration::from_secs(2)).expect("a client");
    let error = client.request(&Command::Status).expect_err("a time limit");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[test]
fn a_connection_that_ends_in_the_middle_says_so() {
    let server = daemon(|_| None);
    let error = ask(&server.path).expect_err("closed");
    assert!(matches!(error, ClientError::Closed { .. }), "{error}");
}

#[test]
fn a_daemon_without_status_is_recognised() {
    for reply in ["OK\n", "ERROR control.lua:1: x\n"] {
        let server = daemon(move |_| Some(reply.to_owned()));
        let error = Client::connect(&server.path).expect("a client").status().expect_err("no status");
        assert!(matches!(error, ClientError::NoStatus { .. }), "{reply:?} gave {error}");
    }
}

#[test]
fn stopping_waits_for_the_end_of_the_connection() {
    for reply in [None, Some("OK\n".to_owned())] {
        let server = server(move |mut stream| {
            stream.write_all(GREETING.as_bytes()).expect("to greet");
            let mut line = String::new();
            BufReader::new(stream.try_clone().expect("a second handle")).read_line(&mut line).expect("a line");
            assert_eq!(line, "Shutdown\n");
            if let Some(reply) = reply {
                stream.write_all(reply.as_bytes()).expect("to answer");
            }
        });
        Client::connect(&server.path).expect("a client").shutdown().expect("to stop");
        server.thread.join().expect("the server");
    }
}
