//! The steps that act on a USB device, on a machine made of files.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::thread;

use crate::machine::Machine;
use ekey_link::find::{FoundKey, keys_below};
use ekey_link::revive::{Means, ReviveError, reauthorize, usb_reset};
use nix::sys::stat::Mode;

fn key(machine: &Machine) -> FoundKey {
    machine.key("1-1.2", 4, "M1A2B3C4D5E6F7G8");
    keys_below(machine.root()).pop().expect("a key")
}

#[test]
fn a_key_is_forbidden_and_then_allowed_again() {
    let machine = Machine::new();
    let key = key(&machine);
    let authorized = key.sysfs.join("authorized");
    fs::remove_file(&authorized).unwrap();
    nix::unistd::mkfifo(&authorized, Mode::S_IRWXU).unwrap();
    // Held open, so that the end of the first write is not the end of the pipe.
    let holder = fs::OpenOptions::new().read(true).write(true).open(&authorized).unwrap();
    let stepping = thread::spawn(move || reauthorize(&key));
    let mut seen = [0; 2];
    (&holder).read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"01");
    stepping.join().unwrap().expect("the step is taken");
}

#[test]
fn a_key_that_has_gone_is_said_to_be() {
    let machine = Machine::new();
    let key = key(&machine);
    fs::remove_dir_all(&key.sysfs).unwrap();
    for outcome in [reauthorize(&key), usb_reset(&key)] {
        let refused = outcome.expect_err("there is nothing to act on");
        assert!(matches!(refused, ReviveError::Gone { .. }), "{refused}");
    }
}

#[test]
fn a_node_that_is_no_usb_device_cannot_be_reset() {
    let machine = Machine::new();
    let mut key = key(&machine);
    key.usbfs = Path::new("/dev/null").into();
    let refused = usb_reset(&key).expect_err("this is not a USB device");
    assert!(matches!(refused, ReviveError::Failed { .. }), "{refused}");
    assert!(refused.to_string().starts_with("/dev/null: "), "{refused}");
}

#[test]
fn what_there_is_for_a_key_is_read_from_its_folder() {
    let machine = Machine::new();
    let key = key(&machine);
    let expected = Means { other_transport: true, usb_reset: true, authorized: true, port_power: false };
    assert_eq!(Means::of(&key), expected);
    fs::create_dir_all(key.sysfs.join("port")).unwrap();
    fs::write(key.sysfs.join("port/disable"), "0").unwrap();
    assert_eq!(Means::of(&key), Means { port_power: true, ..expected });
}
