//! Checks each plugged-in key: who drives it, who may, and its power settings.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ekey_control::Status;
use ekey_link::Transport;
use ekey_link::find::FoundKey;

use super::machine::Machine;
use super::user::{self, User};
use super::{Check, Verdict};

/// The service that lets USB devices in, usbguard(1).
const USBGUARD: &str = "usbguard-daemon";
/// Vendor and product of a key, as USBGuard writes them.
const USB_ID: &str = "20df:0001";

pub(super) fn checks(machine: &Machine, keys: &[FoundKey], status: Option<&Status>, user: Option<&User>) -> Vec<Check> {
    if keys.is_empty() {
        return vec![none(status)];
    }
    let of =
        |key: &FoundKey| [driven(machine, key, status), access(machine, key, user), sleep(machine, key), port(key)];
    let about = |key: &FoundKey| of(key).map(|check| Check { port: Some(key.port.clone()), ..check });
    keys.iter().flat_map(about).collect()
}

fn none(status: Option<&Status>) -> Check {
    const TOPIC: &str = "key";
    // A key that the daemon reaches by a socket or another machine's server has its own check.
    let is_elsewhere =
        |status: &Status| status.egd_client.is_some() || status.keys.iter().any(|key| key.transport == Transport::Unix);
    if status.is_some_and(|status| status.running() > 0 || is_elsewhere(status)) {
        return Check::note(TOPIC, "none on this machine's USB; the daemon's keys are elsewhere");
    }
    Check::todo(TOPIC, "none on USB (20df:0001)", "plug one in; if one is plugged in, try another port and see dmesg")
}

/// Checks whether the kernel and the daemon use it.
fn driven(machine: &Machine, key: &FoundKey, status: Option<&Status>) -> Check {
    const TOPIC: &str = "key";
    let (serial, port) = (key.serial.as_deref().unwrap_or("no serial number"), &key.port);
    let drivers = key.drivers.each_ref().map(|driver| driver.as_deref().unwrap_or("none"));
    let node = key.tty.as_deref().unwrap_or(&key.usbfs);
    let [first, second] = drivers;
    let bound = if first == second { first.to_owned() } else { format!("{first} and {second}") };
    let seen = format!("{serial} at {port}, {}, driver {bound}", machine.name_of(node));
    if key.serial.is_none() {
        return Check::todo(TOPIC, seen, "unplug it and plug it in again");
    }
    if !key.authorized {
        let switch = machine.name_of(&key.sysfs.join("authorized"));
        let has_usbguard = machine.processes().iter().any(|process| process.name.starts_with(USBGUARD));
        return if has_usbguard {
            let advice = format!("usbguard allow-device -p 'id {USB_ID}', which lets Entropy Keys in for good");
            Check::todo(TOPIC, format!("{seen}: blocked by USBGuard"), advice)
        } else {
            Check::todo(TOPIC, format!("{seen}: not authorized in the kernel"), format!("echo 1 >{switch}"))
        };
    }
    let idle = status.and_then(|status| status.idle_keys.iter().find(|idle| idle.port == key.port));
    if let Some(idle) = idle {
        return Check::todo(TOPIC, format!("{seen}: not driven"), idle.why.clone());
    }
    let by_daemon = status.is_some_and(|status| {
        status
            .keys
            .iter()
            .any(|driven| driven.transport == Transport::Usb && driven.known_serial() == key.serial.as_deref())
    });
    if drivers.contains(&"usbfs") && !by_daemon {
        return Check::todo(TOPIC, format!("{seen}: a program has claimed it"), "stop that program (see `others`)");
    }
    Check::ok(TOPIC, seen)
}

/// Checks whether the daemon's user may open its nodes.
fn access(machine: &Machine, key: &FoundKey, user: Option<&User>) -> Check {
    const TOPIC: &str = "access";
    let mut names = Vec::new();
    for node in key.tty.iter().chain([&key.usbfs]) {
        let name = machine.name_of(node);
        let file = match fs::metadata(node) {
            Ok(file) => file,
            Err(error) => return Check::todo(TOPIC, format!("{name}: {error}"), "check that udev, or mdev, runs"),
        };
        if let Some(user) = user
            && !user.may_use(&file)
        {
            let (owner, group) = (user::name(machine, file.uid()), user::group_name(machine, file.gid()));
            return Check::todo(
                TOPIC,
                format!("{} may not use {name} ({owner}:{group} {:04o})", user.name, file.mode() & 0o7777),
                "install udev/60-ekey.rules, then unplug the key and plug it in again",
            );
        }
        names.push(name);
    }
    match user {
        Some(user) => Check::ok(TOPIC, format!("{} may use {}", user.name, names.join(" and "))),
        None => Check::note(TOPIC, "not known: no daemon answers, and there is no user ekeyd"),
    }
}

/// Checks whether the kernel keeps it awake.
fn sleep(machine: &Machine, key: &FoundKey) -> Check {
    const TOPIC: &str = "suspend";
    let switch = machine.name_of(&key.sysfs.join("power/control"));
    match machine.text(&switch).as_deref() {
        Some("on") => Check::ok(TOPIC, "off: the kernel never puts the key to sleep"),
        Some(_) => Check::todo(
            TOPIC,
            "the kernel may put the key to sleep, and the key may not wake up",
            format!("install udev/60-ekey.rules, or: echo on >{switch}"),
        ),
        None => Check::ok(TOPIC, "off: this kernel never puts a USB device to sleep"),
    }
}

/// Checks whether its port's power can be cut, which revives a key like a replug.
fn port(key: &FoundKey) -> Check {
    let there = key.sysfs.join("port/disable").exists();
    let verdict = if there { Verdict::Ok } else { Verdict::Note };
    let text = if there {
        "its power can be cut if the hub supports it and port-power = true"
    } else {
        "its power cannot be cut: that requires Linux 6.0 or later, and a hub"
    };
    Check { verdict, ..Check::ok("port", text) }
}
