//! What the daemon is told to do: the configuration file, read whole, with every mistake in it and its place.
//!
//! A file is either this daemon's own (TOML) or the `ekeyd.conf` of the original daemon; both end up as one [`Config`].

mod egd;
mod egd_client;
mod error;
mod expand;
mod health;
mod listen;
mod network;
mod original;
mod read;
mod sandbox;
mod section;
mod tls;

use std::fs::OpenOptions;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use egd::{Egd, Limits, Principal};
pub(crate) use egd_client::{EgdClient, Server};
use nix::fcntl::OFlag;

pub(crate) use error::ConfigError;
pub(crate) use expand::Expand;
pub(crate) use health::Health;
pub(crate) use listen::Listen;
pub(crate) use network::Network;
pub(crate) use sandbox::{RunAs, Sandbox};
pub(crate) use tls::Tls;

/// A configuration larger than this, in bytes, is none.
const MOST_BYTES: u64 = 1024 * 1024;

/// The whole configuration. [`Config::default`] is that of an empty file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The file with the long-term keys.
    pub keyring: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// The port of 127.0.0.1 on which the control language is spoken too, for reading only.
    pub control_tcp: Option<u16>,
    /// Which keys to use.
    pub keys: Keys,
    /// What to do about a key that is silent.
    pub recovery: Recovery,
    /// How a key's stream is judged.
    pub health: Health,
    /// Feeding this machine's kernel.
    pub kernel: Kernel,
    /// Serving programs and virtual machines.
    pub egd: Egd,
    /// Serving expanded entropy, which is not full entropy, if at all.
    pub expand: Option<Expand>,
    /// Fetching from other machines' EGD servers, if at all.
    pub egd_client: Option<EgdClient>,
    /// Writing to a file or pipe, if at all.
    pub file: Option<File>,
    /// Showing the status to browsers and monitoring programs, if at all.
    pub http: Option<Http>,
    /// What the daemon gives up once it runs.
    pub sandbox: Sandbox,
}

/// `[keys]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Whether to use every key that appears on USB.
    pub discover: bool,
    /// How to reach the keys that are discovered.
    pub transport: Transport,
    /// Keys to use besides.
    pub paths: Vec<KeyPath>,
    /// Folders of which every entry is a key; only the original's configuration names any (`AddEntropyKeys`).
    pub folders: Vec<PathBuf>,
}

/// How to reach a key that was discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// By its tty if it has one, else by USB.
    Auto,
    /// By its tty only.
    Tty,
    /// By USB only.
    Usb,
}

/// A key that was named by where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPath {
    /// A tty or a unix socket; absolute.
    pub path: PathBuf,
    /// The serial number that the key there must have: 16 characters of base64, if it matters which key it is.
    pub serial: Option<String>,
}

/// `[recovery]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// How long a key may say nothing before something is done about it.
    pub silence: Duration,
    /// Whether to reset its USB port's device.
    pub usb_reset: bool,
    /// Whether to switch its USB port's power off and on.
    pub port_power: bool,
}

/// `[kernel]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Whether to feed it.
    pub enabled: bool,
    /// Bits of entropy to credit for each byte, 1 to 8.
    pub bits_per_byte: u8,
    /// How often to feed it once it is seeded.
    pub interval: Duration,
}

/// `[file]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// A file or a pipe, absolute, or `-` for the standard output.
    pub path: PathBuf,
    /// How many bytes at most; no bound if none.
    pub max_bytes: Option<u64>,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where to listen: this machine only, unless the file says that others may look.
    pub listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keyring: "/etc/entropykey/keyring".into(),
            control: "/run/ekeyd/control.sock".into(),
            control_tcp: None,
            keys: Keys { discover: true, transport: Transport::Auto, paths: Vec::new(), folders: Vec::new() },
            recovery: Recovery { silence: Duration::from_secs(3), usb_reset: true, port_power: false },
            health: Health::default(),
            kernel: Kernel { enabled: true, bits_per_byte: 7, interval: Duration::from_secs(60) },
            egd: Egd::default(),
            expand: None,
            egd_client: None,
            file: None,
            http: None,
            sandbox: Sandbox::default(),
        }
    }
}

impl Config {
    /// Reads the configuration at `path`.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] if it cannot be read as text, else [`ConfigError::Mistakes`] with every mistake in it.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &text_of(path)?)
    }

    /// The files of TLS for listeners and for servers, where there are any that need them.
    pub(crate) fn tls_in_use(&self) -> impl Iterator<Item = &Tls> {
        self.egd.tls.iter().chain(self.egd_client.iter().filter_map(|client| client.tls.as_ref()))
    }

    /// Reads the configuration from `text`; `file` is what mistakes name as its place. If its name ends with `.conf` it is one of
    /// the original daemon, else TOML.
    ///
    /// # Errors
    /// [`ConfigError::Mistakes`] with every mistake in it.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        if file.extension().is_some_and(|extension| extension == "conf") {
            original::config(file, text)
        } else {
            read::config(file, text)
        }
    }
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // Without waiting, or a pipe that nobody writes would hang the daemon.
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
        ConfigError::Mistakes(vec![place.mistake(valid.len(), "this is no UTF-8; save the file as UTF-8".to_owned())])
    })
}

#[cfg(test)]
mod tests;
