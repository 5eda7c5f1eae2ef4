//! What will fail when systemd starts the daemon: its unit names a user with fewer rights than root has.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::config::{Config, Listen, Resource, Section as _};
use crate::socket::rights;

/// Where systemd looks for the unit, the first that has it counts, systemd.unit(5).
const UNITS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where it looks for drop-ins.
const DROP_INS: [&str; 3] = ["/usr/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system"];
/// Folders that the unit always has.
const OWN_FOLDERS: [&str; 3] = ["/run/ekeyd", "/var/run/ekeyd", "/var/lib/ekeyd"];

/// Returns a line for each port and socket of the configuration that the unit's user may not take or make. None on a machine without
/// the unit, or if the unit has the rights.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    Service::installed().map(|service| service.warnings(config)).unwrap_or_default()
}

/// What the unit says of its rights.
struct Service {
    user: String,
    uid: Uid,
    groups: Vec<Gid>,
    takes_low_ports: bool,
    gives_away: bool,
    /// Folders in which it may make files. `None`: all that its user may write to.
    writable: Option<Vec<PathBuf>>,
}

impl Service {
    fn installed() -> Option<Self> {
        Self::read(&unit_text()?)
    }

    /// Reads the lines of the unit and its drop-ins. Returns `None` if it runs as root, or as a user that this machine does not have.
    fn read(unit: &str) -> Option<Self> {
        let values = |key: &str| -> Vec<&str> {
            let lines = unit.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            lines.map(str::trim).collect()
        };
        let words = |key: &str| -> Vec<&str> { values(key).into_iter().flat_map(str::split_whitespace).collect() };
        let user = User::from_name(values("User").pop()?).ok()??;
        if user.uid.is_root() {
            return None;
        }
        let mut groups = CString::new(user.name.as_bytes())
            .ok()
            .and_then(|name| getgrouplist(&name, user.gid).ok())
            .unwrap_or_else(|| vec![user.gid]);
        let named = values("Group").pop().into_iter().chain(words("SupplementaryGroups"));
        groups.extend(named.filter_map(|name| Some(Group::from_name(name).ok()??.gid)));
        let capabilities = words("AmbientCapabilities");
        let is_strict = values("ProtectSystem").pop() == Some("strict");
        let writable = is_strict.then(|| {
            let more =
                words("ReadWritePaths").into_iter().map(|path| PathBuf::from(path.trim_start_matches(['-', '+'])));
            OWN_FOLDERS.iter().map(PathBuf::from).chain(more).collect()
        });
        Some(Self {
            user: user.name,
            uid: user.uid,
            groups,
            takes_low_ports: capabilities.contains(&"CAP_NET_BIND_SERVICE"),
            gives_away: capabilities.contains(&"CAP_CHOWN"),
            writable,
        })
    }

    fn warnings(&self, config: &Config) -> Vec<String> {
        let first_free = rights::first_free_port();
        let mut warnings = Vec::new();
        for claim in config.claims() {
            match claim.resource {
                Resource::Listen(address) if address.port() < first_free && !self.takes_low_ports => {
                    warnings.push(format!(
                        "{address}: the service's user {} cannot listen there: {}",
                        self.user,
                        rights::low_port()
                    ));
                }
                Resource::Socket(path) if !self.may_make(&path) => warnings.push(format!(
                    "{}: the service cannot make a socket there: its unit has ProtectSystem=strict; {}",
                    path.display(),
                    rights::READ_ONLY
                )),
                _ => {}
            }
        }
        let expand = config.expand.iter().flat_map(|expand| &expand.listen);
        for place in config.egd.listen.iter().chain(expand) {
            if let Listen::Unix { path, user, group, .. } = place
                && !self.may_give(user.as_deref(), group.as_deref())
            {
                warnings.push(format!(
                    "{}: the service's user {} may not give the socket to {}; {}",
                    path.display(),
                    self.user,
                    rights::owner_words(user.as_deref(), group.as_deref()),
                    rights::OTHER_OWNER
                ));
            }
        }
        warnings
    }

    fn may_make(&self, path: &Path) -> bool {
        // The daemon makes its default socket instead, and the original's path is a link to it.
        let is_link = ["/run/ekeyd.sock", "/var/run/ekeyd.sock"].iter().any(|link| path == Path::new(link));
        is_link || self.writable.as_ref().is_none_or(|folders| folders.iter().any(|folder| path.starts_with(folder)))
    }

    fn may_give(&self, user: Option<&str>, group: Option<&str>) -> bool {
        let is_own = user.and_then(|name| User::from_name(name).ok()?).is_none_or(|user| user.uid == self.uid);
        let is_member =
            group.and_then(|name| Group::from_name(name).ok()?).is_none_or(|group| self.groups.contains(&group.gid));
        self.gives_away || is_own && is_member
    }
}

/// Returns the unit's text and that of its drop-ins, in systemd's order. `None` on a machine without the unit.
fn unit_text() -> Option<String> {
    let mut text = UNITS.iter().find_map(|folder| fs::read_to_string(format!("{folder}/ekeyd.service")).ok())?;
    for folder in DROP_INS {
        let entries = fs::read_dir(format!("{folder}/ekeyd.service.d")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
        files.sort();
        for file in files {
            text.push('\n');
            text.push_str(&fs::read_to_string(file).unwrap_or_default());
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "[Service]\nUser=nobody\nAmbientCapabilities=CAP_SYS_ADMIN\nProtectSystem=strict\n";

    fn warnings(unit: &str, config: &str) -> Vec<String> {
        let config = Config::parse(Path::new("ekeyd.toml"), config).unwrap();
        Service::read(unit).map(|service| service.warnings(&config)).unwrap_or_default()
    }

    /// Adds lines to the unit, as a drop-in does.
    fn with(lines: &str) -> String {
        format!("{UNIT}[Service]\n{lines}\n")
    }

    #[test]
    fn a_low_port_is_named_unless_the_unit_may_take_it() {
        let config =
            "[egd]\nlisten = [\"tcp:127.0.0.1:777\", \"tcp:127.0.0.1:8888\"]\n[http]\nlisten = \"127.0.0.1:80\"\n";
        let found = warnings(UNIT, config);
        if rights::first_free_port() <= 80 {
            return;
        }
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(":777") && found[0].contains("CAP_NET_BIND_SERVICE"), "{found:?}");
        for unit in [with("AmbientCapabilities=CAP_NET_BIND_SERVICE"), with("User=root"), with("User=nobody-has-this")]
        {
            assert_eq!(warnings(&unit, config), [""; 0], "{unit}");
        }
    }

    #[test]
    fn an_owner_that_the_user_cannot_give_is_named() {
        let socket = |owner: &str| format!("[egd]\nlisten = [{{ path = \"/run/ekeyd/egd.sock\"{owner} }}]\n");
        for (owner, named) in [
            (", owner = \"root\", group = \"daemon\"", Some("root:daemon")),
            (", group = \"daemon\"", Some(":daemon")),
            (", owner = \"root\"", Some("root")),
            (", owner = \"nobody\"", None),
            ("", None),
        ] {
            let found = warnings(UNIT, &socket(owner));
            assert_eq!(found.len(), usize::from(named.is_some()), "{owner}: {found:?}");
            assert!(
                found.iter().all(|line| line.contains("allow-groups") && line.contains(named.unwrap_or(""))),
                "{found:?}"
            );
        }
        for lines in ["SupplementaryGroups=daemon", "AmbientCapabilities=CAP_CHOWN"] {
            assert_eq!(warnings(&with(lines), &socket(", group = \"daemon\"")), [""; 0], "{lines}");
        }
    }

    #[test]
    fn a_socket_outside_the_units_folders_is_named() {
        let config = "control = \"/var/run/ekeyd.sock\"\n[egd]\nlisten = [\"unix:/etc/entropy\", \"unix:/run/ekeyd/egd.sock\"]\n";
        let found = warnings(UNIT, config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("/etc/entropy:"), "{found:?}");
        for lines in ["ReadWritePaths=-/etc/entropy", "ProtectSystem=no"] {
            assert_eq!(warnings(&with(lines), config), [""; 0], "{lines}");
        }
    }
}
