//! Where the EGD server listens: `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ekey_control::path::check_socket_path;

use super::tls;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// A unix stream socket.
    Unix {
        /// Where to make it; absolute.
        path: PathBuf,
        /// Its mode, if the original's configuration gave one.
        mode: Option<u32>,
        /// The user to give it to, if the original's configuration named one.
        user: Option<String>,
        /// The group to give it to, if the original's configuration named one.
        group: Option<String>,
    },
    /// A TCP port on one address, or on all of them.
    Tcp(SocketAddr),
    /// The same, for those with a certificate of the authority in [`Tls`](super::Tls) only.
    Tls(SocketAddr),
}

impl Listen {
    /// A unix socket with the usual mode and owner.
    pub(crate) fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into(), mode: None, user: None, group: None }
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
            _ => Err(format!(
                "`{spec}` is no place to listen at; expected `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`"
            )),
        }
    }
}

fn no_address(kind: &str, spec: &str) -> String {
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
