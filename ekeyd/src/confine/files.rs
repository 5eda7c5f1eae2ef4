//! Restricts by landlock(7) which files the daemon can open and which ports it can connect to: those that its configuration names,
//! that finding and reviving keys takes, and that the C library reads. It cannot execute any file, send a signal to another process,
//! or reach an abstract unix socket.
//!
//! A rule covers a folder and everything below it. It follows the folder itself, not its path.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::config::{Claim, Config, Keys, Resource, Section as _};

/// The newest version of landlock in use. Later ones also restrict connecting to unix sockets, such as the journal's.
const NEWEST: ABI = ABI::V6;
/// Names the service manager's socket, sd_notify(3).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// The port of DNS over TCP, which long answers take.
const DNS: u16 = 53;
/// What the daemon reads its nonces from.
const RANDOM: &str = "/dev/urandom";
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
        .scope(scopes_in_use())?
        .create()?;
    let claims = config.claims();
    let rules = allowed(config, config_file).into_iter().try_fold(rules, allow)?;
    let rules = ports(&claims)
        .into_iter()
        .try_fold(rules, |rules, port| rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp)))?;
    rules.restrict_self()
}

/// Returns what stays out of reach besides files.
pub(super) fn scopes_in_use() -> BitFlags<Scope> {
    scopes(std::env::var_os(NOTIFY_SOCKET).as_deref())
}

/// `notify`: the service manager's socket.
fn scopes(notify: Option<&OsStr>) -> BitFlags<Scope> {
    // Old service managers, and those of some containers, listen at an abstract socket.
    let is_abstract = notify.is_some_and(|socket| socket.as_encoded_bytes().starts_with(b"@"));
    if is_abstract { Scope::Signal.into() } else { Scope::Signal | Scope::AbstractUnixSocket }
}

/// Adds a rule for a path. Skips a path that does not exist.
fn allow(rules: RulesetCreated, (path, access): (PathBuf, BitFlags<AccessFs>)) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(&path) else { return Ok(rules) };
    let of_files = AccessFs::from_file(NEWEST);
    let access = if path.is_dir() { access } else { access & of_files };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// Lists the folders and files with the access that each needs.
pub(super) fn allowed(config: &Config, config_file: Option<&Path>) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut allowed: Vec<_> = READ.iter().map(|path| (PathBuf::from(path), read)).collect();
    allowed.push((RANDOM.into(), AccessFs::ReadFile.into()));
    allowed.extend(folders_of_keys(&config.keys).into_iter().map(|folder| (folder, device())));
    if config.keys.discover {
        // The switches that revive a silent key.
        allowed.push(("/sys/devices".into(), read | AccessFs::WriteFile));
    }
    allowed.extend(config_file.map(|file| (real_folder(file), read)));
    for claim in config.claims() {
        allowed.push(match &claim.resource {
            // The folder, because a rule for a file ends when an editor replaces the file.
            Resource::Read(path) => (real_folder(path), read),
            Resource::Write(path) => (real_folder(path), read | AccessFs::WriteFile | AccessFs::MakeReg),
            Resource::State(path) => {
                (path.clone(), read | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile)
            }
            Resource::Socket(path) | Resource::PidFile(path) => (real_folder(path), read | AccessFs::RemoveFile),
            Resource::Open(path) => (path.clone(), device()),
            // On some systems this links to a file that is replaced at every change of network.
            Resource::Resolve(_) => (real_folder(Path::new("/etc/resolv.conf")), read),
            Resource::Listen(_) | Resource::Connect(..) => continue,
        });
    }
    allowed
}

fn device() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev
}

/// Lists the folders of the keys' nodes. Whole folders, because a key gets a new node when it is plugged in; the file modes protect
/// the other nodes.
pub(super) fn folders_of_keys(keys: &Keys) -> Vec<PathBuf> {
    let dev = Path::new("/dev");
    let of = |path: &Path| match fs::canonicalize(path) {
        Ok(node) => Some(folder_of(&node).to_owned()).filter(|folder| folder.starts_with(dev)),
        // It may become a link to any node.
        Err(_) => Some(dev.to_owned()),
    };
    let mut folders: Vec<PathBuf> = keys.paths.iter().filter_map(|key| of(&key.path)).collect();
    // A folder of links to nodes.
    folders.extend((keys.discover || !keys.folders.is_empty()).then(|| dev.to_owned()));
    if folders.iter().any(|folder| folder == dev) {
        return vec![dev.to_owned()];
    }
    folders.sort();
    folders.dedup();
    folders
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
pub(super) fn ports(claims: &[Claim]) -> Vec<u16> {
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

    fn config(text: &str) -> Config {
        Config::parse(Path::new("ekeyd.toml"), text).unwrap()
    }

    #[test]
    fn only_configured_places_may_be_written() {
        let writes = |config: &Config| -> Vec<PathBuf> {
            let writing = AccessFs::from_write(NEWEST) & !AccessFs::IoctlDev;
            let mut folders: Vec<_> = allowed(config, None)
                .into_iter()
                .filter(|(_, access)| access.intersects(writing))
                .map(|rule| rule.0)
                .collect();
            folders.dedup();
            folders
        };
        let defaults = ["/dev", "/sys/devices", "/var/lib/ekeyd", "/run/ekeyd"].map(PathBuf::from);
        assert_eq!(writes(&config("")), defaults);
        let more = config(
            "state-dir = \"/v\"\ncontrol = \"/c/s\"\n[egd]\nlisten = [\"unix:/e/s\"]\n[file]\npath = \"/f/out\"\n",
        );
        assert_eq!(writes(&more), ["/dev", "/sys/devices", "/v", "/c", "/e", "/f"].map(PathBuf::from));
        for (path, access) in allowed(&more, Some(Path::new("/x/ekeyd.toml"))) {
            let forbidden = AccessFs::Execute | AccessFs::MakeSym | AccessFs::MakeChar | AccessFs::MakeBlock;
            assert!(!access.intersects(forbidden), "{}: {access:?}", path.display());
        }
    }

    #[test]
    fn a_daemon_without_devices_gets_none() {
        let devices = |text: &str| -> Vec<PathBuf> {
            let places = allowed(&config(text), None).into_iter();
            places.filter(|(_, access)| access.contains(AccessFs::IoctlDev)).map(|(path, _)| path).collect()
        };
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let off = "[keys]\ndiscover = false\n";
        assert!(devices(off).is_empty());
        assert_eq!(devices(&format!("{off}paths = [{socket:?}]\n")), [socket]);
        // A rule for the node alone would end when the key is plugged in again.
        assert_eq!(devices(&format!("{off}paths = [\"/dev/null\"]\n")), ["/dev", "/dev/null"].map(PathBuf::from));
        assert_eq!(devices(&format!("{off}paths = [\"/nowhere/yet\"]\n")), ["/dev", "/nowhere/yet"].map(PathBuf::from));
        assert!(!allowed(&config(off), None).iter().any(|(path, _)| path == Path::new("/sys/devices")));
    }

    #[test]
    fn an_abstract_service_manager_stays_in_reach() {
        let shut = |notify: &str| scopes(Some(OsStr::new(notify))).contains(Scope::AbstractUnixSocket);
        assert!(shut("/run/systemd/notify") && !shut("@/org/freedesktop/systemd1/notify"));
        assert!(scopes(None).contains(Scope::AbstractUnixSocket));
    }

    #[test]
    fn abstract_sockets_are_out_of_reach() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

        let name = format!("ekeyd-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        UnixStream::connect_addr(&address).unwrap();
        let confined = move || (restrict(&config(""), None), UnixStream::connect_addr(&address).map(drop));
        match std::thread::spawn(confined).join().unwrap() {
            (Ok(6..), connected) => {
                assert_eq!(connected.map_err(|error| error.raw_os_error()), Err(Some(nix::libc::EPERM)));
            }
            (version, _) => println!("the landlock of this kernel does not know abstract sockets: {version:?}"),
        }
    }

    #[test]
    fn only_ports_of_servers_may_be_connected_to() {
        let ports = |text: &str| ports(&config(text).claims());
        assert_eq!(ports(""), [0_u16; 0]);
        assert_eq!(ports("[egd-client]\nconnect = [\"tcp:192.0.2.1:8888\", \"unix:/s\"]\n"), [8888]);
        assert_eq!(ports("[egd-client]\nconnect = \"tcp:keys.example.org:77\"\n"), [77, DNS]);
    }
}
