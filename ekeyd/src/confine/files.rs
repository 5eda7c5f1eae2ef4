//! Restricts by landlock(7) which files the daemon can open and which ports it can connect to: those that its configuration names,
//! that finding and reviving keys takes, and that the C library reads. It cannot execute any file.
//!
//! A rule covers a folder and everything below it. It follows the folder itself, not its path.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::config::{Claim, Config, Resource, Section as _};

/// The newest version of landlock in use. Later ones also restrict connecting to unix sockets, such as the journal's.
const NEWEST: ABI = ABI::V6;
/// The port of DNS over TCP, which long answers take.
const DNS: u16 = 53;
/// Folders that the C library, the service manager's sockets and finding keys take. NixOS and Guix keep libraries in stores.
const READ: [&str; 10] =
    ["/etc", "/usr", "/lib", "/lib64", "/proc", "/sys", "/run", "/nix/store", "/gnu/store", "/var/run"];

/// Restricts this thread and those that it starts. Returns the version of landlock in force.
///
/// # Errors
/// The reason why nothing is restricted, such as a kernel without landlock.
pub(super) fn restrict(config: &Config, config_file: Option<&Path>) -> Result<u32, String> {
    let status = apply(config, config_file).map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("landlock is switched off in this kernel: add landlock to lsm= on its command line".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("this kernel has no landlock; that takes Linux 5.13".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok((effective_abi as u32).min(NEWEST as u32)),
        _ => Err("the kernel does not report its version of landlock".to_owned()),
    }
}

fn apply(config: &Config, config_file: Option<&Path>) -> Result<landlock::RestrictionStatus, RulesetError> {
    // Everything is forbidden that no rule below allows.
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

/// Adds a rule for a path. Skips a path that does not exist.
fn allow(rules: RulesetCreated, (path, access): (PathBuf, BitFlags<AccessFs>)) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(&path) else { return Ok(rules) };
    let of_files = AccessFs::from_file(NEWEST);
    let access = if path.is_dir() { access } else { access & of_files };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// Lists the folders and files with the access that each needs.
fn allowed(claims: &[Claim], config_file: Option<&Path>) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut allowed: Vec<_> = READ.iter().map(|path| (PathBuf::from(path), read)).collect();
    // The whole folder, because a key's node appears when it is plugged in. The file modes protect the other nodes.
    allowed.push(("/dev".into(), device));
    // The switches that revive a silent key.
    allowed.push(("/sys/devices".into(), read | AccessFs::WriteFile));
    allowed.extend(config_file.map(|file| (real_folder(file), read)));
    for claim in claims {
        allowed.push(match &claim.resource {
            // The folder, because a rule for a file ends when an editor replaces the file.
            Resource::Read(path) => (real_folder(path), read),
            Resource::Write(path) => (real_folder(path), read | AccessFs::WriteFile | AccessFs::MakeReg),
            Resource::State(path) => {
                (path.clone(), read | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile)
            }
            Resource::Socket(path) | Resource::PidFile(path) => (real_folder(path), read | AccessFs::RemoveFile),
            Resource::Open(path) => (path.clone(), device),
            // On some systems this links to a file that is replaced at every change of network.
            Resource::Resolve(_) => (real_folder(Path::new("/etc/resolv.conf")), read),
            Resource::Listen(_) | Resource::Connect(..) => continue,
        });
    }
    allowed
}

/// Returns the folder that contains a file or will contain it, with links resolved.
fn real_folder(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path);
    real.as_deref().map_or_else(|_| folder_of(path), folder_of).to_owned()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Lists the ports to connect to: those of the servers, and of DNS if they have names.
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
    fn only_configured_places_may_be_written() {
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
        let defaults = ["/dev", "/sys/devices", "/var/lib/ekeyd", "/run/ekeyd"].map(PathBuf::from);
        assert_eq!(writes(&claims("")), defaults);
        let more = claims(
            "state-dir = \"/v\"\ncontrol = \"/c/s\"\n[egd]\nlisten = [\"unix:/e/s\"]\n[file]\npath = \"/f/out\"\n",
        );
        assert_eq!(writes(&more), ["/dev", "/sys/devices", "/v", "/c", "/e", "/f"].map(PathBuf::from));
        for (path, access) in allowed(&more, Some(Path::new("/x/ekeyd.toml"))) {
            let forbidden = AccessFs::Execute | AccessFs::MakeSym | AccessFs::MakeChar | AccessFs::MakeBlock;
            assert!(!access.intersects(forbidden), "{}: {access:?}", path.display());
        }
    }

    #[test]
    fn only_ports_of_servers_may_be_connected_to() {
        assert_eq!(ports(&claims("")), [0_u16; 0]);
        assert_eq!(ports(&claims("[egd-client]\nconnect = [\"tcp:192.0.2.1:8888\", \"unix:/s\"]\n")), [8888]);
        assert_eq!(ports(&claims("[egd-client]\nconnect = \"tcp:keys.example.org:77\"\n")), [77, DNS]);
    }
}
