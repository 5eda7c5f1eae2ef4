//! The configuration file: reads it as a whole and reports every mistake with its place.
//!
//! A file is either this daemon's own (TOML) or the `ekeyd.conf` of the original daemon; both end up as one [`Config`].

mod claim;
mod egd;
mod egd_client;
mod error;
mod expand;
mod file;
mod health;
mod http;
mod kernel;
mod keys;
mod listen;
mod network;
mod original;
mod pool;
mod recovery;
mod sandbox;
mod table;
mod tls;
mod value;

use std::fs::OpenOptions;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ekey_control::path::{check_path, check_socket_path};
use nix::fcntl::OFlag;
use toml::de::DeTable;

pub(crate) use claim::{Claim, Resource};
pub(crate) use egd::{Egd, Limits, Principal};
pub(crate) use egd_client::{Credit, EgdClient, Server};
pub(crate) use error::{ConfigError, Mistake};
pub(crate) use expand::Expand;
pub(crate) use file::File;
pub(crate) use health::Health;
pub(crate) use http::Http;
pub(crate) use kernel::Kernel;
pub(crate) use keys::{KeyPath, Keys, Transport};
pub(crate) use listen::Listen;
pub(crate) use network::Network;
pub(crate) use pool::Pool;
pub(crate) use recovery::Recovery;
pub(crate) use sandbox::{RunAs, Sandbox};
pub(crate) use table::Table;
pub(crate) use tls::Tls;

/// Limit of a configuration file in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Makes [`Config`] of the top of the file and a field for each section, in the order of the file.
macro_rules! config {
    ($($(#[$doc:meta])* $section:ident: $type:ty,)*) => {
        /// The whole configuration. [`Config::default`] is that of an empty file.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Config {
            /// The file with the long-term keys.
            pub keyring: PathBuf,
            /// The state directory, if one is named.
            pub state_dir: Option<PathBuf>,
            /// The control sockets, at least one. The first is the one that messages name.
            pub control: Vec<PathBuf>,
            /// The ports of read-only control sockets on 127.0.0.1.
            pub control_tcp: Vec<u16>,
            /// Whether to go into the background when started with the original's flags; it has no key in TOML.
            pub daemonise: bool,
            $($(#[$doc])* pub $section: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    keyring: "/etc/entropykey/keyring".into(),
                    state_dir: None,
                    control: vec!["/run/ekeyd/control.sock".into()],
                    control_tcp: Vec::new(),
                    daemonise: true,
                    $($section: <$type>::default(),)*
                }
            }
        }

        impl Section for Config {
            const NAME: &'static str = "";

            fn read(table: &mut Table<'_>) -> Option<Self> {
                let default = Self::default();
                Some(Self {
                    keyring: table.path("keyring", check_path).unwrap_or(default.keyring),
                    state_dir: table.path("state-dir", check_path),
                    control: table
                        .one_or_more("control", |table, path| table.path_of(path, check_socket_path))
                        .unwrap_or(default.control),
                    control_tcp: table
                        .one_or_more("control-tcp", |table, port| {
                            table.number_of(port, 1..=65_535, "a whole number from 1 to 65535")
                        })
                        .unwrap_or_default(),
                    daemonise: default.daemonise,
                    $($section: table.section().unwrap_or(default.$section),)*
                })
            }

            fn claims(&self) -> Vec<Claim> {
                let port = |port| Self::claim("control-tcp", Resource::Listen((Ipv4Addr::LOCALHOST, port).into()));
                let mut claims = vec![
                    Self::claim("keyring", Resource::Read(self.keyring.clone())),
                    Self::claim("state-dir", Resource::State(self.state_folder())),
                ];
                claims.extend(self.control.iter().map(|path| Self::claim("control", Resource::Socket(path.clone()))));
                claims.extend(self.control_tcp.iter().copied().map(port));
                $(claims.extend(self.$section.claims());)*
                claims
            }
        }
    };
}

config! {
    /// Which keys to use.
    keys: Keys,
    /// What to do about a key that is silent.
    recovery: Recovery,
    /// How to test a key's stream.
    health: Health,
    /// Feeding this machine's kernel.
    kernel: Kernel,
    /// Entropy that waits for an output.
    pool: Pool,
    /// Serving programs and virtual machines.
    egd: Egd,
    /// Serving the generator's output, which is not full entropy, if at all.
    expand: Option<Expand>,
    /// Fetching from other machines' EGD servers, if at all.
    egd_client: Option<EgdClient>,
    /// Writing to a file or pipe, if at all.
    file: Option<File>,
    /// Showing the status to browsers and monitoring programs, if at all.
    http: Option<Http>,
    /// What the daemon gives up once it runs.
    sandbox: Sandbox,
}

/// A part of the configuration: a section, or the top of the file.
///
/// A section has its own file with everything about it: its keys, its defaults, and how it is read.
pub(crate) trait Section: Sized {
    /// Its name in the file, without brackets.
    const NAME: &'static str;

    /// Reads it. Notes mistakes in `table`. Returns `None` if what it configures is off.
    ///
    /// Always asks for every key: the keys asked for are the keys that exist.
    fn read(table: &mut Table<'_>) -> Option<Self>;

    /// Returns what it needs from the machine, for each key in the order of the file. By default nothing.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Returns the claim that `key` of this section needs `resource`.
    fn claim(key: &'static str, resource: Resource) -> Claim {
        Claim { section: Self::NAME, key, resource }
    }
}

/// A section that is off by default.
impl<S: Section> Section for Option<S> {
    const NAME: &'static str = S::NAME;

    fn read(table: &mut Table<'_>) -> Option<Self> {
        Some(S::read(table))
    }

    fn claims(&self) -> Vec<Claim> {
        self.iter().flat_map(Section::claims).collect()
    }
}

fn from_toml(file: &Path, text: &str) -> Result<(Config, Vec<Mistake>), ConfigError> {
    let source = error::Source::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let syntax = errors.iter().map(|error| {
        let place = error.span().map_or(text.len(), |span| span.start);
        source.mistake(place, format!("not TOML: {}", error.message()))
    });
    let mut mistakes: Vec<_> = syntax.collect();
    let mut top = Table::top(source, &document);
    let config = Config::read(&mut top).unwrap_or_default();
    top.note_clashes(&config.claims());
    let (found, notes) = top.findings();
    // On a line that is not TOML, the parser guesses: ignore what it found there.
    let unread: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
    mistakes.extend(found.into_iter().filter(|mistake| !unread.contains(&mistake.line)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok((config, notes)) } else { Err(ConfigError::Mistakes(mistakes)) }
}

impl Config {
    /// Reads the configuration at `path`. Returns it with notes, such as a key's new name.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] if it cannot be read as text, else [`ConfigError::Mistakes`] with every mistake in it.
    pub(crate) fn load(path: &Path) -> Result<(Self, Vec<Mistake>), ConfigError> {
        Self::parse_noting(path, &text_of(path)?)
    }

    /// Returns the folder for what the daemon must remember: the one in the configuration, else the service manager's, else
    /// `/var/lib/ekeyd`.
    pub(crate) fn state_folder(&self) -> PathBuf {
        // Folders are separated by colons, systemd.exec(5).
        let folders = std::env::var("STATE_DIRECTORY").unwrap_or_default();
        let given = || folders.split(':').next().map(PathBuf::from).filter(|folder| folder.is_absolute());
        self.state_dir.clone().or_else(given).unwrap_or_else(|| "/var/lib/ekeyd".into())
    }

    /// Returns the TLS files that listeners and servers need.
    #[cfg(any(feature = "tls", test))]
    pub(crate) fn tls_in_use(&self) -> impl Iterator<Item = &Tls> {
        self.egd.tls.iter().chain(self.egd_client.iter().filter_map(|client| client.tls.as_ref()))
    }

    /// Reads the configuration from `text`, without the notes.
    ///
    /// # Errors
    /// [`ConfigError::Mistakes`] with every mistake in it.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::parse_noting(file, text).map(|(config, _)| config)
    }

    /// Reads the configuration from `text`. Mistakes name `file`. A name that ends with `.conf` means the original daemon's
    /// format, else TOML.
    ///
    /// # Errors
    /// [`ConfigError::Mistakes`] with every mistake in it.
    fn parse_noting(file: &Path, text: &str) -> Result<(Self, Vec<Mistake>), ConfigError> {
        if file.extension().is_some_and(|extension| extension == "conf") {
            Ok((original::config(file, text)?, Vec::new()))
        } else {
            from_toml(file, text)
        }
    }
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // Without waiting: a pipe without a writer would hang the daemon.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(ConfigError::NotAFile { path: path.to_owned() });
    }
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let place = error::Source::new(path, std::str::from_utf8(valid).unwrap_or_default());
        ConfigError::Mistakes(vec![place.mistake(valid.len(), "not UTF-8; save the file as UTF-8".to_owned())])
    })
}

#[cfg(test)]
mod tests;
