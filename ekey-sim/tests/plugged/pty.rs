//! A key behind a pseudo terminal.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use ekey_sim::{Host, Pty, SimError};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::termios::{self, LocalFlags};

use super::host::{self, DEADLINE, open};
use super::*;

type Reader = host::Host<File>;

#[test]
fn a_host_gets_what_the_log_says() {
    let (key, _folder, link) = plugged_in::<File>(setup());
    let mut host = Reader::open(&link);
    assert_eq!(host.begin(), setup().serial);
    let got = host.blocks(5000);
    assert!(key.log().starts_with(&got));
}

#[test]
fn a_terminal_that_is_not_made_raw_does_no_harm() {
    let (_key, _folder, link) = plugged_in::<File>(setup());
    let mut cooked = open(&link);
    let flags = termios::tcgetattr(&cooked).expect("a terminal").local_flags;
    assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON), "{flags:?}");
    let mut heard = Vec::new();
    let started = Instant::now();
    while !heard.windows(4).any(|window| window == b"* W>") {
        assert!(started.elapsed() < DEADLINE, "no complaint: {}", String::from_utf8_lossy(&heard));
        let mut buf = [0; 4096];
        let mut fds = [PollFd::new(cooked.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, 1000_u16).expect("polls");
        let len = cooked.read(&mut buf).unwrap_or(0);
        heard.extend(&buf[..len]);
    }
    drop(cooked);
    let mut host = Reader::open(&link);
    host.begin();
    host.blocks(500);
}

#[test]
fn hosts_come_and_go_and_each_finds_a_key() {
    let (_key, _folder, link) = plugged_in::<File>(setup());
    for _ in 0..20 {
        let mut host = Reader::open(&link);
        host.begin();
        host.blocks(200);
    }
}

#[test]
fn a_quick_reopen_is_noticed() {
    for _ in 0..20 {
        let (_key, _folder, link) = plugged_in::<File>(wedged("until-reopen"));
        let mut host = Reader::open(&link);
        host.say(b"\x03");
        assert_eq!(host.hear_within(Duration::from_millis(40)), None);
        drop(host);
        Reader::open(&link).begin();
    }
}

#[test]
fn an_unseen_close_and_open_is_a_reopen() {
    let (_folder, link) = folder();
    let mut plug = Pty::open(&link).expect("plugs in");
    drop(open(&link));
    let again = open(&link);
    assert_eq!(next_host(&mut plug), Host::Reopened);
    assert_eq!(next_host(&mut plug), Host::Present);
    drop(again);
    assert_eq!(next_host(&mut plug), Host::Absent);

    let (_folder, link) = folder();
    let mut plug = Pty::open(&link).expect("plugs in");
    let _once = open(&link);
    assert_eq!(next_host(&mut plug), Host::Arrived);
}

#[test]
fn the_link_replaces_a_link_and_is_removed_at_the_end() {
    let (folder, link) = folder();
    symlink("/nowhere", &link).expect("links");
    let plug = Pty::open(&link).expect("replaces a link");
    assert_eq!(fs::read_link(&link).expect("a link"), plug.slave_path());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    drop(plug);
    assert!(fs::symlink_metadata(&link).is_err());
}

#[test]
fn other_files_and_another_keys_link_stay() {
    let (_folder, link) = folder();
    fs::write(&link, "precious").expect("writes");
    let refused = Pty::open(&link).err();
    assert!(matches!(refused, Some(SimError::Occupied { .. })), "{refused:?}");
    fs::remove_file(&link).expect("removes");

    let ours = Pty::open(&link).expect("plugs in");
    let theirs = Pty::open(&link).expect("replaces a link");
    drop(ours);
    assert_eq!(fs::read_link(&link).expect("still there"), theirs.slave_path());
}
