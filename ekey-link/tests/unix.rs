//! The unix socket link against a listener that plays the key, and what is refused as no key at all.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ekey_link::{Interrupt, Link, LinkError, Read, Transport, open};
use nix::sys::stat::Mode;

const AMPLE: Duration = Duration::from_secs(600);

fn soon() -> Instant {
    Instant::now() + AMPLE
}

fn interrupt() -> Interrupt {
    Interrupt::new().expect("an eventfd")
}

/// A link and the key's end of it; the folder holds the socket.
fn pair(interrupt: &Interrupt) -> (Box<dyn Link>, UnixStream, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let listener = UnixListener::bind(&path).expect("a listener");
    let link = open(&path, interrupt).expect("the link opens");
    let (key, _) = listener.accept().expect("a caller");
    (link, key, folder)
}

fn refusal(path: &Path) -> LinkError {
    open(path, &interrupt()).err().expect("a link opened something that is not a key")
}

#[test]
fn bytes_go_both_ways() {
    let (mut link, mut key, _folder) = pair(&interrupt());
    assert_eq!(link.kind(), Transport::Unix);
    key.write_all(b"* S!").unwrap();
    let mut buf = [0; 64];
    assert_eq!(link.read(&mut buf, soon()).unwrap(), Read::Bytes(4));
    assert_eq!(&buf[..4], b"* S!");
    link.write_all(b"\x03K", soon()).unwrap();
    let mut heard = [0; 2];
    key.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"\x03K");
}

#[test]
fn the_last_words_are_read_before_the_end() {
    let (mut link, mut key, _folder) = pair(&interrupt());
    key.write_all(b"bye").unwrap();
    drop(key);
    assert_eq!(link.read(&mut [0; 64], soon()).unwrap(), Read::Bytes(3));
    for _ in 0..3 {
        let outcome = link.read(&mut [0; 64], soon());
        assert!(matches!(outcome, Err(LinkError::Gone)), "{outcome:?}");
    }
    let outcome = link.write_all(b"\x03", soon());
    assert!(matches!(outcome, Err(LinkError::Gone)), "{outcome:?}");
}

#[test]
fn the_deadline_holds() {
    let (mut link, _key, _folder) = pair(&interrupt());
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(link.read(&mut [0; 64], deadline).unwrap(), Read::TimedOut);
    assert!(Instant::now() >= deadline);
}

#[test]
fn another_thread_ends_a_read_at_once() {
    let interrupt = interrupt();
    let (mut link, _key, _folder) = pair(&interrupt);
    let reader = thread::spawn(move || link.read(&mut [0; 64], soon()).unwrap());
    interrupt.wake();
    assert_eq!(reader.join().unwrap(), Read::Interrupted);
}

#[test]
fn a_big_write_arrives_whole() {
    let (mut link, mut key, _folder) = pair(&interrupt());
    let big: Vec<u8> = (0_u8..=250).cycle().take(2_000_000).collect();
    let expected = big.clone();
    let writer = thread::spawn(move || link.write_all(&big, soon()));
    let mut got = Vec::new();
    key.read_to_end(&mut got).unwrap();
    writer.join().unwrap().unwrap();
    assert!(got == expected, "{} of {} bytes came, or they differ", got.len(), expected.len());
}

#[test]
fn a_deaf_listener_fails_at_the_deadline() {
    let (mut link, _key, _folder) = pair(&interrupt());
    let outcome = link.write_all(&vec![0; 4_000_000], Instant::now() + Duration::from_millis(50));
    assert!(matches!(outcome, Err(LinkError::WriteTimedOut { expected: 4_000_000, .. })), "{outcome:?}");
}

#[test]
fn a_listener_that_never_accepts_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let listener = UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _waiting = open(&path, &interrupt()).unwrap();
    let refused = refusal(&path);
    assert!(refused.to_string().ends_with("does not answer: restart it"), "{refused}");
}

#[test]
fn a_socket_without_alistener_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    drop(UnixListener::bind(&path).unwrap());
    let refused = refusal(&path).to_string();
    assert!(refused.contains("nothing listens there"), "{refused}");
}

#[test]
fn what_is_no_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let cases: [(PathBuf, &str); 4] = [
        (file, "is a regular file,"),
        (pipe, "is a pipe,"),
        (folder.path().to_owned(), "is a folder,"),
        (PathBuf::from("/dev/null"), "is a device that is not a tty,"),
    ];
    for (path, expected) in cases {
        let refused = refusal(&path);
        assert!(matches!(refused, LinkError::NotAKey { .. }), "{refused:?}");
        assert!(refused.to_string().contains(expected), "{refused} should say: {expected}");
    }
}

#[test]
fn a_missing_path_says_to_plug_the_key_in() {
    let refused = refusal(Path::new("/nowhere/key"));
    assert!(refused.to_string().ends_with("plug the key in, or correct the path"), "{refused}");
}
