//! The package for OpenWrt on a small system of the same kind: busybox, no /run, and scripts in place of rc.common,
//! procd and opkg's helpers that do what the documentation says. It cannot show what OpenWrt's own scripts do beyond
//! that.
//!
//! `packaging/test` builds the package and runs this test; `tests/run` does not.

use std::path::Path;
use std::process::Command;

use ekey_tests::document::steps_at;
use ekey_tests::guest::Guest;
use ekey_tests::guest::package::made_in;
use ekey_tests::guest::usb_key;
use ekey_tests::software_key::{LONG_TERM_KEY, SERIAL};
use ekey_tests::{Scratch, binaries};

/// Stands for `/etc/rc.common` and procd: the first argument is the init script, the second the action. `start` runs
/// the command unless it runs; if it runs and a `file` has changed, `start` sends `reload_signal`.
const RC_COMMON: &str = r#"#!/bin/sh
initscript=$1 action=$2 kept=/tmp/procd
procd_open_instance() { command='' file='' signal=''; }
procd_set_param() {
  local kind=$1
  shift
  echo "$kind: $*" >>$kept.parameters
  case $kind in
  command) command=$* ;;
  file) file=$* ;;
  reload_signal) signal=$(kill -l "$1") ;;
  limits) for limit; do case $limit in nofile=*) ulimit -n "${limit##* }" ;; esac; done ;;
  respawn | stdout | stderr) ;;
  *) echo "procd does not know $kind"; exit 1 ;;
  esac
}
procd_close_instance() {
  now=$(cat $file 2>/dev/null | md5sum)
  if running; then
    [ "$now" = "$(cat $kept.sum)" ] || kill -"$signal" "$(cat $kept.pid)"
  else
    $command >/dev/null 2>>/share/logread &
    echo $! >$kept.pid
  fi
  echo "$now" >$kept.sum
}
running() { [ -e "/proc/$(cat $kept.pid 2>/dev/null || echo none)/exe" ]; }
start() { : >$kept.parameters; start_service; }
reload() { start; }
stop() { ! running || kill "$(cat $kept.pid)"; }
name=${initscript##*/}
. "$initscript"
enable() { ln -sf "../init.d/$name" "/etc/rc.d/S$START$name"; ln -sf "../init.d/$name" "/etc/rc.d/K$STOP$name"; }
disable() { rm -f /etc/rc.d/[SK]??"$name"; }
$action
"#;
/// Stands for the parts of `/lib/functions.sh` that a package's scripts call: enable and start, stop and disable its
/// services.
const FUNCTIONS: &str = "default_postinst() { /etc/init.d/ekeyd enable; /etc/init.d/ekeyd start; }\n\
                         default_prerm() { /etc/init.d/ekeyd disable; /etc/init.d/ekeyd stop; }\n";
/// Works like `/sbin/hotplug-call`: a shell of its own reads each script.
const HOTPLUG: &str = "for script in /etc/hotplug.d/usb/*; do (. $script); done";

#[test]
#[ignore = "needs a package: run packaging/test"]
fn the_openwrt_package_runs_its_service() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let package = made_in(&binaries::target_folder().join("packages"), "_x86_64.ipk", "packaging/test");
    unpack(&package, &scratch.path("package"));
    for part in ["control", "data"] {
        unpack(&scratch.path(&format!("package/{part}.tar.gz")), &scratch.path(part));
    }
    let guest = Guest::new().module("cdc-acm").text("/etc/rc.common", RC_COMMON, 0o755).text(
        "/lib/functions.sh",
        FUNCTIONS,
        0o644,
    );
    let guest = ["etc", "usr"]
        .into_iter()
        .fold(guest, |guest, folder| guest.file(&format!("/{folder}"), &scratch.path("data").join(folder)));
    let mut guest = ["postinst", "prerm"]
        .into_iter()
        .fold(guest, |guest, name| guest.file(&format!("/root/{name}"), &scratch.path("control").join(name)))
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600)
        .boot();
    guest.check("umount /run && rmdir /run && rm -rf /var && ln -s tmp /var && mkdir -p /var/run /etc/rc.d");

    guest.check("/root/postinst");
    guest.await_sh("ekey-ctl list");
    assert_eq!(guest.check("ls /etc/rc.d"), "K90ekeyd\nS13ekeyd\n");
    guest.check("grep 'respawn: 3600 3 0' /tmp/procd.parameters");
    assert_eq!(guest.check("stat -c '%U %a' /etc/entropykey/keyring").trim(), "root 600");
    guest.check("! grep -E 'WARN|ERROR' /share/logread");

    // `reload` reads a long-term key that another tool put into the keyring; without changes it reads nothing.
    let pid = guest.check("pidof ekeyd");
    guest.check("/etc/init.d/ekeyd reload && sleep 1 && ! grep 'was read again' /share/logread");
    guest.check(&format!("umask 077; echo '{SERIAL} {LONG_TERM_KEY}' >>/etc/entropykey/keyring"));
    guest.check("/etc/init.d/ekeyd reload");
    guest.await_sh("grep 'the keyring was read again keys=1' /share/logread");
    // The guide says the same with the tool.
    let steps = steps_at("docs/guide.md", "openwrt");
    let plugged_in = steps.iter().position(|step| step.command.contains(" wait ")).expect("the wait for entropy");
    guest.follow(&steps[..plugged_in]);
    assert_eq!(guest.check("pidof ekeyd"), pid, "the daemon after a reload");

    // Plugging in a key finds a running daemon or starts one.
    guest.plug("key", &key.path);
    let said = guest.follow(&steps[plugged_in..]);
    assert!(said.contains("All is well: 1 key running."), "{said}");
    let event = "export ACTION=add PRODUCT=20df/1/100 DEVPATH=$(readlink -f /sys/bus/usb/devices/1-1 | sed s,/sys,,)";
    guest.check(&format!("{event}; {HOTPLUG}"));
    assert_eq!(guest.check("pidof ekeyd"), pid, "the daemon after the event");
    guest.check("/etc/init.d/ekeyd stop");
    guest.await_sh("! pidof ekeyd");
    guest.check(&format!("{event}; {HOTPLUG}"));
    guest.await_sh("ekey-ctl wait --bytes 4096 --timeout 5");
    assert_eq!(guest.check("cat /sys/bus/usb/devices/1-1/power/control").trim(), "on");

    guest.check("/root/prerm");
    guest.await_sh("! pidof ekeyd");
    assert_eq!(guest.check("ls /etc/rc.d"), "");
    guest.power_off();
}

/// Unpacks a gzipped tar into a new folder.
fn unpack(archive: &Path, folder: &Path) {
    std::fs::create_dir(folder).expect("a folder in the scratch folder");
    let status = Command::new("tar").args(["-xz", "-f"]).arg(archive).arg("-C").arg(folder).status();
    assert!(status.expect("tar runs").success(), "{} cannot be unpacked", archive.display());
}
