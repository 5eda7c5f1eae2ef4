//! A key on a unix socket.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ekey_sim::{Host, SimError, UnixSocket};

use super::*;

type Reader = host::Host<UnixStream>;

#[test]
fn every_block_is_in_the_log_before_the_host_has_it() {
    let (key, _folder, path) = plugged_in::<UnixStream>(setup());
    let mut host = Reader::open(&path);
    assert_eq!(host.begin(), setup().serial);
    let mut got = Vec::new();
    for _ in 0..30 {
        got.extend(host.blocks(300));
        assert!(key.log().starts_with(&got), "after {} blocks", got.len() / 32);
    }
}

#[test]
fn a_second_host_is_disconnected_at_once() {
    let (_key, _folder, path) = plugged_in::<UnixStream>(setup());
    let mut host = Reader::open(&path);
    host.begin();
    let mut other = UnixStream::connect(&path).expect("is heard");
    assert_eq!(other.read(&mut [0; 1]).expect("an end"), 0);
    host.blocks(500);
}

#[test]
fn an_immediate_reconnect_is_a_reopen() {
    let (_key, _folder, path) = plugged_in::<UnixStream>(wedged("until-reopen"));
    let mut host = Reader::open(&path);
    host.say(b"\x03");
    assert_eq!(host.hear_within(Duration::from_millis(300)), None);
    drop(host);
    Reader::open(&path).begin();
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
    let (key, _folder, path) = plugged_in::<UnixStream>(setup());
    let mut host = UnixStream::connect(&path).expect("listens");
    host.write_all(b"KAAAA.").expect("takes it");
    host.set_write_timeout(Some(Duration::from_secs(2))).expect("can be set");
    let refused = (0..100_000).find_map(|_| host.write_all(&[3; 64]).err());
    assert!(refused.is_some(), "6 MB of resets were taken without one answer being read");
    assert!(key.log().len() < 100 * 78 * 32, "{} bytes of entropy made without a reader", key.log().len());
    key.end();
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let (key, _folder, path) = plugged_in::<UnixStream>(setup());
    let refused = UnixSocket::open(&path).err();
    assert!(matches!(refused, Some(SimError::Live { .. })), "{refused:?}");
    Reader::open(&path).begin();
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
