//! The tty link against the other end of a pseudo-terminal, which plays the key.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ekey_link::{Interrupt, Link, LinkError, Read, Transport, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{
    BaudRate, ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, Termios, cfgetispeed, cfgetospeed, cfsetspeed,
    tcgetattr, tcsetattr,
};

/// Far more than any of this takes, on however slow a machine.
const AMPLE: Duration = Duration::from_secs(600);

struct Key {
    master: std::fs::File,
    /// Kept, so that the tty lives on while no link is open.
    slave: OwnedFd,
    path: PathBuf,
}

impl Key {
    fn plugged_in() -> Self {
        let pty = openpty(None, None).expect("a pseudo-terminal");
        let path = nix::unistd::ttyname(&pty.slave).expect("the name of the tty");
        Self { master: pty.master.into(), slave: pty.slave, path }
    }

    fn link(&self) -> Box<dyn Link> {
        open(&self.path, &Interrupt::new().expect("an eventfd")).expect("the link opens")
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.slave).expect("the settings of the tty")
    }
}

fn soon() -> Instant {
    Instant::now() + AMPLE
}

fn read_exactly(link: &mut dyn Link, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let deadline = soon();
    while got.len() < count {
        let mut buf = [0; 512];
        match link.read(&mut buf, deadline).expect("the link is open") {
            Read::Bytes(fresh) => got.extend_from_slice(&buf[..fresh]),
            other => panic!("{other:?} after {} of {count} bytes", got.len()),
        }
    }
    got
}

fn error_of(outcome: Result<Box<dyn Link>, LinkError>) -> LinkError {
    outcome.err().expect("the link must not open")
}

#[test]
fn what_the_key_says_is_read_byte_for_byte() {
    let mut key = Key::plugged_in();
    let mut link = key.link();
    let every_byte: Vec<u8> = (0..=255).collect();
    key.master.write_all(&every_byte).unwrap();
    assert_eq!(read_exactly(&mut *link, 256), every_byte);
    assert_eq!(link.kind(), Transport::Tty);
}

#[test]
fn what_is_sent_reaches_the_key_byte_for_byte() {
    let mut key = Key::plugged_in();
    let mut link = key.link();
    let every_byte: Vec<u8> = (0..=255).collect();
    link.write_all(&every_byte, soon()).unwrap();
    let mut got = [0; 256];
    key.master.read_exact(&mut got).unwrap();
    assert_eq!(got.as_slice(), every_byte);
}

#[test]
fn the_tty_is_raw_and_its_speed_is_untouched() {
    let key = Key::plugged_in();
    let mut unusual = key.settings();
    cfsetspeed(&mut unusual, BaudRate::B1200).unwrap();
    tcsetattr(&key.slave, SetArg::TCSANOW, &unusual).unwrap();
    let before = key.settings();
    assert!(before.local_flags.contains(LocalFlags::ECHO), "a fresh tty echoes, or this test shows nothing");
    let _link = key.link();
    let after = key.settings();
    let cooked = LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN;
    assert_eq!(after.local_flags & cooked, LocalFlags::empty());
    assert!(!after.input_flags.intersects(InputFlags::ICRNL | InputFlags::IXON | InputFlags::ISTRIP));
    assert!(!after.output_flags.contains(OutputFlags::OPOST));
    assert_eq!(after.control_flags & (ControlFlags::CLOCAL | ControlFlags::HUPCL), ControlFlags::CLOCAL);
    assert_eq!(cfgetispeed(&after), cfgetispeed(&before), "the speed must be left alone");
    assert_eq!(cfgetospeed(&after), cfgetospeed(&before), "the speed must be left alone");
}

#[test]
fn the_key_never_hears_its_own_words() {
    let mut key = Key::plugged_in();
    let mut link = key.link();
    key.master.write_all(b"* E!AA\r\n").unwrap();
    read_exactly(&mut *link, 8);
    link.write_all(b"\x03", soon()).unwrap();
    let mut heard = [0; 64];
    let count = key.master.read(&mut heard).unwrap();
    assert_eq!(&heard[..count], b"\x03", "only the command must come back, no echo before it");
}

#[test]
fn what_was_left_over_is_thrown_away() {
    let mut key = Key::plugged_in();
    key.link().close();
    // Raw by now, so the bytes are not held back for want of a line's end.
    key.master.write_all(b"stale").unwrap();
    let mut arrived = [PollFd::new(key.slave.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut arrived, PollTimeout::from(30_000_u16)).unwrap(), 1, "the bytes must be in the tty");
    let mut link = key.link();
    key.master.write_all(b"fresh").unwrap();
    assert_eq!(read_exactly(&mut *link, 5), b"fresh");
}

#[test]
fn a_second_open_is_told_that_the_key_is_held() {
    let key = Key::plugged_in();
    let link = key.link();
    let refused = error_of(open(&key.path, &Interrupt::new().unwrap()));
    assert!(matches!(refused, LinkError::Busy { .. }), "{refused}");
    assert!(refused.to_string().contains("another program holds the key"), "{refused}");
    link.close();
    key.link().close();
}

#[test]
fn a_symbolic_link_is_followed() {
    let key = Key::plugged_in();
    let folder = tempfile::tempdir().unwrap();
    let alias = folder.path().join("M1A2B3C4D5E6F7G8");
    symlink(&key.path, &alias).unwrap();
    assert_eq!(open(&alias, &Interrupt::new().unwrap()).unwrap().kind(), Transport::Tty);
}

#[test]
fn a_key_pulled_out_is_gone_at_once_and_for_good() {
    let key = Key::plugged_in();
    let mut link = key.link();
    drop(key);
    for attempt in 1..=3 {
        let outcome = link.read(&mut [0; 64], soon());
        assert!(matches!(outcome, Err(LinkError::Gone)), "attempt {attempt}: {outcome:?}");
    }
    let written = link.write_all(b"\x03", soon());
    assert!(matches!(written, Err(LinkError::Gone)), "{written:?}");
}

#[test]
fn a_read_that_waits_ends_when_the_key_is_pulled_out() {
    let key = Key::plugged_in();
    let mut link = key.link();
    let (about_to_read, reading) = mpsc::channel();
    let reader = thread::spawn(move || {
        about_to_read.send(()).unwrap();
        link.read(&mut [0; 64], soon())
    });
    reading.recv().unwrap();
    drop(key);
    let outcome = reader.join().unwrap();
    assert!(matches!(outcome, Err(LinkError::Gone)), "{outcome:?}");
}

#[test]
fn a_silent_key_is_waited_for_until_the_deadline() {
    let key = Key::plugged_in();
    let mut link = key.link();
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(link.read(&mut [0; 64], deadline).unwrap(), Read::TimedOut);
    let over = Instant::now();
    assert!(over >= deadline, "came back {:?} early", deadline - over);
}

#[test]
fn a_passed_deadline_still_gives_what_is_there() {
    let mut key = Key::plugged_in();
    let mut link = key.link();
    let past = Instant::now();
    assert_eq!(link.read(&mut [0; 64], past).unwrap(), Read::TimedOut);
    key.master.write_all(b"ab").unwrap();
    // The pseudo-terminal hands its bytes over in a work queue: wait for the first, then ask without waiting.
    assert_eq!(link.read(&mut [0; 1], soon()).unwrap(), Read::Bytes(1));
    assert_eq!(link.read(&mut [0; 64], past).unwrap(), Read::Bytes(1));
}

#[test]
fn another_thread_ends_a_read_at_once() {
    let key = Key::plugged_in();
    let interrupt = Interrupt::new().unwrap();
    let mut link = open(&key.path, &interrupt).unwrap();
    let (about_to_read, reading) = mpsc::channel();
    let reader = thread::spawn(move || {
        about_to_read.send(()).unwrap();
        let first = link.read(&mut [0; 64], soon()).unwrap();
        (first, link.read(&mut [0; 64], Instant::now()).unwrap())
    });
    reading.recv().unwrap();
    interrupt.clone().wake();
    let (first, second) = reader.join().unwrap();
    assert_eq!(first, Read::Interrupted);
    assert_eq!(second, Read::TimedOut, "one wake ends one read");
}

#[test]
fn an_interrupt_goes_before_bytes_and_loses_none() {
    let mut key = Key::plugged_in();
    let interrupt = Interrupt::new().unwrap();
    let mut link = open(&key.path, &interrupt).unwrap();
    key.master.write_all(b"bytes").unwrap();
    interrupt.wake();
    interrupt.wake();
    assert_eq!(link.read(&mut [0; 64], soon()).unwrap(), Read::Interrupted);
    assert_eq!(read_exactly(&mut *link, 5), b"bytes");
    assert!(!interrupt.take());
}

#[test]
fn a_big_write_arrives_whole_at_a_slow_reader() {
    let mut key = Key::plugged_in();
    let mut link = key.link();
    let big: Vec<u8> = (0_u8..=250).cycle().take(300_000).collect();
    let expected = big.clone();
    let writer = thread::spawn(move || {
        let outcome = link.write_all(&big, soon());
        (outcome, link)
    });
    let mut got = vec![0; expected.len()];
    for piece in got.chunks_mut(777) {
        key.master.read_exact(piece).unwrap();
        thread::yield_now();
    }
    writer.join().unwrap().0.unwrap();
    assert!(got == expected, "the bytes differ");
}

#[test]
fn a_key_that_takes_nothing_fails_at_the_deadline() {
    let key = Key::plugged_in();
    let mut link = key.link();
    let deadline = Instant::now() + Duration::from_millis(50);
    let refused = link.write_all(&vec![b'K'; 1_000_000], deadline).unwrap_err();
    assert!(Instant::now() >= deadline);
    let LinkError::WriteTimedOut { sent, expected, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(expected, 1_000_000);
    assert!(sent < expected, "{sent} of {expected} bytes cannot have fitted");
}
