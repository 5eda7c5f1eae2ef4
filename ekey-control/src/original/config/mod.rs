//! The configuration file of the original daemon, `ekeyd.conf`: its statements, each with its place.
//!
//! The original runs the file as Lua. This crate reads its statements and runs nothing. It checks what the file alone shows; the
//! daemon checks the rest. As in the original, there may be several control sockets, EGD sockets and keys; of other statements the
//! last counts. Unlike in the original, a file may name several outputs.

mod arguments;
mod statement;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::{fmt, io};

use crate::language::statement::read_file;
pub use statement::octal_mode;

/// All that a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginalConfig {
    /// `Keyring`: the file with the long-term keys.
    pub keyring: Option<Placed<PathBuf>>,
    /// `UnixControlSocket`: where to listen for commands.
    pub unix_control: Vec<Placed<PathBuf>>,
    /// `TCPControlSocket`: ports on 127.0.0.1 on which the original daemon takes commands from everyone.
    pub tcp_control: Vec<Placed<u16>>,
    /// `SetOutputToKernel`: the bits of entropy to credit for each byte, 1 to 8.
    pub kernel_bits: Option<Placed<u8>>,
    /// `SetOutputToFile`: the file that gets all entropy.
    pub file: Option<Placed<PathBuf>>,
    /// `EGDUnixSocket` and `EGDTCPSocket`.
    pub egd: Vec<Placed<EgdSocket>>,
    /// `AddEntropyKey`.
    pub keys: Vec<Placed<KeyNode>>,
    /// `AddEntropyKeys`: folders of which every entry is a key.
    pub folders: Vec<Placed<PathBuf>>,
    /// `Daemonise`: whether to go into the background.
    pub daemonise: Option<Placed<bool>>,
}

/// What a statement says, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The line, from 1.
    pub line: usize,
    /// The column of the statement's name in characters, from 1.
    pub column: usize,
    /// What it says.
    pub value: T,
}

/// Where the EGD server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgdSocket {
    /// A unix stream socket.
    Unix {
        /// Where to make it; absolute.
        path: PathBuf,
        /// Its permission bits, at most 0777.
        mode: Option<u32>,
        /// The user to give it to.
        user: Option<String>,
        /// The group to give it to.
        group: Option<String>,
    },
    /// A TCP port.
    Tcp {
        /// 127.0.0.1 unless the file names another.
        host: Host,
        /// From 1.
        port: u16,
    },
}

/// The address of this machine on which to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address. `*` is 0.0.0.0.
    Address(IpAddr),
    /// A name, or a short form of an address, which the system resolves.
    Name(String),
}

impl Host {
    /// Reads an address, `*` or a name. Returns `None` if it is none of them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Address(Ipv4Addr::UNSPECIFIED.into()));
        }
        let is_name = |text: &str| {
            text.len() <= 253
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        text.parse().map(Self::Address).ok().or_else(|| is_name(text).then(|| Self::Name(text.to_owned())))
    }

    /// Returns the address on which to listen at `port`, as the original does: of a name an IPv4 address if it has one. `None` if it
    /// has no address.
    ///
    /// # Errors
    /// The system cannot resolve the name.
    pub fn resolve(&self, port: u16) -> io::Result<Option<SocketAddr>> {
        let name = match self {
            Self::Address(address) => return Ok(Some(SocketAddr::new(*address, port))),
            Self::Name(name) => name.as_str(),
        };
        let found: Vec<SocketAddr> = (name, port).to_socket_addrs()?.collect();
        Ok(found.iter().find(|address| address.is_ipv4()).or(found.first()).copied())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A key that is named by where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNode {
    /// A tty or a unix socket; absolute.
    pub path: PathBuf,
    /// The serial number that is expected there: 16 characters of base64.
    pub serial: Option<String>,
}

/// A mistake in the file, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and what is expected.
    pub what: String,
}

impl OriginalConfig {
    /// Reads the text of a file. Returns what it understood, and every mistake in the order of the file. Do not use a file that has
    /// a mistake.
    #[must_use]
    pub fn read(text: impl AsRef<[u8]>) -> (Self, Vec<ConfigMistake>) {
        let text = text.as_ref();
        let (statements, errors) = read_file(text);
        let errors = errors.into_iter();
        let mut mistakes: Vec<ConfigMistake> = errors
            .map(|error| ConfigMistake { line: error.line, column: error.column, what: error.mistake.to_string() })
            .collect();
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let mut config = Self::default();
        for (line, statement) in statements {
            let column = lines.get(line - 1).map_or(1, |text| column_of(text, &statement.name));
            if let Err(what) = statement::apply(&mut config, &statement, line, column) {
                mistakes.push(ConfigMistake { line, column, what });
            }
        }
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        (config, mistakes)
    }
}

fn column_of(line: &[u8], name: &str) -> usize {
    let line = String::from_utf8_lossy(line);
    line.find(name).and_then(|at| line.get(..at)).map_or(1, |before| before.chars().count() + 1)
}
