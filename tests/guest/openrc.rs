//! The OpenRC service of the static archive under Debian's OpenRC, without systemd: start, status, reload, kill, stop,
//! and start by udev when a key is plugged in.
//!
//! `packaging/test` builds the archive, fetches OpenRC, and runs these tests; `tests/run` does not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ekey_tests::guest::package::made_in;
use ekey_tests::guest::usb_key;
use ekey_tests::guest::{Booted, Guest, system_folder};
use ekey_tests::software_key::{LONG_TERM_KEY, SERIAL};
use ekey_tests::{Scratch, binaries};

/// More crashes than supervise-daemon forgives by default.
const CRASHES: usize = 12;

#[test]
#[ignore = "needs the static archive: run packaging/test"]
fn openrc_starts_reloads_and_restarts_the_service() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let mut guest = booted(&scratch, "respawn_delay=0\n");

    // The runlevel starts it at boot.
    guest.check("rc-update add ekeyd default && openrc sysinit && openrc boot && openrc default");
    guest.await_sh("ekey-ctl list");
    assert_eq!(status(&mut guest), (0, "started".to_owned()));
    // Today's supervise-daemon does not store a service's output; it goes to syslog.
    guest.await_sh("grep 'daemon.info ekeyd.*: ekeyd starts' /share/messages");
    reload(&mut guest);
    let before = pid(&mut guest);
    guest.check("rc-service ekeyd restart");
    guest.await_sh("ekey-ctl list");
    assert_ne!(pid(&mut guest), before, "the daemon after the restart");

    // OpenRC restarts it after each kill.
    for crash in 0..CRASHES {
        let before = pid(&mut guest);
        guest.check(&format!("kill -KILL {before}"));
        guest.await_sh(&format!("now=$(pidof ekeyd) && [ \"$now\" != {before} ] && ekey-ctl list"));
        assert_eq!(status(&mut guest), (0, "started".to_owned()), "after it was killed {} times", crash + 1);
    }
    stop(&mut guest);

    // It does not start with mistakes in its configuration, and names them.
    guest.check("cp /etc/entropykey/ekeyd.toml /root/right && echo wrong >>/etc/entropykey/ekeyd.toml");
    let said = guest.sh("rc-service ekeyd start");
    assert!(said.code != 0 && said.text.contains("ekeyd check /etc/entropykey/ekeyd.toml"), "{said:?}");
    guest.check("cp /root/right /etc/entropykey/ekeyd.toml");

    // Plugging in a key starts the service, through udev's rules and the hotplug script.
    guest.plug("key", &key.path);
    guest.await_sh("ekey-ctl wait --bytes 4096 --timeout 5");
    assert_eq!(status(&mut guest), (0, "started".to_owned()), "after a key was plugged in");
    assert_eq!(guest.check("stat -c %U /proc/$(pidof ekeyd)").trim(), "ekeyd");
    let usb = "/sys/bus/usb/devices/1-1";
    let seen = guest.check(&format!("readlink -f /dev/entropykey/*; stat -c '%G %A' /dev/ttyACM0 {usb}/authorized"));
    assert_eq!(seen, "/dev/ttyACM0\nekeyd crw-rw----\nekeyd -rw-rw-r--\n", "the key's nodes");
    let doctor = guest.sh("ekey-ctl doctor");
    assert_eq!((doctor.code, doctor.text.contains("TODO")), (0, false), "{}", doctor.text);
    stop(&mut guest);
    guest.power_off();
}

#[test]
#[ignore = "needs the static archive: run packaging/test"]
fn the_service_works_without_the_supervisor() {
    let scratch = Scratch::make();
    let mut guest = booted(&scratch, "ekeyd_supervisor=\nekeyd_config=/etc/entropykey/other.toml\n");
    guest.check("mv /etc/entropykey/ekeyd.toml /etc/entropykey/other.toml; openrc sysinit");
    guest.check("rc-service ekeyd start");
    guest.await_sh("ekey-ctl list");
    assert_eq!(status(&mut guest), (0, "started".to_owned()));
    guest.await_sh("grep 'daemon.info ekeyd.*: ekeyd starts.*other.toml' /share/messages");
    reload(&mut guest);
    guest.check("rc-service ekeyd restart");
    guest.await_sh("ekey-ctl list");
    stop(&mut guest);
    guest.power_off();
}

/// Makes a guest with busybox as the first process, udev, OpenRC and the archive's files, with these lines in
/// `/etc/conf.d/ekeyd`.
fn booted(scratch: &Scratch, settings: &str) -> Booted {
    let archive = unpacked(scratch);
    let fetched = |path: &str| {
        let path = binaries::target_folder().join("guest").join(path);
        assert!(path.exists(), "{} is missing: run packaging/test", path.display());
        path
    };
    let guest = Guest::new()
        .module("cdc-acm")
        .memory(1536)
        .file("/usr", &system_folder("usr"))
        .file("/usr", &fetched("openrc/usr"))
        .file("/etc", &fetched("openrc/etc"))
        // Debian's OpenRC uses a program of dpkg.
        .file("/usr/sbin/start-stop-daemon", &fetched("dpkg/usr/sbin/start-stop-daemon"))
        .text("/etc/fstab", "", 0o644)
        .text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nekeyd:x:990:990::/nonexistent:/bin/false\n", 0o644)
        .text("/etc/group", "root:x:0:\ntty:x:5:\ndialout:x:20:\nekeyd:x:990:\n", 0o644)
        .text("/etc/entropykey/keyring", &format!("{SERIAL} {LONG_TERM_KEY}\n"), 0o600)
        .text("/etc/conf.d/ekeyd", settings, 0o644);
    let mut guest = [
        ("ekeyd", "/usr/sbin/ekeyd"),
        ("ekey-ctl", "/usr/bin/ekey-ctl"),
        ("ekeyd.toml", "/etc/entropykey/ekeyd.toml"),
        ("openrc/ekeyd", "/etc/init.d/ekeyd"),
        ("udev/60-ekey.rules", "/usr/lib/udev/rules.d/60-ekey.rules"),
        ("udev/ekeyd-hotplug", "/usr/lib/udev/ekeyd-hotplug"),
    ]
    .into_iter()
    .fold(guest, |guest, (from, to)| guest.file(to, &archive.join(from)))
    .boot();
    guest.check("syslogd -O /share/messages; /usr/lib/systemd/systemd-udevd --daemon && udevadm control --ping");
    guest
}

/// Unpacks the archive of static programs.
fn unpacked(scratch: &Scratch) -> PathBuf {
    let archive = made_in(&binaries::target_folder().join("packages"), "-linux-x86_64.tar.gz", "packaging/test");
    let folder = scratch.path("archive");
    fs::create_dir(&folder).expect("a folder in the scratch folder");
    let tar =
        Command::new("tar").args(["-xz", "--strip-components=1", "-f"]).arg(&archive).arg("-C").arg(&folder).status();
    assert!(tar.expect("tar runs").success(), "{} cannot be unpacked", archive.display());
    folder
}

/// Checks that one reload reads both the configuration and the keyring in the same process.
fn reload(guest: &mut Booted) {
    let before = pid(guest);
    for (from, to, seen) in [("", "\"/run/nowhere\"", ""), ("\"/run/nowhere\"", "", "! ")] {
        guest.check(&format!("sed -i 's|^paths = \\[{from}\\]|paths = [{to}]|' /etc/entropykey/*.toml"));
        guest.check("rc-service ekeyd reload");
        guest.await_sh(&format!("{seen}ekey-ctl list | grep /run/nowhere"));
    }
    guest.check("grep 'the keyring was read again' /share/messages");
    assert_eq!(pid(guest), before, "the daemon after a reload");
}

fn stop(guest: &mut Booted) {
    guest.check("rc-service ekeyd stop");
    assert_eq!(status(guest), (3, "stopped".to_owned()));
    assert_eq!(guest.sh("pidof ekeyd").code, 1, "a daemon is left");
    assert_eq!(guest.sh("ekey-ctl list").code, 3, "a daemon still answers");
}

fn pid(guest: &mut Booted) -> String {
    guest.check("pidof ekeyd").trim().to_owned()
}

/// Returns the exit code and output of `rc-service ekeyd status`.
fn status(guest: &mut Booted) -> (i32, String) {
    let said = guest.sh("rc-service --nocolor ekeyd status");
    (said.code, said.text.split("status: ").nth(1).unwrap_or(&said.text).trim().to_owned())
}
