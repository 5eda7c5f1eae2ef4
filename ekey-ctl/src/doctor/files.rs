//! Checks the daemon's files: its configuration and the keyring.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ekey_control::{Status, amount};

use super::Check;
use super::machine::Machine;
use super::user::{self, User};
use crate::configured::{CONFIGURATIONS, Configured};
use crate::rekey::quoted;

/// Checks whether the daemon could start with the present configuration.
pub(super) fn configuration(machine: &Machine, pid: Option<u32>) -> Check {
    const TOPIC: &str = "config";
    let words = cmdline(machine, pid);
    let words: Vec<&str> = words.split('\0').collect();
    if words.get(1) == Some(&"demo") {
        return Check::note(TOPIC, "none: the daemon runs as a demonstration");
    }
    let usual = || CONFIGURATIONS.iter().map(|path| PathBuf::from(*path)).find(|path| machine.is_there(path));
    let Some(file) = named(&words).or_else(usual) else {
        let [own, original] = CONFIGURATIONS;
        return Check::todo(
            TOPIC,
            format!("neither {own} nor {original} exists"),
            format!("copy the example ekeyd.toml to {own}"),
        );
    };
    let shown = file.display();
    match check(&machine.path(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::note(TOPIC, format!("{shown}, not checked: no ekeyd next to this tool or in PATH"))
        }
        Err(error) => Check::note(TOPIC, format!("{shown}, not checked: cannot run ekeyd: {error}")),
        Ok(output) if output.status.success() => Check::ok(TOPIC, format!("{shown}, no mistakes")),
        Ok(output) => {
            let mistakes = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = mistakes.lines().next().unwrap_or("ekeyd check fails and says nothing").to_owned();
            let count = mistakes.lines().count();
            let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            Check::todo(TOPIC, format!("{first}{more}"), format!("correct it until `ekeyd check {shown}` passes"))
        }
    }
}

fn cmdline(machine: &Machine, pid: Option<u32>) -> String {
    pid.and_then(|pid| machine.text(format!("proc/{pid}/cmdline"))).unwrap_or_default()
}

/// Returns the file after `--config` on the daemon's command line.
fn named(words: &[&str]) -> Option<PathBuf> {
    let glued = words.iter().find_map(|word| word.strip_prefix("--config="));
    let apart = || words.iter().skip_while(|word| **word != "--config").nth(1).copied();
    glued.or_else(apart).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn check(file: &Path) -> io::Result<Output> {
    let next_to_tool =
        std::env::current_exe().ok().map(|tool| tool.with_file_name("ekeyd")).filter(|path| path.is_file());
    Command::new(next_to_tool.unwrap_or_else(|| "ekeyd".into())).arg("check").arg(file).output()
}

/// Checks whether only the daemon can read the keyring.
pub(super) fn keyring(machine: &Machine, status: Option<&Status>, user: Option<&User>) -> Check {
    const TOPIC: &str = "keyring";
    // A mistake in it is the subject of another check.
    let words = cmdline(machine, status.map(|status| status.pid));
    let words: Vec<&str> = words.split('\0').collect();
    // The daemon's own configuration counts where root alone can change it.
    let named = named(&words).and_then(|file| Configured::load(Some(&machine.path(file))).ok());
    let ours = named.unwrap_or_else(|| Configured::usual(machine.root()).unwrap_or_default()).keyring;
    let path = status.map_or_else(|| ours.clone(), |status| status.keyring.path.clone().into());
    let is_ours = path == ours;
    let (path, quoted) = (path.display(), quoted(&path));
    // A daemon that was taken over may name any file of root, so only a configured one gets such advice.
    let change = |text: String, command: String| {
        let ours = ours.display();
        let note = || Check::note(TOPIC, format!("{text}; only the daemon says that this is its keyring, not {ours}"));
        if is_ours { Check::todo(TOPIC, text.clone(), command) } else { note() }
    };
    let file = match fs::metadata(machine.path(path.to_string())) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::todo(TOPIC, format!("{path}: there is none"), "make one with `ekey-ctl rekey`");
        }
        Err(error) => return Check::note(TOPIC, format!("{path}: not known to this user: {error}")),
    };
    let (mode, owner) = (file.mode() & 0o7777, user::name(machine, file.uid()));
    let seen = format!("{path}: mode {mode:04o}, {owner}");
    if mode & 0o077 != 0 {
        return change(seen, format!("others can read its keys: chmod 600 {quoted}"));
    }
    if let Some(user) = user
        && user.uid != file.uid()
    {
        if file.uid() != 0 {
            return change(seen, format!("{owner} can change its keys: chown {} {quoted}", user.name));
        }
        if !user.overrides() {
            return change(seen, format!("{0} cannot read it: chown {0} {quoted}", user.name));
        }
    }
    match status.map(|status| &status.keyring) {
        Some(keyring) => match &keyring.problem {
            Some(problem) => Check::problem(TOPIC, problem.clone()),
            None => Check::ok(TOPIC, format!("{seen}, {}", amount::many(keyring.keys, "long-term key"))),
        },
        None => Check::ok(TOPIC, seen),
    }
}
