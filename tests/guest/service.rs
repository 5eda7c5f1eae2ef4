//! The unit, its user and udev's rules, as systemd and udev in a guest apply them.

use ekey_tests::guest::{Booted, Guest, plug_in_software_key};
use ekey_tests::software_key::{KeyPlan, LONG_TERM_KEY, Plug, SECOND_SERIAL, SERIAL};
use ekey_tests::{Scratch, guest};

const CONFIG: &str = "[keys]\npaths = [\"/run/sim/key\"]\n";

#[test]
fn the_unit_credits_the_kernel_as_its_own_user() {
    // Does what `systemctl enable` does.
    let wanted = "/etc/systemd/system/systemd-udev-trigger.service.wants/ekeyd.service";
    let shorter = ("/etc/systemd/system/ekeyd.service.d/shorter.conf", "[Unit]\nJobRunningTimeoutSec=3s\n");
    let guest = Guest::systemd().link(wanted, "/usr/lib/systemd/system/ekeyd.service");
    let mut guest = installed(guest.text(shorter.0, shorter.1, 0o644));

    // Without a key its sockets serve, the unit is not ready, and the boot waits no longer than the unit says.
    guest.await_sh("ekey-ctl list");
    assert_eq!(state(&mut guest), "activating", "before the first entropy");
    guest.check("systemctl list-jobs | grep 'No jobs'");
    // The shorter timeout is for this one job.
    guest.check(&format!("rm {} && systemctl daemon-reload", shorter.0));
    guest.check("systemctl show -P StatusText ekeyd | grep waiting");

    plug_in_software_key(&mut guest, "");
    guest.await_sh("[ \"$(systemctl is-active ekeyd)\" = active ]");
    assert_eq!(guest.check("ps -o user= -p $(systemctl show -P MainPID ekeyd)").trim(), "ekeyd");
    guest.await_sh("ekey-ctl status --json | grep '\"credited_bits\":[1-9]'");
    guest.check("ekey-ctl status --json | grep '\"privileged\":true'");

    // The keyring was root's, and programs of the original find the control socket at its old path.
    assert_eq!(guest.check("stat -c '%U %a' /etc/entropykey/keyring").trim(), "ekeyd 600");
    guest.check("ekey-ctl list --socket /run/ekeyd.sock");

    // Root may still change the keyring; it stays the daemon's, which reads it at once.
    guest.check(&format!("ekey-ctl keyring add {SECOND_SERIAL} --file /root/ltk"));
    assert_eq!(guest.check("stat -c '%U %a' /etc/entropykey/keyring").trim(), "ekeyd 600");
    guest.check("ekey-ctl status --json | grep '\"keyring\":{[^}]*\"keys\":2,\"problem\":null'");

    let doctor = guest.sh("ekey-ctl doctor");
    for line in [
        "CAP_SYS_ADMIN held (ekeyd)",
        "calls filtered, landlock",
        "CAP_SYS_ADMIN in 1 of ",
        "by the service manager, 30 s",
        "1 of 1 key running",
    ] {
        assert!(doctor.text.contains(line), "the doctor does not say `{line}`:\n{}", doctor.text);
    }
    assert_eq!((doctor.code, doctor.text.contains("TODO")), (0, false), "{}", doctor.text);

    guest.check("systemctl reload ekeyd && [ \"$(systemctl is-active ekeyd)\" = active ]");
    let log = guest.check("journalctl -u ekeyd -b --no-pager");
    assert!(log.contains("the keyring was read again"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    // The journal has each line's fields.
    let of_key = guest.check(&format!("journalctl -b --no-pager -o cat SYSLOG_IDENTIFIER=ekeyd SERIAL={SERIAL}"));
    assert!(of_key.contains("running key="), "{of_key}");
    guest.power_off();
}

#[test]
fn plugging_in_starts_the_service_on_both_transports() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").identity(SECOND_SERIAL, LONG_TERM_KEY).plug(Plug::UsbRedir).rate(126);
    let key = plan.plug_in(&scratch);
    let guest = Guest::systemd().module("cdc-acm");
    let mut guest = installed(guest);
    guest.check(&format!("echo '{}' >>/etc/entropykey/keyring", plan.keyring_line().trim()));
    guest.check("echo '[keys]' >/etc/entropykey/ekeyd.toml");
    assert_eq!(state(&mut guest), "inactive", "before anything is plugged in");
    guest.plug("key", &key.path);
    guest.await_sh("[ \"$(systemctl is-active ekeyd)\" = active ]");

    let link = format!("/dev/entropykey/{}", SECOND_SERIAL.replace('/', "_"));
    assert_eq!(guest.check(&format!("readlink -f '{link}'")).trim(), "/dev/ttyACM0");
    let nodes = guest.check("stat -c '%G %a' /dev/ttyACM0 $(find /dev/bus/usb -group ekeyd)");
    assert_eq!(nodes, "ekeyd 660\nekeyd 660\n", "the tty and the usbfs node");
    let doctor = guest.sh("ekey-ctl doctor");
    assert_eq!((doctor.code, doctor.text.contains("TODO")), (0, false), "{}", doctor.text);
    println!("{}", doctor.text);

    // A reset of the device replaces the usbfs node, and the unit must allow that. An emulated machine may need longer
    // than the twelve seconds that the tool waits for an answer.
    guest.await_sh(&format!("ekey-ctl reset '{SECOND_SERIAL}' --level usb"));
    guest.check("echo 'transport = \"usb\"' >>/etc/entropykey/ekeyd.toml && systemctl restart ekeyd");
    guest.await_sh("ekey-ctl status --json | grep '\"transport\":\"usb\".*\"name\":\"running\"'");
    let doctor = guest.sh("ekey-ctl doctor");
    assert_eq!((doctor.code, doctor.text.contains("TODO")), (0, false), "{}", doctor.text);

    // Unplugging the only key does not end the daemon.
    guest.unplug("key");
    guest.await_sh("[ ! -e /dev/ttyACM0 ] && ekey-ctl list");
    assert_eq!(state(&mut guest), "active", "after the key was pulled out");
    guest.power_off();
}

#[test]
fn systemd_restarts_after_a_kill_not_after_a_mistake() {
    let mut guest = installed(Guest::systemd());
    guest.check("cp /etc/entropykey/ekeyd.toml /root/right && echo wrong >/etc/entropykey/ekeyd.toml");
    assert_ne!(guest.sh("systemctl start ekeyd").code, 0, "it cannot start");
    let seen = guest.check("systemctl show -P NRestarts -P ExecMainStatus -P ActiveState ekeyd | xargs");
    assert_eq!(seen.trim(), "0 78 failed", "restarts, exit code, state");

    guest.check("cp /root/right /etc/entropykey/ekeyd.toml");
    plug_in_software_key(&mut guest, "");
    guest.check("systemctl start ekeyd && systemctl kill -s KILL ekeyd");
    guest.await_sh("[ \"$(systemctl show -P NRestarts ekeyd)\" = 1 ] && systemctl is-active ekeyd");
    guest.power_off();
}

#[test]
fn udev_rules_name_the_key_and_keep_others_away() {
    let mut guest = installed(with_key_in_sysfs(Guest::systemd(), "M/1A+2B3C4D5E6F7"));
    let device = "/sys/devices/pci0000:00/usb1/1-1";
    let key = rules_for(&mut guest, device);
    for expected in [
        "GROUP ekeyd",
        "MODE 0660",
        "ID_MM_DEVICE_IGNORE=1",
        "MTP_NO_PROBE=1",
        "TAGS=:systemd:",
        "SYSTEMD_WANTS=ekeyd.service",
        "ATTR '/sys/devices/pci0000:00/usb1/1-1/power/control' writing 'on'",
    ] {
        assert!(key.contains(expected), "the device does not get `{expected}`:\n{key}");
    }
    assert!(!key.contains("ekeyd-hotplug"), "that is for systems without systemd:\n{key}");

    let tty = rules_for(&mut guest, &format!("{device}/1-1:1.0/tty/ttyACM0"));
    for expected in ["GROUP ekeyd", "MODE 0660", "ID_MM_DEVICE_IGNORE=1", "SYSTEMD_WANTS=ekeyd.service"] {
        assert!(tty.contains(expected), "the tty does not get `{expected}`:\n{tty}");
    }
    // The original's rules and its ekey-rekey replace the slash; the plus stays.
    let links = tty.lines().find(|line| line.starts_with("DEVLINKS=")).unwrap_or_default();
    assert!(links.contains("/dev/entropykey/M_1A+2B3C4D5E6F7"), "{links:?}\n{tty}");
    guest.power_off();
}

fn installed(plan: Guest) -> Booted {
    guest::installed(plan, CONFIG)
}

fn state(guest: &mut Booted) -> String {
    guest.sh("systemctl is-active ekeyd").text.trim().to_owned()
}

/// Returns what udev would do with a device of a sysfs made of files.
fn rules_for(guest: &mut Booted, device: &str) -> String {
    let test = format!("SYSTEMD_DEVICE_VERIFY_SYSFS=0 SYSTEMD_LOG_LEVEL=debug udevadm test --action=add {device}");
    let said = guest.check(&format!("unshare -m sh -c 'mount --bind /files/sys /sys; {test}' 2>&1"));
    let group = guest.check("grep ^ekeyd: /etc/group");
    let number = group.split(':').nth(2).expect("a group has a number");
    // It prints the group as a number.
    said.replace(&format!("GROUP {number}"), "GROUP ekeyd")
}

/// Adds a sysfs below `/files` in which a key is plugged in.
fn with_key_in_sysfs(guest: Guest, serial: &str) -> Guest {
    let device = "/files/sys/devices/pci0000:00/usb1/1-1";
    let interface = format!("{device}/1-1:1.0");
    let tty = format!("{interface}/tty/ttyACM0");
    let guest = [
        ("idVendor", "20df"),
        ("idProduct", "0001"),
        ("serial", serial),
        ("manufacturer", "Simtec Electronics"),
        ("product", "Entropy Key"),
        ("power/control", "auto"),
        ("uevent", "MAJOR=189\nMINOR=3\nDEVNAME=bus/usb/001/004\nDEVTYPE=usb_device\nDRIVER=usb\nPRODUCT=20df/1/100"),
    ]
    .into_iter()
    .fold(guest, |guest, (name, text)| guest.text(&format!("{device}/{name}"), &format!("{text}\n"), 0o644));
    guest
        .link(&format!("{device}/subsystem"), "../../../../bus/usb")
        .text(&format!("{interface}/uevent"), "DEVTYPE=usb_interface\nDRIVER=cdc_acm\n", 0o644)
        .text(&format!("{interface}/bInterfaceClass"), "02\n", 0o644)
        .link(&format!("{interface}/subsystem"), "../../../../../bus/usb")
        .text(&format!("{tty}/uevent"), "MAJOR=166\nMINOR=0\nDEVNAME=ttyACM0\n", 0o644)
        .link(&format!("{tty}/subsystem"), "../../../../../../../class/tty")
        .link(&format!("{tty}/device"), "../../../1-1:1.0")
        .text("/files/sys/bus/usb/drivers/none", "", 0o644)
        .text("/files/sys/class/tty/none", "", 0o644)
}
