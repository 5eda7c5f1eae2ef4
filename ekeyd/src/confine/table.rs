//! Prints the sandbox of a configuration, from the lists that install it: `ekeyd check --sandbox`.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use landlock::{AccessFs, BitFlags};

use super::files;
use super::reach::Reach;
use crate::config::{Config, Section as _};

/// Returns everything that the sandbox allows: files with the kinds of access, network, and system calls, one a line.
pub(crate) fn table(config: &Config, config_file: &Path) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_all(&mut text, config, config_file);
    text
}

fn write_all(text: &mut String, config: &Config, config_file: &Path) -> fmt::Result {
    if !config.sandbox.enabled {
        return writeln!(text, "nothing of the following is in force: enabled = false in [sandbox]");
    }
    let claims = config.claims();
    let reach = Reach::of(&claims);
    writeln!(text, "# files and folders with all below them (a folder is followed by itself, not by its path)")?;
    let mut places: Vec<(PathBuf, BitFlags<AccessFs>)> = Vec::new();
    for (path, access) in files::allowed(config, Some(config_file)) {
        match places.iter_mut().find(|(other, _)| *other == path) {
            Some((_, all)) => *all |= access,
            None => places.push((path, access)),
        }
    }
    for (path, access) in places {
        writeln!(text, "{:40} {}", path.display(), words(access))?;
    }
    writeln!(text, "\n# network\n{:40} {reach}", "IP")?;
    for port in files::ports(&claims) {
        writeln!(text, "{:40} to connect to", format!("TCP port {port}"))?;
    }
    let is_abstract_shut = files::scopes_in_use().contains(landlock::Scope::AbstractUnixSocket);
    let answer = if is_abstract_shut { "none" } else { "all, because NOTIFY_SOCKET names one" };
    writeln!(text, "{:40} {answer}", "abstract unix sockets")?;
    writeln!(text, "{:40} none", "signals to other processes")?;
    calls(text, reach)
}

/// Returns the kinds of access in words.
fn words(access: BitFlags<AccessFs>) -> String {
    let all = [
        (AccessFs::ReadFile, "read"),
        (AccessFs::ReadDir, "list"),
        (AccessFs::WriteFile, "write"),
        (AccessFs::MakeReg, "make files"),
        (AccessFs::RemoveFile, "remove files"),
        (AccessFs::IoctlDev, "send the listed requests to devices"),
    ];
    let mut known = BitFlags::<AccessFs>::EMPTY;
    let mut words = Vec::new();
    for (kind, word) in all {
        known |= kind;
        if access.contains(kind) {
            words.push(word.to_owned());
        }
    }
    let others = access & !known;
    words.extend((!others.is_empty()).then(|| format!("{others:?}")));
    words.join(", ")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn calls(text: &mut String, _reach: Reach) -> fmt::Result {
    writeln!(text, "\n# system calls: all, because this architecture has no filter")
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn calls(text: &mut String, reach: Reach) -> fmt::Result {
    use super::calls::Calls;

    let whose =
        [("the thread that credits the kernel", Calls::of_creditor()), ("all other threads", Calls::of_daemon(reach))];
    for (thread, calls) in whose {
        writeln!(text, "\n# system calls of {thread}: call, arguments, what for")?;
        let free = calls.groups.iter().flat_map(|group| group.calls.iter().map(|(name, _)| (*name, "any", group.why)));
        let argued = calls.argued.iter().flat_map(|call| call.ways.iter().map(|way| (call.name, &*way.words, way.why)));
        let mut lines: Vec<_> = free.chain(argued).collect();
        lines.sort_unstable();
        for (name, arguments, why) in lines {
            let name = name.strip_prefix("SYS_").unwrap_or(name);
            writeln!(text, "{name:19} {arguments:43} {why}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        table(&Config::parse(Path::new("ekeyd.toml"), text).unwrap(), Path::new("/etc/entropykey/ekeyd.toml"))
    }

    #[test]
    fn every_access_has_a_word() {
        let defaults = of("[file]\npath = \"/f/out\"\n");
        assert!(defaults.contains("\n/f ") && !defaults.contains("BitFlags"), "{defaults}");
    }

    #[test]
    fn the_network_follows_the_configuration() {
        let (none, one) = (of(""), of("[egd-client]\nconnect = \"tcp:192.0.2.1:8888\"\n"));
        assert!(!none.contains("TCP port") && !none.contains("AF_INET"), "{none}");
        assert!(one.contains("TCP port 8888"), "{one}");
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        assert!(one.contains("AF_INET SOCK_STREAM IPPROTO_IP") && !one.contains("AF_INET SOCK_DGRAM"), "{one}");
    }

    #[test]
    fn a_sandbox_that_is_off_allows_everything() {
        assert!(of("[sandbox]\nenabled = false\n").contains("enabled = false"));
    }
}
