//! The Debian package in a guest: installed, in place of the original's, upgraded while it serves, and purged without
//! trace.
//!
//! `packaging/test` builds the package, fetches its installer for the guest, and runs these tests; `tests/run` does
//! not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ekey_tests::guest::package::{made_in, package, with_dpkg};
use ekey_tests::guest::usb_key;
use ekey_tests::guest::{Booted, Guest};
use ekey_tests::software_key::{LONG_TERM_KEY, SERIAL};
use ekey_tests::{Scratch, binaries};

/// Succeeds once the service is ready, and prints its state until then.
const ACTIVE: &str = "[ \"$(systemctl is-active ekeyd)\" = active ] || { systemctl status ekeyd; journalctl -b -n 40 --no-pager; ls -lL /dev/ttyACM0; false; }";
/// A client that asks for 16 bytes in a loop, reconnects when it is disconnected, and logs both.
const CLIENT: &str = r#"#!/bin/bash
while :; do
  if exec 3<>/dev/tcp/127.0.0.1/8888; then
    while printf '\x02\x10' >&3 && got=$(head -c 16 <&3 | wc -c) && [ "$got" = 16 ]; do
      echo "$(date +%s%N) served"
      sleep 0.05
    done
  fi 2>/dev/null
  echo "$(date +%s%N) cut off"
  sleep 0.1
done
"#;

#[test]
#[ignore = "needs a package: run packaging/test"]
fn installs_serves_upgrades_and_purges_without_trace() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let newer = newer(&scratch);
    let guest = with_dpkg(Guest::systemd().module("cdc-acm"))
        .file("/root/entropykey.deb", &package())
        .file("/root/newer.deb", &newer)
        .text("/root/client", CLIENT, 0o755)
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600);
    let mut guest = guest.boot();
    let before = files(&mut guest);

    guest.check("dpkg -i /root/entropykey.deb");
    assert_eq!(state(&mut guest), "inactive", "without a key nothing is started");
    guest.check(&format!("ekey-ctl keyring add {SERIAL} --file /root/ltk"));
    guest.check("sed -i 's|^listen = .*|listen = [\"unix:/run/ekeyd/egd.sock\", \"tcp:127.0.0.1:8888\"]|' /etc/entropykey/ekeyd.toml");
    guest.plug("key", &key.path);
    guest.await_sh(ACTIVE);
    guest.check("ekey-ctl wait --bytes 4096 --timeout 600");
    assert_eq!(guest.check("stat -c '%U %a' /etc/entropykey/keyring").trim(), "ekeyd 600");

    // An upgrade while a client is served disconnects it once, and it continues.
    guest.check("/root/client >/share/client.log 2>&1 & until grep -q served /share/client.log; do sleep 1; done");
    let pid = "systemctl show -P MainPID ekeyd";
    let old = guest.check(pid);
    guest.check("dpkg -i /root/newer.deb");
    guest.await_sh(&format!("[ \"$({pid})\" != {} ] && ekey-ctl wait --bytes 32 --timeout 1", old.trim()));
    let cut_off = fs::read_to_string(guest.shared("client.log")).expect("the client's log").lines().count();
    guest.await_sh(&format!("tail -n +{} /share/client.log | grep served", cut_off + 1));
    let log = fs::read_to_string(guest.shared("client.log")).expect("the client's log");
    println!("a client across the upgrade: {} s without an answer", longest_gap(&log));
    guest.check("grep -q 'cut off' /share/client.log && dpkg -s entropykey | grep 'Version: 9.9-1'");
    guest.check(&format!("grep -q '^{SERIAL} ' /etc/entropykey/keyring"));
    guest.check("pkill -f /root/client; ekey-ctl doctor >/share/doctor 2>&1 || cat /share/doctor");

    guest.check("dpkg --purge entropykey");
    assert_eq!(guest.check("stat -c '%U %a' /etc/entropykey/keyring").trim(), "root 600");
    guest.check("rm /etc/entropykey/keyring && rmdir /etc/entropykey && ! getent passwd ekeyd && ! getent group ekeyd");
    guest.await_sh("[ ! -e /dev/entropykey ]");
    let left: Vec<String> = files(&mut guest).into_iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(left, Vec::<String>::new(), "files that purging left");
    guest.power_off();
}

#[test]
#[ignore = "needs a package: run packaging/test"]
fn it_replaces_the_original_and_keeps_its_keys() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let original = original();
    let guest = with_dpkg(Guest::systemd().module("cdc-acm"))
        .file("/root/entropykey.deb", &package())
        .file("/root/ekeyd.deb", &original);
    let mut guest = guest.boot();
    guest.check("dpkg -i /root/ekeyd.deb");
    guest.check(&format!("echo '{SERIAL} {LONG_TERM_KEY}' >>/etc/entropykey/keyring"));
    let configuration = "UnixControlSocket \"/var/run/ekeyd.sock\"\nKeyring \"/etc/entropykey/keyring\"\n\
        EGDTCPSocket(8888, \"127.0.0.1\")\nAddEntropyKeys \"/dev/entropykey\"\n";
    guest.check(&format!("printf '%s' '{configuration}' >/etc/entropykey/ekeyd.conf"));
    guest.plug("key", &key.path);
    guest.await_sh("[ -e /dev/ttyACM0 ]");
    guest.sh("systemctl restart ekeyd");

    let said = guest.check("dpkg -i /root/entropykey.deb");
    assert!(said.contains("will remove ekeyd in favour of entropykey") || said.contains("Removing ekeyd"), "{said}");
    assert!(said.contains("were taken over into /etc/entropykey/ekeyd.toml"), "{said}");
    guest.await_sh(ACTIVE);
    guest.check("ekey-ctl wait --bytes 4096 --timeout 600");
    let program = guest.check("readlink /proc/$(systemctl show -P MainPID ekeyd)/exe; ekeyd --version");
    assert!(program.starts_with("/usr/sbin/ekeyd\n"), "{program}");
    guest.check("ekey-ctl list --socket /var/run/ekeyd.sock");
    guest.check(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8888; printf \"\\x02\\x10\" >&3; [ $(head -c 16 <&3 | wc -c) = 16 ]'",
    );

    // The keyring belongs to the original's package, whose purge would delete it.
    guest.check("dpkg --purge ekeyd");
    guest.check(&format!("grep -q '^{SERIAL} ' /etc/entropykey/keyring"));
    guest.check("systemctl restart ekeyd && ekey-ctl wait --bytes 4096 --timeout 600");
    guest.power_off();
}

/// Returns the original's package from Debian.
fn original() -> PathBuf {
    made_in(&binaries::target_folder().join("peers/deb"), "ekeyd_1.1.5-6.2_amd64.deb", "tests/run")
}

/// Builds the same package with a version higher than any.
fn newer(scratch: &Scratch) -> PathBuf {
    let (tree, file) = (scratch.path("newer"), scratch.path("newer.deb"));
    let change = "dpkg-deb -R \"$1\" \"$2\" && sed -i 's/^Version: .*/Version: 9.9-1/' \"$2/DEBIAN/control\" && dpkg-deb -b \"$2\" \"$3\"";
    let done =
        Command::new("sh").args(["-c", change, "sh"]).args([&package(), &tree, &file]).output().expect("sh runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    file
}

/// Lists every file that a package, its daemon or its scripts could have left.
fn files(guest: &mut Booted) -> Vec<String> {
    let places = "/etc /usr /var /run /dev";
    let not = "-path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /run/udev -o -path /run/systemd -o -path /run/user";
    let all =
        guest.check(&format!("find {places} \\( {not} \\) -prune -o -print | grep -i -E 'ekey|entropykey'; true"));
    all.lines().map(str::to_owned).collect()
}

fn state(guest: &mut Booted) -> String {
    guest.sh("systemctl is-active ekeyd").text.trim().to_owned()
}

/// Returns the longest time between two answers, in seconds.
fn longest_gap(log: &str) -> f64 {
    let served = log.lines().filter_map(|line| line.strip_suffix(" served")?.parse::<u64>().ok()).collect::<Vec<_>>();
    served.windows(2).map(|two| (two[1] - two[0]) as f64 / 1e9).fold(0.0, f64::max)
}
