//! A key on a unix socket.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ekey_sim::{Host, SimError, UnixSocket};

use super::host::{Heard, Host as Reader};
use super::*;

fn plugged_in(setup: Setup) -> (Running, TempDir, PathBuf) {
    let (folder, path) = folder();
    let plug = UnixSocket::open(&path).expect("plugs in");
    (Running::start(setup, plug, folder.path()), folder, path)
}

#[test]
fn every_block_is_in_the_log_before_the_host_has_it() {
    let (key, _folder, path) = plugged_in(setup());
    let mut host = Reader::connect(&path);
    assert_eq!(host.begin(), setup().serial);
    let mut got = Vec::new();
    for _ in 0..30 {
        got.extend(host.blocks(300));
        assert!(key.log().starts_with(&got), "after {} blocks", got.len() / 32);
    }
}

#[test]
fn a_second_host_is_disconnected_at_once() {
    let (_key, _folder, path) = plugged_in(setup());
    let mut host = Reader::connect(&path);
    host.begin();
    let mut other = UnixStream::connect(&path).expect("is heard");
    assert_eq!(other.read(&mut [0; 1]).expect("an end"), 0);
    host.blocks(500);
}

#[test]
fn a_session_outlives_its_host() {
    let (_key, _folder, path) = plugged_in(Setup { rate: 1000, ..setup() });
    let mut host = Reader::connect(&path);
    host.begin();
    host.blocks(78);
    for _ in 0..5 {
        let mut next = Reader::connect_after(host, &path);
        let heard = next.await_heard(|heard| matches!(heard, Heard::Entropy(..) | Heard::Wrong));
        assert!(matches!(heard, Heard::Entropy(sequence, _) if sequence > 0), "{heard:?}");
        host = next;
    }
}

#[test]
fn an_immediate_reconnect_is_a_reopen() {
    let (_key, _folder, path) = plugged_in(wedged("until-reopen"));
    let mut host = Reader::connect(&path);
    host.say(b"\x03");
    assert_eq!(host.hear_within(Duration::from_millis(300)), None);
    drop(host);
    Reader::connect(&path).begin();
}

#[test]
fn a_host_after_an_unseen_one_has_reopened_the_key() {
    let (_folder, path) = folder();
    let mut plug = UnixSocket::open(&path).expect("plugs in");
    drop(UnixStream::connect(&path).expect("is heard"));
    let _again = UnixStream::connect(&path).expect("is heard");
    assert_eq!(next_host(&mut plug), Host::Arrived);
    assert_eq!(next_host(&mut plug), Host::Present);
    assert_eq!(plug.read(&mut [0; 64]).expect("no error"), None, "it has left");
    assert_eq!(next_host(&mut plug), Host::Absent);
    assert_eq!(next_host(&mut plug), Host::Reopened);
}

#[test]
fn a_host_that_does_not_read_stops_the_key() {
    let (key, _folder, path) = plugged_in(setup());
    let mut host = UnixStream::connect(&path).expect("listens");
    host.write_all(b"KAAAA.").expect("takes it");
    host.set_write_timeout(Some(Duration::from_secs(2))).expect("can be set");
    let refused = (0..100_000).find_map(|_| host.write_all(&[3; 64]).err());
    assert!(refused.is_some(), "6 MB of resets were taken without one answer being read");
    assert!(key.log().len() < 100 * 78 * 32, "{} bytes of entropy made without a reader", key.log().len());
    key.end();
}

#[test]
fn nothing_is_made_while_there_is_no_host() {
    let (key, _folder, path) = plugged_in(setup());
    assert_eq!(key.log().len(), 0);
    let mut host = Reader::connect(&path);
    host.begin();
    host.blocks(100);
    drop(host);
    // The key answers this host only after it has noticed that the last one left.
    let mut host = Reader::connect(&path);
    host.say(b"\x03");
    host.await_heard(|heard| matches!(heard, Heard::Serial(_)));
    let before = key.log().len();
    drop(host);
    key.end_and(|log| assert_eq!(log.len(), before));
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let (key, _folder, path) = plugged_in(setup());
    let refused = UnixSocket::open(&path).err();
    assert!(matches!(refused, Some(SimError::Live { .. })), "{refused:?}");
    Reader::connect(&path).begin();
    key.end();
    assert!(!path.exists());

    drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
    assert!(path.exists(), "a dead socket");
    drop(UnixSocket::open(&path).expect("replaces it"));
    assert!(!path.exists());
}

#[test]
fn another_kind_of_file_is_left_alone() {
    let (_folder, path) = folder();
    fs::write(&path, "precious").expect("writes");
    let refused = UnixSocket::open(&path).err();
    assert!(matches!(refused, Some(SimError::Occupied { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).expect("is there"), b"precious");
}

#[test]
fn another_keys_socket_is_left_alone() {
    let (_folder, path) = folder();
    let ours = UnixSocket::open(&path).expect("plugs in");
    fs::remove_file(&path).expect("removes");
    let _theirs = UnixSocket::open(&path).expect("plugs in");
    drop(ours);
    assert!(path.exists());
}
