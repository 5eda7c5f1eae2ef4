//! The software key as a USB device of a real kernel: what the kernel detects, on QEMU's bus and on its own virtual
//! bus, and that our daemon gets every byte on the virtual bus.

use std::fs;
use std::path::Path;

use ekey_tests::guest::{Booted, Guest};
use ekey_tests::software_key::{LONG_TERM_KEY, Plug, SERIAL};
use ekey_tests::{KeyPlan, Scratch, SoftwareKey, binaries, blocks};

const FRAMES: u64 = 20_000;

#[test]
fn a_kernel_finds_an_entropy_key_with_a_tty() {
    let scratch = Scratch::make();
    let key = plan("key").plug_in(&scratch);
    let mut guest = guest(&key).boot();
    check_identity(&mut guest);
    guest.power_off();
}

#[test]
fn over_vhci_every_byte_arrives_on_both_transports() {
    let mut guest = with_vhci().boot();
    for transport in ["tty", "usb"] {
        plug_in_by_vhci(&mut guest, transport, "");
        check_identity(&mut guest);
        guest.check(&format!("! grep 'bus reset' /share/{transport}.sim"));
        deliver(&mut guest, transport, FRAMES);
        check_blocks(&guest, transport, &guest.shared(&format!("{transport}.plain")));
        for (count, there) in [(1, "! [ -e /dev/ttyACM0 ]"), (2, "[ -c /dev/ttyACM0 ]")] {
            guest.check("kill -USR1 $(cat /root/sim)");
            guest.await_sh(there);
            guest.check(&format!("grep 'pulled out (1)' /share/{transport}.sim"));
            guest.await_sh(&format!("grep 'plugged in ({count})' /share/{transport}.sim"));
        }
        pull_out_by_vhci(&mut guest);
    }
    guest.power_off();
}

#[test]
fn over_vhci_reset_and_re_enumeration_revive_a_key() {
    let mut guest = with_vhci().boot();
    for (step, seen) in [("usb-reset", "bus reset (1)"), ("re-enumeration", "set configuration 0")] {
        plug_in_by_vhci(&mut guest, step, &format!("--wedge until-{step}:500"));
        guest.await_sh("[ -c /dev/ttyACM0 ]");
        deliver_as(&mut guest, "tty", step, 2_000);
        guest.check(&format!("grep '{seen}' /share/{step}.sim"));
        blocks::assert_in_order(&guest.shared(step), &guest.shared(&format!("{step}.plain")));
        pull_out_by_vhci(&mut guest);
    }
    guest.power_off();
}

#[test]
fn the_key_distinguishes_reset_enumeration_and_replug() {
    let scratch = Scratch::make();
    let key = plan("key").plug_in(&scratch);
    let mut guest = guest(&key).boot();
    guest.await_sh("[ -c /dev/ttyACM0 ]");
    let before = Seen::by(&key);
    assert_eq!((before.pulled_out, before.line_states), (0, 0), "{before:?}");

    guest.check(&format!("echo 0 >{KEY}/authorized; echo 1 >{KEY}/authorized"));
    guest.await_sh("[ -c /dev/ttyACM0 ]");
    let after = Seen::by(&key);
    assert_eq!(after.resets, before.resets, "removal from the bus by software does not reset it: {after:?}");
    assert_eq!(after.configurations, before.configurations + 2, "none and one: {after:?}");

    guest.unplug("key");
    guest.await_sh("! [ -e /dev/ttyACM0 ]");
    guest.plug("key", &key.path);
    guest.await_sh("[ -c /dev/ttyACM0 ]");
    let after = Seen::by(&key);
    assert_eq!((after.plugged_in, after.pulled_out, after.line_states), (2, 1, 0), "{after:?}");

    // By hand, while QEMU stays connected.
    for (expected, command) in [(2, "! [ -e /dev/ttyACM0 ]"), (2, "[ -c /dev/ttyACM0 ]")] {
        key.program.signal(nix::sys::signal::Signal::SIGUSR1);
        guest.await_sh(command);
        assert_eq!(Seen::by(&key).pulled_out, expected);
    }
    check_identity(&mut guest);
    guest.power_off();
}

/// The bus events that the key reports.
#[derive(Debug)]
struct Seen {
    plugged_in: usize,
    pulled_out: usize,
    resets: usize,
    configurations: usize,
    line_states: usize,
}

impl Seen {
    fn by(key: &SoftwareKey) -> Self {
        let text = key.program.stderr();
        let count =
            |words: &str| text.lines().filter(|line| line.starts_with(&format!("ekey-sim: usb: {words}"))).count();
        Self {
            plugged_in: count("plugged in"),
            pulled_out: count("pulled out"),
            resets: count("bus reset"),
            configurations: count("set configuration"),
            line_states: count("set control line state"),
        }
    }
}

/// The key's folder in sysfs, found by its vendor.
const KEY: &str = "$(dirname $(grep -l 20df /sys/bus/usb/devices/*/idVendor))";

fn plan(name: &str) -> KeyPlan {
    KeyPlan::named(name).plug(Plug::UsbRedir)
}

fn guest(key: &SoftwareKey) -> Guest {
    with_programs(Guest::new()).usbredir("key", &key.path)
}

fn with_programs(guest: Guest) -> Guest {
    guest.module("cdc-acm").file("/bin/ekeyd", &binaries::built("ekeyd")).text(
        "/root/keyring",
        &format!("{SERIAL} {LONG_TERM_KEY}\n"),
        0o600,
    )
}

fn with_vhci() -> Guest {
    with_programs(Guest::new()).module("vhci-hcd").file("/bin/ekey-sim", &binaries::built("ekey-sim")).text(
        "/root/ltk",
        &format!("{LONG_TERM_KEY}\n"),
        0o600,
    )
}

/// Plugs a key in from inside the guest; its log and output are `/share/NAME.plain` and `/share/NAME.sim`.
fn plug_in_by_vhci(guest: &mut Booted, name: &str, more: &str) {
    let key =
        format!("--serial {SERIAL} --ltk-file /root/ltk --seed 5 --rate 0 --plain-log /share/{name}.plain {more}");
    guest.check(&format!("ekey-sim --vhci {key} >/share/{name}.sim 2>&1 & echo $! >/root/sim"));
}

fn pull_out_by_vhci(guest: &mut Booted) {
    guest.check("kill $(cat /root/sim)");
    guest.await_sh("! grep -q 20df /sys/bus/usb/devices/*/idVendor");
}

/// Checks the kernel's description of the key, and that its driver has made a tty.
fn check_identity(guest: &mut Booted) {
    guest.await_sh("[ -c /dev/ttyACM0 ]");
    let names = "idVendor idProduct speed version manufacturer product serial bNumConfigurations bNumInterfaces \
                 bMaxPacketSize0";
    let said = guest.check(&format!("cd {KEY}; for name in {names}; do cat $name; done"));
    let expected = ["20df", "0001", "12", "1.10", "Simtec Electronics", "Entropy Key", SERIAL, "1", "2", "64"];
    assert_eq!(said.lines().map(str::trim).collect::<Vec<_>>(), expected, "{names}");
    let said = guest.check(
        &format!("cd {KEY}; for ep in ?-?*:1.0/ep_82 ?-?*:1.1/ep_81 ?-?*:1.1/ep_03; do cat $ep/type $ep/wMaxPacketSize; done; for i in 0 1; do basename $(readlink ?-?*:1.$i/driver); done"),
    );
    let expected = ["Interrupt", "0010", "Bulk", "0040", "Bulk", "0040", "cdc_acm", "cdc_acm"];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "endpoints' kinds and packets, drivers");
}

/// Calls [`deliver_as`] with `/share/TRANSPORT`.
fn deliver(guest: &mut Booted, transport: &str, frames: u64) {
    deliver_as(guest, transport, transport, frames);
}

/// Runs the daemon until it has delivered `frames` blocks to `/share/NAME`, then ends it.
fn deliver_as(guest: &mut Booted, transport: &str, name: &str, frames: u64) {
    let config = format!(
        "keyring = \"/root/keyring\"\ncontrol = \"/run/control.sock\"\n[keys]\ntransport = \"{transport}\"\n\
         [kernel]\nenabled = false\n[egd]\nlisten = []\n[file]\npath = \"/share/{name}\"\nmax-bytes = {}\n",
        frames * 32
    );
    fs::write(guest.shared("config"), config).expect("the shared folder can be written");
    guest.check(
        &format!("cp /share/config /root/ekeyd.toml; ekeyd run --config /root/ekeyd.toml >/share/{name}.log 2>&1 & echo $! >/root/ekeyd.pid"),
    );
    let whole = format!("[ \"$(stat -c %s /share/{name})\" = {} ] || {{ cat /share/{name}.log; false; }}", frames * 32);
    guest.await_sh(&whole);
    guest.check("kill $(cat /root/ekeyd.pid)");
    guest.await_sh("! [ -e /proc/$(cat /root/ekeyd.pid)/exe ]");
    guest.await_sh("[ -c /dev/ttyACM0 ]");
}

/// Checks that the output is one piece of the log. It begins with the log's first block, except for a tty in a guest
/// too slow to set raw mode before the echo: then with a later session's.
fn check_blocks(guest: &Booted, transport: &str, plain_log: &Path) {
    let (output, log) = (blocks::read(&guest.shared(transport)), blocks::read(plain_log));
    let start = log.chunks(blocks::BLOCK).position(|block| output.starts_with(block));
    let start = start.unwrap_or_else(|| panic!("{transport}: the first block is not in the log"));
    println!("{transport}: from block {start} on");
    assert!(transport == "tty" || start == 0, "{transport}: the first {start} blocks are missing");
    if let Err(wrong) = blocks::is_prefix(&output, &log[start * blocks::BLOCK..], FRAMES) {
        panic!("{transport}: from block {start} on: {wrong}");
    }
}
