//! Which files the daemon may still open, and where it may connect, by landlock(7): what its configuration names, what keys are
//! found and revived by, and what the C library reads. It may execute nothing.
//!
//! A rule is about a folder and all below it, as it was when the rule was made.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::config::{Claim, Config, Resource, Section as _};

/// The newest rules that are laid down. Later ones would forbid connecting to unix sockets that were not named, such as the
/// journal's.
const NEWEST: ABI = ABI::V6;
/// DNS over TCP, for answers that are too long for UDP.
const DNS: u16 = 53;
/// What the C library, the service manager's sockets and finding keys take. Programs and libraries are elsewhere on some systems.
const READ: [&str; 10] =
    ["/etc", "/usr", "/lib", "/lib64", "/proc", "/sys", "/run", "/nix/store", "/gnu/store", "/var/run"];

/// Lays the rules down for this thread and those that it starts, and returns their version.
///
/// # Errors
/// Why there are none: a kernel that has no landlock, say.
pub(super) fn restrict(config: &Config, config_file: Option<&Path>) -> Result<u32, String> {
    let status = lay_down(config, config_file).map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("this kernel has landlock, and it is off: add landlock to lsm= on its command line".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("this kernel has no landlock (Linux 5.13)".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok((effective_abi as u32).min(NEWEST as u32)),
        _ => Err("the kernel does not say which landlock it has".to_owned()),
    }
}

fn lay_down(config: &Config, config_file: Option<&Path>) -> Result<landlock::RestrictionStatus, RulesetError> {
    // Everything but what the rules allow.
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::Signal)?
        .create()?;
    let claims = config.claims();
    let rules = allowed(&claims, config_file).into_iter().try_fold(rules, allow)?;
    let rules = ports(&claims)
        .into_iter()
        .try_fold(rules, |rules, port| rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp)))?;
    rules.restrict_self()
}

/// What is not there needs no rule.
fn allow(rules: RulesetCreated, (path, access): (PathBuf, BitFlags<AccessFs>)) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(&path) else { return Ok(rules) };
    let of_files = AccessFs::from_file(NEWEST);
    let access = if path.is_dir() { access } else { access & of_files };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// The folders and files, and what may be done there.
fn allowed(claims: &[Claim], config_file: Option<&Path>) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut allowed: Vec<_> = READ.iter().map(|path| (PathBuf::from(path), read)).collect();
    // A key may be plugged in at any time, and its node made anew; the file modes say which nodes may be used.
    allowed.push(("/dev".into(), device));
    // The switches that revive a silent key.
    allowed.push(("/sys/devices".into(), read | AccessFs::WriteFile));
    allowed.extend(config_file.map(|file| (real_folder(file), read)));
    for claim in claims {
        allowed.push(match &claim.resource {
            // By folder: a file that was replaced is another file.
            Resource::Read(path) => (real_folder(path), read),
            Resource::Write(path) => (real_folder(path), read | AccessFs::WriteFile | AccessFs::MakeReg),
            Resource::Socket(path) | Resource::PidFile(path) => (real_folder(path), read | AccessFs::RemoveFile),
            Resource::Open(path) => (path.clone(), device),
            // Some systems keep the file that this links to in a folder that is written anew with each network.
            Resource::Resolve(_) => (real_folder(Path::new("/etc/resolv.conf")), read),
            Resource::Listen(_) | Resource::Connect(..) => continue,
        });
    }
    allowed
}

/// The folder that a file is in, or will be.
fn real_folder(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path);
    real.as_deref().map_or_else(|_| folder_of(path), folder_of).to_owned()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// The ports that may be connected to: those of servers, and what resolving their names needs.
fn ports(claims: &[Claim]) -> Vec<u16> {
    let ports = claims.iter().filter_map(|claim| match claim.resource {
        Resource::Connect(_, port) => Some(port),
        Resource::Resolve(_) => Some(DNS),
        _ => None,
    });
    ports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Vec<Claim> {
        Config::parse(Path::new("ekeyd.toml"), text).unwrap().claims()
    }

    #[test]
    fn only_what_the_configuration_names_may_be_written() {
        let writes = |claims: &[Claim]| -> Vec<PathBuf> {
            let writing = AccessFs::from_write(NEWEST) & !AccessFs::IoctlDev;
            let mut folders: Vec<_> = allowed(claims, None)
                .into_iter()
                .filter(|(_, access)| access.intersects(writing))
                .map(|rule| rule.0)
                .collect();
            folders.dedup();
            folders
        };
        let due = ["/dev", "/sys/devices", "/run/ekeyd"].map(PathBuf::from);
        assert_eq!(writes(&claims("")), due);
        let more = claims("control = \"/c/s\"\n[egd]\nlisten = [\"unix:/e/s\"]\n[file]\npath = \"/f/out\"\n");
        assert_eq!(writes(&more), ["/dev", "/sys/devices", "/c", "/e", "/f"].map(PathBuf::from));
        for (path, access) in allowed(&more, Some(Path::new("/x/ekeyd.toml"))) {
            let forbidden = AccessFs::Execute | AccessFs::MakeSym | AccessFs::MakeChar | AccessFs::MakeBlock;
            assert!(!access.intersects(forbidden), "{}: {access:?}", path.display());
        }
    }

    #[test]
    fn only_the_ports_of_servers_may_be_connected_to() {
        assert_eq!(ports(&claims("")), [0_u16; 0]);
        assert_eq!(ports(&claims("[egd-client]\nconnect = [\"tcp:192.0.2.1:8888\", \"unix:/s\"]\n")), [8888]);
        assert_eq!(ports(&claims("[egd-client]\nconnect = \"tcp:keys.example.org:77\"\n")), [77, DNS]);
    }
}
