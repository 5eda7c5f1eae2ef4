//! Checks for programs in the way: those that probe serial ports, and those that have the key open.

use std::fs;
use std::path::Path;

use ekey_link::find::FoundKey;

use super::Check;
use super::machine::{Machine, Process};

/// Devices per bus in the numbering of usbfs nodes (189:…).
const DEVICES_A_BUS: u32 = 128;
/// Programs that drive keys: the original, which has this daemon's name, and its helper for USB.
const DRIVERS: [&str; 2] = ["ekeyd", "ekey-ulusbd"];

/// Checks whether ModemManager leaves the keys alone.
pub(super) fn modem_manager(machine: &Machine, keys: &[FoundKey]) -> Check {
    const TOPIC: &str = "modems";
    if !machine.processes().iter().any(|process| process.name == "ModemManager") {
        return Check::ok(TOPIC, "ModemManager does not run");
    }
    let probed: Vec<&str> = keys.iter().filter(|key| !is_ignored(machine, key)).map(|key| key.port.as_str()).collect();
    if probed.is_empty() {
        return Check::ok(TOPIC, "ModemManager runs, and leaves the key alone");
    }
    Check::todo(
        TOPIC,
        format!("ModemManager runs and may send commands to the key at {}", probed.join(", ")),
        "install udev/60-ekey.rules (ID_MM_DEVICE_IGNORE), then unplug the key and plug it in again",
    )
}

fn is_ignored(machine: &Machine, key: &FoundKey) -> bool {
    let minor = u32::from(key.bus).saturating_sub(1) * DEVICES_A_BUS + u32::from(key.device).saturating_sub(1);
    let properties = machine.text(format!("run/udev/data/c189:{minor}")).unwrap_or_default();
    properties.lines().any(|line| line == "E:ID_MM_DEVICE_IGNORE=1")
}

/// Checks whether a program other than the daemon has a key open, or may open one.
pub(super) fn others(machine: &Machine, keys: &[FoundKey], daemon: Option<u32>) -> Check {
    const TOPIC: &str = "others";
    let processes = machine.processes();
    let strangers: Vec<&Process> = processes.iter().filter(|process| Some(process.pid) != daemon).collect();
    let nodes: Vec<String> =
        keys.iter().flat_map(|key| key.tty.iter().chain([&key.usbfs])).map(|path| machine.name_of(path)).collect();
    let (mut holders, mut hidden) = (Vec::new(), false);
    for process in &strangers {
        match held(machine, process, &nodes) {
            Some(held) => holders.extend(held),
            None => hidden = true,
        }
    }
    if !holders.is_empty() {
        return Check::todo(TOPIC, holders.join("; "), "stop that program: a key serves only one");
    }
    let drivers = strangers.iter().filter(|process| DRIVERS.contains(&process.name.as_str()));
    let drivers: Vec<String> = drivers.map(|process| format!("{} (pid {})", process.name, process.pid)).collect();
    let root = if hidden { "; root can see whether it has a key" } else { "" };
    if !drivers.is_empty() {
        let what = if daemon.is_some() { "runs next to this daemon" } else { "runs but does not answer here" };
        return Check::note(TOPIC, format!("{} {what}{root}", drivers.join(", ")));
    }
    if hidden {
        return Check::note(TOPIC, "no other program that this user may see has a key open");
    }
    Check::ok(TOPIC, "no other program has a key open")
}

/// Describes which of the nodes a program has open. Returns `None` if this user may not know.
fn held(machine: &Machine, process: &Process, nodes: &[String]) -> Option<Vec<String>> {
    let folder = machine.path(format!("proc/{}/fd", process.pid));
    let files = fs::read_dir(folder).ok()?;
    let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let mut open: Vec<String> = targets
        .filter_map(|target| nodes.iter().find(|node| Path::new(node) == target))
        .map(|node| format!("{} (pid {}) has {node} open", process.name, process.pid))
        .collect();
    open.dedup();
    Some(open)
}
