//! Where a server listens: `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ekey_control::path::check_socket_path;

use super::table::Table;
use super::value::shown;
use super::{Resource, tls};

const FORM: &str = "`unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`";

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// A unix stream socket.
    Unix {
        /// Where to make it; absolute.
        path: PathBuf,
        /// Its mode; 0660 if `None`. Only the original's configuration sets it.
        mode: Option<u32>,
        /// Its owner; the daemon's user if `None`.
        user: Option<String>,
        /// Its group; the daemon's group if `None`.
        group: Option<String>,
    },
    /// A TCP port on one address, or on all of them.
    Tcp(SocketAddr),
    /// A TCP port for clients with a certificate of the authority in [`Tls`](super::Tls).
    Tls(SocketAddr),
}

impl Listen {
    /// A unix socket with the usual mode and owner.
    pub(crate) fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into(), mode: None, user: None, group: None }
    }

    /// Reads the list `listen`, if the table has it.
    pub(super) fn read_list(table: &mut Table<'_>) -> Option<Vec<Self>> {
        let entries = table.entries("listen", "a list such as [\"unix:/run/ekeyd/egd.sock\"]")?;
        Some(table.once_each(&entries, &format!("{FORM} in quotes"), Self::parse))
    }

    /// Returns what listening there needs.
    pub(super) fn resource(&self) -> Resource {
        match self {
            Self::Unix { path, .. } => Resource::Socket(path.clone()),
            Self::Tcp(address) | Self::Tls(address) => Resource::Listen(*address),
        }
    }

    /// Returns whether both name the same place, whatever their rights. Only one of them can be listened on.
    pub(super) fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.resource() == other.resource()
    }

    /// Reads `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`, or says what is wrong with it.
    pub(super) fn parse(spec: &str) -> Result<Self, String> {
        let (kind, place) = spec.split_once(':').unwrap_or((spec, ""));
        match kind {
            "unix" => {
                let path = Path::new(place);
                check_socket_path(path)?;
                Ok(Self::unix(path))
            }
            "tcp" | "tls" => match place.parse::<SocketAddr>() {
                Ok(address) if address.port() == 0 => Err(no_address(kind, spec)),
                Ok(address) if kind == "tcp" => Ok(Self::Tcp(address)),
                Ok(address) => tls::built_in().map(|()| Self::Tls(address)),
                Err(_) => Err(no_address(kind, spec)),
            },
            _ => Err(format!("`{}` is not a place to listen at; expected {FORM}", shown(spec))),
        }
    }
}

fn no_address(kind: &str, spec: &str) -> String {
    let spec = shown(spec);
    format!("`{spec}` has no address and port; expected for example `{kind}:127.0.0.1:8888` or `{kind}:[::1]:8888`")
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Tls(address) => write!(f, "tls:{address}"),
        }
    }
}
