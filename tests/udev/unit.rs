//! The unit, the user and the other files of `udev/`, as systemd's programs judge them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ekey_tests::guest::{system_folder, system_program};
use ekey_tests::{Scratch, tree};

/// The highest exposure that systemd may compute for the unit, from 0 to 10.
const MOST_EXPOSED: f64 = 2.5;

#[test]
fn the_units_exposure_is_small() {
    let mut command = system_program("usr/bin/systemd-analyze");
    let output = run(command.args(["security", "--offline=true", "--no-pager"]).arg(file("ekeyd.service")));
    let words = words(&output);
    let line = words.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
    println!("{line}");
    let figure = line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
    let figure = figure.unwrap_or_else(|| panic!("systemd-analyze gives no figure:\n{words}"));
    assert!(figure <= MOST_EXPOSED, "{figure} is more than {MOST_EXPOSED}:\n{words}");
}

#[test]
fn systemd_finds_no_mistake_in_the_unit() {
    let output = verify(|unit| unit);
    assert_eq!((output.status.code(), words(&output).as_str()), (Some(0), ""), "systemd-analyze verify");
}

#[test]
fn only_this_machine_is_reached_without_a_drop_in() {
    let unit = fs::read_to_string(file("ekeyd.service")).expect("the unit is there");
    let rules: Vec<&str> = unit.lines().filter(|line| line.starts_with("IPAddress")).collect();
    assert_eq!(rules, ["IPAddressDeny=any", "IPAddressAllow=localhost"]);
}

#[test]
fn systemd_finds_no_mistake_in_the_example_drop_in() {
    let drop_in = fs::read_to_string(file("ekeyd-network.conf")).expect("the example is there");
    let lines = drop_in.split_once("[Service]\n").expect("a section").1;
    let commented = lines.replace("#IPAddressAllow", "IPAddressAllow");
    let output = verify(|unit| unit.replace("IPAddressDeny=any\n", &format!("IPAddressDeny=any\n{commented}")));
    assert_eq!((output.status.code(), words(&output).as_str()), (Some(0), ""), "systemd-analyze verify");
    let output =
        verify(|unit| unit.replace("IPAddressDeny=any\n", "IPAddressDeny=any\nIPAddressAllow=192.0.2.0/240\n"));
    assert!(words(&output).contains("192.0.2.0/240"), "a wrong network was not noticed: {output:?}");
}

#[test]
fn systemd_finds_a_planted_mistake_in_the_unit() {
    for (right, wrong) in [("PrivateTmp=yes", "PrivateTemp=yes"), ("WatchdogSec=30s", "WatchdogSec=often")] {
        let output = verify(|unit| unit.replace(right, wrong));
        assert!(words(&output).contains("ekeyd.service"), "{wrong} was not noticed: {output:?}");
    }
}

#[test]
fn unplugging_a_key_does_not_stop_the_unit() {
    let unit = fs::read_to_string(file("ekeyd.service")).expect("the unit is there");
    let bound =
        unit.lines().find(|line| ["BindsTo=", "Requires=", "PartOf="].iter().any(|word| line.starts_with(word)));
    assert_eq!(bound, None, "unplugging one key must not stop a daemon that has another");
}

#[test]
fn the_user_is_created_once_without_a_shell() {
    let scratch = Scratch::make();
    fs::create_dir(scratch.path("etc")).expect("a folder");
    for _ in 0..2 {
        let mut command = system_program("usr/bin/systemd-sysusers");
        let output = run(command.arg(root_option(&scratch)).arg(file("ekeyd.sysusers")));
        assert!(output.status.success(), "{}", words(&output));
    }
    let accounts = fs::read_to_string(scratch.path("etc/passwd")).expect("it was made");
    let account: Vec<&str> = accounts.trim().split(':').collect();
    assert_eq!((account.first(), account.get(6)), (Some(&"ekeyd"), Some(&"/usr/sbin/nologin")), "{accounts}");
    let groups = fs::read_to_string(scratch.path("etc/group")).expect("it was made");
    let has = |group: &str| groups.lines().any(|line| line.starts_with(group));
    assert!(has("ekeyd:"), "{groups}");
    let members =
        groups.lines().find_map(|line| line.strip_prefix("ekeyd-egd:")).and_then(|line| line.rsplit(':').next());
    assert_eq!(members, Some("ekeyd"), "only a member may give a socket to a group: {groups}");
}

#[test]
fn tmpfiles_link_the_old_socket_and_close_the_keyring() {
    let scratch = Scratch::make();
    fs::create_dir_all(scratch.path("etc/entropykey")).expect("a folder");
    fs::create_dir(scratch.path("run")).expect("a folder");
    let keyring = scratch.write("etc/entropykey/keyring", "", 0o644);
    let owner = fs::metadata(&keyring).expect("it exists");
    // The user who runs this test may give files only to itself.
    let own = format!("{} {} ", owner.uid(), owner.gid());
    let lines = fs::read_to_string(file("ekeyd.tmpfiles")).expect("it exists");
    let lines = lines.replace("ekeyd ekeyd ", &own).replace("root  root  ", &own);
    let lines = scratch.write("ekeyd.conf", &lines, 0o644);
    let output = run(system_program("usr/bin/systemd-tmpfiles").arg("--create").arg(root_option(&scratch)).arg(lines));
    assert_eq!((output.status.code(), words(&output).as_str()), (Some(0), ""), "systemd-tmpfiles");
    let link = fs::read_link(scratch.path("run/ekeyd.sock")).expect("the link");
    assert_eq!(Path::new("/run").join(link), Path::new("/run/ekeyd/control.sock"));
    assert_eq!(fs::metadata(&keyring).expect("it exists").mode() & 0o7777, 0o600);
}

/// Returns what systemd says of the unit after a change. Takes systemd's programs from the guest's Debian; ours need
/// not be installed.
fn verify(change: impl Fn(String) -> String) -> Output {
    let scratch = Scratch::make();
    let unit = fs::read_to_string(file("ekeyd.service")).expect("the unit is there");
    let tmpfiles = system_folder("usr/bin/systemd-tmpfiles");
    let unit = unit
        .replace("=+-systemd-tmpfiles", &format!("=+-{}", tmpfiles.display()))
        .replace("ExecStart=ekeyd ", "ExecStart=/bin/sh ")
        .replace("ExecReload=kill ", "ExecReload=/bin/sh ");
    let unit = scratch.write("ekeyd.service", &change(unit), 0o644);
    let units = [scratch.folder().to_owned(), system_folder("usr/lib/systemd/system")];
    let units = std::env::join_paths(units).expect("no colon in their names");
    let mut command = system_program("usr/bin/systemd-analyze");
    run(command.args(["verify", "--man=no"]).arg(unit).env("SYSTEMD_UNIT_PATH", units))
}

fn root_option(scratch: &Scratch) -> String {
    format!("--root={}", scratch.folder().display())
}

fn file(name: &str) -> PathBuf {
    tree::root().join("udev").join(name)
}

fn run(command: &mut Command) -> Output {
    command.env("LC_ALL", "C").output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}
