//! The RPM in a guest with systemd: rpm installs it with its scriptlets, it serves, is upgraded while it runs, and is
//! removed; the keyring stays.
//!
//! `packaging/test` builds the package, fetches rpm, and runs this test; `tests/run` does not. The guest's programs are
//! Debian's, which rpm's database does not list: hence `--nodeps`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ekey_tests::guest::Guest;
use ekey_tests::guest::package::{made_in, with_fetched};
use ekey_tests::guest::usb_key;
use ekey_tests::software_key::{LONG_TERM_KEY, SERIAL};
use ekey_tests::{Scratch, binaries, tree};

/// Succeeds once the service is ready, and prints its state until then.
const ACTIVE: &str = "[ \"$(systemctl is-active ekeyd)\" = active ] || { systemctl status ekeyd; false; }";
/// Debian's rpm installs only with this flag.
const RPM: &str = "rpm --force-debian --nodeps";
const PID: &str = "systemctl show -P MainPID ekeyd";

#[test]
#[ignore = "needs a package: run packaging/test"]
fn the_rpm_installs_upgrades_and_leaves_the_keyring() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let guest = with_fetched(Guest::systemd().module("cdc-acm"), "rpm")
        .file("/root/entropykey.rpm", &package())
        .file("/root/newer.rpm", &newer(&scratch))
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600);
    let mut guest = guest.boot();
    guest.check("rpm --initdb && rpm -K --nosignature /root/entropykey.rpm");

    let said = guest.check(&format!("{RPM} -i /root/entropykey.rpm 2>&1"));
    assert!(!said.contains("warning") && !said.contains("failed"), "{said}");
    guest.check("rpm -V --nodeps entropykey && grep ^ekeyd: /etc/passwd");
    assert_eq!(guest.sh("systemctl is-active ekeyd").text.trim(), "inactive", "without a key nothing is started");
    guest.check("ekeyd check /etc/entropykey/ekeyd.toml");
    guest.check(&format!("ekey-ctl keyring add {SERIAL} --file /root/ltk"));
    guest.plug("key", &key.path);
    guest.await_sh(ACTIVE);
    guest.check("ekey-ctl wait --bytes 4096 --timeout 600");
    let doctor = guest.sh("ekey-ctl doctor");
    assert_eq!((doctor.code, doctor.text.contains("TODO")), (0, false), "{}", doctor.text);

    // After an upgrade while it runs another daemon serves, with the same settings and keys.
    guest.check("echo '# mine' >>/etc/entropykey/ekeyd.toml");
    let old = guest.check(PID);
    guest.check(&format!("{RPM} -U /root/newer.rpm 2>&1"));
    guest.await_sh(&format!("[ \"$({PID})\" != {} ] && ekey-ctl wait --bytes 32 --timeout 5", old.trim()));
    let kept = format!(
        "rpm -q entropykey && grep '^# mine' /etc/entropykey/ekeyd.toml && grep '^{SERIAL} ' /etc/entropykey/keyring"
    );
    assert!(guest.check(&kept).starts_with("entropykey-9.9-1."), "the newer one");
    guest.check("systemctl enable ekeyd");

    let said = guest.check(&format!("{RPM} -e entropykey 2>&1"));
    assert!(!said.contains("warning") && !said.contains("failed"), "{said}");
    assert_eq!(guest.sh("pidof ekeyd").code, 1, "a daemon is left");
    guest.await_sh("[ ! -e /dev/entropykey ]");
    let places = "find /etc /usr /run -path /run/udev -prune -o -print | grep -E 'ekey|entropykey'";
    let expected = "/etc/entropykey\n/etc/entropykey/ekeyd.toml\n/etc/entropykey/keyring\n";
    assert_eq!(sorted(&guest.check(places)), expected, "what is left");
    guest.check(&format!("grep '^{SERIAL} ' /etc/entropykey/keyring"));
    guest.power_off();
}

fn package() -> PathBuf {
    made_in(&binaries::target_folder().join("packages"), ".x86_64.rpm", "packaging/test")
}

/// Builds the same package with a version higher than any, from the same description.
fn newer(scratch: &Scratch) -> PathBuf {
    let (top, laid_out) = (scratch.path("top"), binaries::target_folder().join("static/x86_64/rpm/tree"));
    let define = |name: &str, value: &Path| ["--define".to_owned(), format!("{name} {}", value.display())];
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild
        .args(["--quiet", "-bb", "--target", "x86_64-linux", "--define", "version_of_it 9.9"])
        .args(["--define", "__os_install_post %{nil}", "--define", "_build_id_links none"])
        .args([define("_topdir", &top), define("_rpmdir", &top), define("tree", &laid_out)].concat())
        .arg(tree::root().join("packaging/rpm/entropykey.spec"));
    let done = rpmbuild.output().unwrap_or_else(|error| panic!("rpmbuild: {error}: install the package rpm"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    made_in(&top.join("x86_64"), ".rpm", "rpmbuild")
}

fn sorted(lines: &str) -> String {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}
