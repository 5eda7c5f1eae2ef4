//! Finding keys on machines made of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::machine::Machine;
use ekey_link::Transport;
use ekey_link::find::{behind, keys_below};

#[test]
fn a_machine_without_usb_has_no_keys() {
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(keys_below(nothing.path()), []);
}

#[test]
fn other_devices_are_no_keys() {
    assert_eq!(keys_below(Machine::new().root()), []);
}

#[test]
fn a_key_with_its_tty_is_found_with_all_its_names() {
    let machine = Machine::new();
    let folder = machine.key("1-1.2", 4, "M/1A+2B3C4D5E6F7");
    machine.bind_cdc_acm("1-1.2", "ttyACM0");
    let keys = keys_below(machine.root());
    let [key] = keys.as_slice() else { panic!("one key was expected: {keys:?}") };
    assert_eq!(key.serial.as_deref(), Some("M/1A+2B3C4D5E6F7"));
    assert_eq!((key.port.as_str(), key.bus, key.device), ("1-1.2", 1, 4));
    assert_eq!(key.usbfs, machine.root().join("dev/bus/usb/001/004"));
    assert_eq!(key.sysfs, folder);
    assert_eq!(key.tty, Some(machine.root().join("dev/ttyACM0")));
    assert_eq!(key.drivers, [Some("cdc_acm".to_owned()), Some("cdc_acm".to_owned())]);
    assert!(key.authorized);
    assert_eq!(key.path(Transport::Tty), key.tty.as_deref());
    assert_eq!(key.path(Transport::Usb), Some(key.usbfs.as_path()));
    assert_eq!(key.path(Transport::Unix), None);
}

#[test]
fn a_claimed_key_has_no_tty_and_names_its_driver() {
    let machine = Machine::new();
    machine.key("3-4", 17, "M1A2B3C4D5E6F7G8");
    machine.bind("3-4", 0, "usbfs");
    machine.bind("3-4", 1, "usbfs");
    let key = keys_below(machine.root()).pop().expect("a key");
    assert_eq!((key.tty, key.drivers), (None, [Some("usbfs".to_owned()), Some("usbfs".to_owned())]));
    assert_eq!(key.usbfs, machine.root().join("dev/bus/usb/003/017"));
}

#[test]
fn a_key_that_may_not_be_used_is_found_all_the_same() {
    let machine = Machine::new();
    let folder = machine.key("1-1", 2, "M1A2B3C4D5E6F7G8");
    fs::write(folder.join("authorized"), "0\n").unwrap();
    fs::remove_file(folder.join("bConfigurationValue")).unwrap();
    let key = keys_below(machine.root()).pop().expect("a key");
    assert!(!key.authorized);
    assert_eq!((key.tty, key.drivers), (None, [None, None]));
}

#[test]
fn keys_come_sorted_by_where_they_are_plugged_in() {
    let machine = Machine::new();
    for (port, device) in [("2-1", 3), ("1-4", 6), ("1-1.2", 5)] {
        machine.key(port, device, "M1A2B3C4D5E6F7G8");
    }
    let ports: Vec<_> = keys_below(machine.root()).into_iter().map(|key| key.port).collect();
    assert_eq!(ports, ["1-1.2", "1-4", "2-1"]);
}

#[test]
fn a_folder_that_is_a_link_is_followed() {
    let machine = Machine::new();
    let folder = machine.key("1-3", 7, "M1A2B3C4D5E6F7G8");
    let real = machine.root().join("sys/devices/pci0000:00/usb1/1-3");
    fs::create_dir_all(real.parent().unwrap()).unwrap();
    fs::rename(&folder, &real).unwrap();
    symlink(&real, &folder).unwrap();
    assert_eq!(keys_below(machine.root()).len(), 1);
}

#[test]
fn a_serial_that_is_no_serial_is_not_believed() {
    let long = "A".repeat(65);
    let longer = "A".repeat(100_000);
    let wrong = ["", "with space", "two\nlines", "\u{1b}[2Jgone", "schl\u{fc}ssel", "\u{0}", &long, &longer];
    for serial in wrong {
        let machine = Machine::new();
        machine.key("1-1", 2, serial);
        let key = keys_below(machine.root()).pop().expect("it is a key all the same");
        assert_eq!(key.serial, None, "{serial:?}");
    }
    let machine = Machine::new();
    let folder = machine.key("1-1", 2, "");
    fs::write(folder.join("serial"), b"\xff\xfe\n").unwrap();
    assert_eq!(keys_below(machine.root()).pop().expect("a key").serial, None, "bytes that are no text");
    fs::remove_file(folder.join("serial")).unwrap();
    assert_eq!(keys_below(machine.root()).pop().expect("a key").serial, None, "no serial at all");
}

#[test]
fn numbers_that_are_none_make_no_key() {
    let wrong =
        [("busnum", "one"), ("devnum", "99999999"), ("idVendor", "0x20df"), ("idProduct", ""), ("devnum", "-1")];
    for (name, value) in wrong {
        let machine = Machine::new();
        machine.key("1-1", 2, "M1A2B3C4D5E6F7G8");
        machine.device("1-1", &[(name, value)]);
        assert_eq!(keys_below(machine.root()), [], "{name} = {value}");
    }
}

#[test]
fn names_that_are_no_port_make_no_key() {
    for name in ["usb1", "1-1:1.0", "1-", "-1", "1-1.", "1-x", "a-1", "1-1.2.3.4.5.6.7.8.9.1.2.3.4.5.6.7"] {
        let machine = Machine::new();
        machine.device(
            name,
            &[("idVendor", "20df"), ("idProduct", "0001"), ("busnum", "1"), ("devnum", "2"), ("serial", "X")],
        );
        assert_eq!(keys_below(machine.root()), [], "{name}");
    }
}

#[test]
fn a_tty_with_a_strange_name_is_left_out() {
    for name in ["sda", "tty..x", "tty-ACM", "ttyACM0000000000000000000000000000000000000000"] {
        let machine = Machine::new();
        machine.key("1-1", 2, "M1A2B3C4D5E6F7G8");
        machine.bind_cdc_acm("1-1", name);
        assert_eq!(keys_below(machine.root()).pop().expect("a key").tty, None, "{name}");
    }
}

#[test]
fn behind_a_path_that_is_no_key_there_is_none() {
    for path in ["/dev/null", "/nowhere", "/", "/dev/tty"] {
        assert_eq!(behind(Path::new(path)), None, "{path}");
    }
}
