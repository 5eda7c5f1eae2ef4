//! What a key does when its host leaves, wherever it is plugged in.

use std::fs::File;
use std::os::unix::net::UnixStream;

use super::host::{Heard, Host, Link};
use super::*;

#[test]
fn a_session_outlives_its_host_on_a_pty() {
    a_session_outlives_its_hosts::<File>(1);
}

#[test]
fn a_session_outlives_its_hosts_on_a_socket() {
    a_session_outlives_its_hosts::<UnixStream>(5);
}

fn a_session_outlives_its_hosts<T: Link>(hosts: usize) {
    let (_key, _folder, path) = plugged_in::<T>(Setup { rate: 1000, ..setup() });
    let mut host = Host::<T>::open(&path);
    host.begin();
    host.blocks(78);
    for _ in 0..hosts {
        let mut next = Host::open_after(host, &path);
        let heard = next.await_heard(|heard| matches!(heard, Heard::Entropy(..) | Heard::Wrong));
        assert!(matches!(heard, Heard::Entropy(sequence, _) if sequence > 0), "{heard:?}");
        host = next;
    }
}

#[test]
fn a_key_makes_nothing_without_a_host_on_a_pty() {
    a_key_makes_nothing_without_a_host::<File>();
}

#[test]
fn a_key_makes_nothing_without_a_host_on_a_socket() {
    a_key_makes_nothing_without_a_host::<UnixStream>();
}

fn a_key_makes_nothing_without_a_host<T: Link>() {
    let (key, _folder, path) = plugged_in::<T>(setup());
    assert_eq!(key.log().len(), 0);
    let mut host = Host::<T>::open(&path);
    host.begin();
    host.blocks(100);
    drop(host);
    // The key answers this host only after it has noticed that the last one left.
    let mut host = Host::<T>::open(&path);
    host.say(b"\x03");
    host.await_heard(|heard| matches!(heard, Heard::Serial(_)));
    let before = key.log().len();
    drop(host);
    key.end_and(|log| assert_eq!(log.len(), before));
}
