//! The commands of docs/guide.md, typed as they stand there, by root and by another user.
//!
//! `packaging/test` builds the package and runs those of `package` and `original`; `tests/run` does not.

use ekey_tests::Scratch;
use ekey_tests::binaries;
use ekey_tests::document::{blocks_of, steps_at};
use ekey_tests::guest::package::{made_in, package, with_dpkg};
use ekey_tests::guest::{Guest, installed, usb_key};
use ekey_tests::software_key::{KeyPlan, LONG_TERM_KEY, MASTER_KEY, MASTER_KEY_ON_CARD, Plug, SERIAL};

const GUIDE: &str = "docs/guide.md";

#[test]
fn the_guides_commands_work_on_an_installed_daemon() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let settings: String = blocks_of(GUIDE).iter().filter(|block| block.language == "toml").map(|b| &*b.text).collect();
    assert!(settings.contains("[egd]") && settings.contains("[http]"), "{settings}");
    let mut guest = installed(Guest::systemd().module("cdc-acm").link("/usr/bin/wget", "/bin/busybox"), &settings);
    guest.check("systemd-sysusers --inline 'u alice - \"A person\"' 'm alice ekeyd'");
    guest.plug("key", &key.path);
    guest.await_sh("[ \"$(systemctl is-active ekeyd)\" = active ]");
    assert_eq!(guest.check("stat -c '%G %a' /run/ekeyd/egd.sock").trim(), "ekeyd-egd 660");

    let said = guest.follow(&steps_at(GUIDE, "installed"));
    assert!(said.contains("All is well: 1 key running."), "{said}");
    assert!(said.contains("\nekeyd_key_entropy_bytes_total"), "the metrics:\n{said}");
    let report = guest.check("cat /root/report.txt");
    for part in ["ekeyd 0.", "Linux ", "\"keys\":[{", "running key="] {
        assert!(report.contains(part), "the report has no {part:?}:\n{report}");
    }
    assert!(!report.contains(LONG_TERM_KEY), "a long-term key in the report");
    guest.power_off();
}

#[test]
#[ignore = "needs a package: run packaging/test"]
fn the_guide_leads_from_a_package_to_a_running_key() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").plug(Plug::UsbRedir).rate(126).master_key(MASTER_KEY);
    let key = plan.plug_in(&scratch);
    let mut guest = with_package(Guest::systemd().module("cdc-acm"))
        .text("/root/line", &plan.keyring_line(), 0o644)
        .text("/root/card", &format!("{MASTER_KEY_ON_CARD}\n"), 0o644)
        .boot();
    guest.check("useradd --user-group alice && useradd libvirt-qemu && mkdir -p /etc/munin/plugins");
    let steps = steps_at(GUIDE, "package");
    let plugged_in = steps.iter().position(|step| step.command.contains(" line")).expect("the keyring's line");

    let said = guest.follow(&steps[..plugged_in]);
    let next: Vec<&str> = said.lines().filter(|line| line.starts_with("entropykey: ")).collect();
    assert_eq!(next.len(), 3, "what to do next:\n{said}");
    assert!(next[2].contains("/usr/share/doc/entropykey/guide.md"), "{next:?}");
    guest.check("test -s /usr/share/doc/entropykey/guide.md && test -s /usr/share/doc/entropykey/SECURITY.md");
    guest.plug("key", &key.path);
    guest.await_sh("ekey-ctl list | grep /dev/ttyACM0");
    let said = guest.follow(&steps[plugged_in..]);
    assert!(said.contains("All is well: 1 key running."), "{said}");
    guest.check(&format!(
        "grep '^{SERIAL} ' /etc/entropykey/keyring && ! grep -F '{LONG_TERM_KEY}' /etc/entropykey/keyring"
    ));
    guest.check("id -nG libvirt-qemu | grep ekeyd-egd");

    // Installed again, as for an upgrade, it has nothing more to say.
    assert!(!guest.check("dpkg -i /root/entropykey_*.deb").contains("guide.md"), "an upgrade");
    guest.power_off();
}

#[test]
#[ignore = "needs a package: run packaging/test"]
fn the_guide_leads_from_the_original_and_back() {
    let scratch = Scratch::make();
    let key = usb_key(&scratch);
    let original = made_in(&binaries::target_folder().join("peers/deb"), "ekeyd_1.1.5-6.2_amd64.deb", "tests/run");
    let guest = with_package(Guest::systemd().module("cdc-acm"));
    let mut guest = guest.file("/root/ekeyd_1.1.5-6.2_amd64.deb", &original).boot();
    guest.check("dpkg -i /root/ekeyd_1.1.5-6.2_amd64.deb");
    guest.check(&format!("echo '{SERIAL} {LONG_TERM_KEY}' >>/etc/entropykey/keyring"));
    let settings = "UnixControlSocket \"/var/run/ekeyd.sock\"\nKeyring \"/etc/entropykey/keyring\"\n\
        EGDTCPSocket(8888, \"127.0.0.1\")\nAddEntropyKeys \"/dev/entropykey\"\n";
    guest.check(&format!("printf '%s' '{settings}' >/etc/entropykey/ekeyd.conf"));
    guest.plug("key", &key.path);
    guest.await_sh("[ -e /dev/ttyACM0 ]");
    guest.sh("systemctl restart ekeyd");

    let steps = steps_at(GUIDE, "original");
    let back = steps.iter().position(|step| step.command.contains("--remove")).expect("the way back");
    let said = guest.follow(&steps[..back]);
    assert!(said.contains("were taken over into /etc/entropykey/ekeyd.toml"), "{said}");
    assert!(said.contains("All is well: 1 key running."), "{said}");
    let said = guest.follow(&steps[back..]);
    println!("{said}");
    guest.check(&format!("grep '^{SERIAL} ' /etc/entropykey/keyring && ! pgrep -f 'ekeyd run'"));
    guest.await_sh("ekeydctl list | grep -i entropykey");
    guest.power_off();
}

/// Adds dpkg, and the package in `/root` under its own name.
fn with_package(guest: Guest) -> Guest {
    let package = package();
    let name = package.file_name().expect("a file has a name").to_string_lossy().into_owned();
    with_dpkg(guest).file(&format!("/root/{name}"), &package)
}
