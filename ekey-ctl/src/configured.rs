//! What the daemon's configuration says, so that root need not take the daemon's word: the keyring, the nodes of keys, the
//! daemon's user.
//!
//! Reads only these keys of the file, and leaves its other mistakes to `ekeyd check`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ekey_control::OriginalConfig;
use ekey_keyring::{DEFAULT_KEYRING, DaemonUser};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where the daemon looks for a configuration if its command line names none.
pub(crate) const CONFIGURATIONS: [&str; 2] = ["/etc/entropykey/ekeyd.toml", "/etc/entropykey/ekeyd.conf"];
/// The largest configuration, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// What the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configured {
    /// The file; `None` if there is none, so all below is the default.
    pub(crate) file: Option<PathBuf>,
    /// The file with the long-term keys.
    pub(crate) keyring: PathBuf,
    /// The nodes of keys.
    pub(crate) nodes: Vec<PathBuf>,
    /// Folders of which every entry is a key.
    pub(crate) folders: Vec<PathBuf>,
    /// The daemon's user.
    pub(crate) user: DaemonUser,
}

/// Why the configuration does not count.
#[derive(Debug, Error)]
pub(crate) enum ConfiguredError {
    /// The file cannot be read (host).
    #[error("{}: cannot read the daemon's configuration: {source}; correct the path", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Users other than root can change the file (host).
    #[error("{}: user {uid} or others (mode {mode:04o}) can change the daemon's configuration, so root does not follow it; give it to root: chown root {}; chmod go-w {}", path.display(), path.display(), path.display())]
    Untrusted { path: PathBuf, uid: u32, mode: u32 },
    /// The file has mistakes (config).
    #[error("{}: {what}; correct it until `ekeyd check {}` passes", path.display(), path.display())]
    Mistake { path: PathBuf, what: String },
}

impl Default for Configured {
    fn default() -> Self {
        Self {
            file: None,
            keyring: DEFAULT_KEYRING.into(),
            nodes: Vec::new(),
            folders: Vec::new(),
            user: DaemonUser::default(),
        }
    }
}

impl Configured {
    /// Reads the configuration `named`, else the daemon's usual one, if there is any.
    ///
    /// # Errors
    /// [`ConfiguredError`].
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, ConfiguredError> {
        match named {
            Some(path) => Self::read(path),
            None => Self::usual(Path::new("/")),
        }
    }

    /// Reads the usual configuration of a machine whose files are below `root`.
    ///
    /// # Errors
    /// [`ConfiguredError`].
    pub(crate) fn usual(root: &Path) -> Result<Self, ConfiguredError> {
        let below = |path: &str| root.join(path.trim_start_matches('/'));
        let found = CONFIGURATIONS.into_iter().map(below).find(|path| fs::symlink_metadata(path).is_ok());
        found.map_or_else(|| Ok(Self::default()), |path| Self::read(&path))
    }

    fn read(path: &Path) -> Result<Self, ConfiguredError> {
        let text = text_of(path)?;
        let configured = if path.extension().is_some_and(|end| end == "conf") {
            of_original(&text)
        } else {
            str::from_utf8(&text).map_err(|_| "it is not UTF-8".to_owned()).and_then(of_toml)
        };
        match configured {
            Ok(configured) => Ok(Self { file: Some(path.to_owned()), ..configured }),
            Err(what) => Err(ConfiguredError::Mistake { path: path.to_owned(), what }),
        }
    }
}

fn text_of(path: &Path) -> Result<Vec<u8>, ConfiguredError> {
    let unreadable = |source| ConfiguredError::Unreadable { path: path.to_owned(), source };
    // Open without waiting: a pipe without a writer would block.
    let nonblocking = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if geteuid().is_root() && (found.uid() != 0 || found.mode() & 0o022 != 0) {
        let (uid, mode) = (found.uid(), found.mode() & 0o7777);
        return Err(ConfiguredError::Untrusted { path: path.to_owned(), uid, mode });
    }
    let mut text = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(unreadable(io::Error::other("larger than 1 MiB, not a configuration")));
    }
    Ok(text)
}

fn of_toml(text: &str) -> Result<Configured, String> {
    let document = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    let top = document.get_ref();
    let section = |name: &str| match top.get(name).map(Spanned::get_ref) {
        Some(DeValue::Table(section)) => Some(section),
        _ => None,
    };
    let default = Configured::default();
    let keyring = text_in(top, "keyring")?.map_or(default.keyring, PathBuf::from);
    let user = section("sandbox").map_or(Ok(None), |sandbox| text_in(sandbox, "user"))?;
    let user = user.map_or(default.user, |name| DaemonUser::named(&name));
    let paths = section("keys").and_then(|keys| keys.get("paths")).map(Spanned::get_ref);
    let nodes = match paths {
        Some(DeValue::Array(paths)) => paths.iter().filter_map(|node| node_of(node.get_ref())).collect(),
        _ => Vec::new(),
    };
    if !keyring.is_absolute() {
        return Err(format!("`keyring` is a relative path, `{}`; expected an absolute one", keyring.display()));
    }
    Ok(Configured { keyring, nodes, user, ..default })
}

fn text_in(table: &DeTable<'_>, key: &str) -> Result<Option<String>, String> {
    match table.get(key).map(Spanned::get_ref) {
        None => Ok(None),
        Some(DeValue::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(format!("`{key}` is not a text in quotes")),
    }
}

/// Returns the path of an entry of `[keys] paths`: a text, or a table with a path and a serial number.
fn node_of(entry: &DeValue<'_>) -> Option<PathBuf> {
    let path = match entry {
        DeValue::String(path) => path.as_ref(),
        DeValue::Table(fields) => match fields.get("path")?.get_ref() {
            DeValue::String(path) => path.as_ref(),
            _ => return None,
        },
        _ => return None,
    };
    Some(path.into())
}

fn of_original(text: &[u8]) -> Result<Configured, String> {
    let (config, mistakes) = OriginalConfig::read(text);
    if let Some(first) = mistakes.first() {
        return Err(format!("line {}: {}", first.line, first.what));
    }
    let default = Configured::default();
    Ok(Configured {
        keyring: config.keyring.map_or(default.keyring, |keyring| keyring.value),
        nodes: config.keys.into_iter().map(|key| key.value.path).collect(),
        folders: config.folders.into_iter().map(|folder| folder.value).collect(),
        ..default
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    #[test]
    fn either_configuration_names_keyring_nodes_and_user() {
        let own = "keyring = \"/k\"\n[keys]\npaths = [\"/a\", { path = \"/b\", serial = \"NwBvBlg3OTBJORFD\" }]\n\
                   [sandbox]\nuser = \"entropy\"\n";
        let own = of_toml(own).unwrap();
        assert_eq!((own.keyring, own.nodes), ("/k".into(), vec!["/a".into(), "/b".into()]));
        assert_eq!(own.user, DaemonUser::named("entropy"));
        let original = "Keyring \"/k\"\nAddEntropyKey \"/a\"\nAddEntropyKeys \"/folder\"\n";
        let original = of_original(original.as_bytes()).unwrap();
        assert_eq!((original.keyring, original.nodes), ("/k".into(), vec!["/a".into()]));
        assert_eq!((original.folders, original.user), (vec!["/folder".into()], DaemonUser::default()));
        assert_eq!(of_toml("").unwrap(), Configured::default());
        for wrong in ["keyring = 1", "keyring = \"k\"", "keyring", "[sandbox]\nuser = 0"] {
            assert!(of_toml(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_daemons_own_configuration_comes_first() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Configured::usual(root.path()).unwrap(), Configured::default());
        let folder = root.path().join("etc/entropykey");
        fs::create_dir_all(&folder).unwrap();
        for (name, text, expected) in
            [("ekeyd.conf", "Keyring \"/original\"\n", "/original"), ("ekeyd.toml", "keyring = \"/own\"\n", "/own")]
        {
            fs::write(folder.join(name), text).unwrap();
            assert_eq!(Configured::usual(root.path()).unwrap().keyring, Path::new(expected));
        }
    }

    #[test]
    fn root_follows_no_configuration_of_others() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let set_mode = |mode| fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        let load = || Configured::load(Some(file.path()));
        set_mode(0o644);
        assert!(load().is_ok());
        if !geteuid().is_root() {
            return;
        }
        for mode in [0o664, 0o646] {
            set_mode(mode);
            assert!(matches!(load(), Err(ConfiguredError::Untrusted { .. })), "{mode:o}");
        }
        set_mode(0o644);
        chown(file.path(), Some(65534), None).unwrap();
        assert!(matches!(load(), Err(ConfiguredError::Untrusted { uid: 65534, .. })));
    }
}
