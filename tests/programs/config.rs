//! Every mistake in a configuration is named with file, line and column, and never becomes a silent default.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use ekey_tests::{DaemonPlan, Finished, Program, Scratch, await_until, binaries};
use nix::unistd::{Group, User, getegid, geteuid};

/// EX_CONFIG of sysexits(3).
const CONFIGURATION_ERROR: Option<i32> = Some(78);

#[test]
fn a_configuration_without_mistakes_passes() {
    let finished = check(
        "control = \"/tmp/nowhere/control.sock\"\n\
         [kernel]\nenabled = false\n\
         [egd]\nlisten = [\"unix:/tmp/nowhere/egd.sock\", \"tcp:127.0.0.1:8888\"]\n",
    );
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn a_unix_socket_has_its_mode_owner_and_group() {
    let scratch = Scratch::make();
    let [egd, expand] = ["own.sock", "expand.sock"].map(|name| scratch.path(name));
    let user = User::from_uid(geteuid()).ok().flatten().expect("the user has a name").name;
    let group = Group::from_gid(getegid()).ok().flatten().expect("the group has a name");
    // Root may give the socket to any group.
    let other = Group::from_name("daemon").ok().flatten().filter(|_| geteuid().is_root());
    let group = other.unwrap_or(group);
    let place = |path: &std::path::Path, mode: &str| {
        format!("{{ path = {path:?}, mode = {mode:?}, owner = {user:?}, group = {:?} }}", group.name)
    };
    let _daemon = DaemonPlan::default()
        .whole_egd(&format!("[egd]\nlisten = [{}]\n", place(&egd, "0606")))
        .extra(&format!("[expand]\nlisten = [{}]\n", place(&expand, "0640")))
        .start(&scratch);
    for (path, mode) in [(egd, 0o606), (expand, 0o640)] {
        await_until("the socket with its mode, owner and group", || {
            let found = fs::symlink_metadata(&path).ok()?;
            let rights = (found.permissions().mode() & 0o777, found.uid(), found.gid());
            (rights == (mode, geteuid().as_raw(), group.gid.as_raw())).then_some(())
        });
    }
}

#[test]
fn every_mistake_is_named_where_it_stands() {
    for (text, lines, word) in [
        ("control = \"/tmp/c\"\n[kernel]\nbits-per-bite = 7\n", &[3][..], "bits-per-bite"),
        ("[kernel]\nenabled = true\n[kernal]\nenabled = true\n", &[3], "kernal"),
        ("[egd]\npool-bytes = \"big\"\n", &[2], "pool-bytes"),
        ("[kernel]\n\nbits-per-byte = 9\n", &[3], "bits-per-byte"),
        ("[keys]\ntransport = \"pigeon\"\n", &[2], "auto"),
        ("[egd]\nlisten = [\"udp:127.0.0.1:1\"]\n", &[2], "unix:"),
        ("[kernel]\nenabled = = true\n", &[2], ""),
        ("[kernel]\nbits-per-byte = 9\n[egd]\nmax-clients = \"many\"\n", &[2, 4], ""),
    ] {
        names_mistakes(text, lines, word);
    }
}

#[test]
fn an_unknown_lua_statement_is_named_where_it_stands() {
    let scratch = Scratch::make();
    let text = "Keyring \"/tmp/keyring\"\n-- a comment\nSetOutputToMoon(7)\n";
    let path = scratch.write("ekeyd.conf", text, 0o644);
    let finished = ekeyd(&scratch, &["check", &path.display().to_string()]);
    assert_eq!(finished.code, CONFIGURATION_ERROR, "{finished:?}");
    let place = format!("{}:3:", path.display());
    assert!(finished.words().contains(&place), "{place} is not in {finished:?}");
}

#[test]
fn the_originals_statements_are_understood() {
    let scratch = Scratch::make();
    let text = "-- as the original ships it\n\
                UnixControlSocket \"/tmp/nowhere/ekeyd.sock\"\n\
                Keyring \"/etc/entropykey/keyring\"\n\
                -- Daemonise(false)\n\
                SetOutputToKernel(7)\n\
                AddEntropyKeys \"/dev/entropykey\"\n\
                AddEntropyKeys \"/var/run/entropykeys\"\n";
    let path = scratch.write("ekeyd.conf", text, 0o644);
    let finished = ekeyd(&scratch, &["check", &path.display().to_string()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn a_daemon_refuses_a_configuration_with_a_mistake() {
    let scratch = Scratch::make();
    let path = scratch.write("ekeyd.toml", "[kernel]\nenabled = \"perhaps\"\n", 0o644);
    let path = path.display().to_string();
    let finished = ekeyd(&scratch, &["run", "--config", &path]);
    assert_eq!(finished.code, CONFIGURATION_ERROR, "{finished:?}");
    let place = format!("{path}:2:");
    assert!(finished.words().contains(&place), "{place} is not in {finished:?}");
}

#[test]
fn a_daemon_refuses_a_missing_configuration() {
    let scratch = Scratch::make();
    let path = scratch.path("missing.toml").display().to_string();
    let finished = ekeyd(&scratch, &["run", "--config", &path]);
    assert_eq!(finished.code, CONFIGURATION_ERROR, "{finished:?}");
    assert!(finished.words().contains(&path), "{path} is not in {finished:?}");
}

/// Checks that `ekeyd check` exits with 78, names `FILE:LINE:COLUMN` for each of `lines`, and prints `word`.
fn names_mistakes(text: &str, lines: &[u32], word: &str) {
    let finished = check(text);
    assert_eq!(finished.code, CONFIGURATION_ERROR, "{finished:?} of:\n{text}");
    let words = finished.words();
    for line in lines {
        let place = format!("ekeyd.toml:{line}:");
        let column = words.split(&place).nth(1).and_then(|rest| rest.chars().next());
        assert!(column.is_some_and(|digit| digit.is_ascii_digit()), "{place}COLUMN is not in {finished:?} of:\n{text}");
    }
    assert!(words.contains(word), "{word} is not in {finished:?} of:\n{text}");
}

fn check(text: &str) -> Finished {
    let scratch = Scratch::make();
    let path = scratch.write("ekeyd.toml", text, 0o644);
    ekeyd(&scratch, &["check", &path.display().to_string()])
}

fn ekeyd(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let mut command = binaries::command("ekeyd");
    command.args(arguments);
    Program::run("ekeyd", command, scratch)
}
