//! Where the EGD server listens: `unix:PATH`, `tcp:ADDR:PORT`, and `tls:ADDR:PORT` to come.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The most bytes of a unix socket's path, unix(7), less the zero at its end.
const MOST_SOCKET_PATH: usize = 107;

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
}

impl Listen {
    /// A unix socket with the usual mode and owner.
    pub(crate) fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into(), mode: None, user: None, group: None }
    }

    /// Reads `unix:PATH` or `tcp:ADDR:PORT`, or says what is wrong with it.
    pub(super) fn parse(spec: &str) -> Result<Self, String> {
        let (kind, place) = spec.split_once(':').unwrap_or((spec, ""));
        match kind {
            "unix" => {
                let path = Path::new(place);
                check_socket_path(path)?;
                Ok(Self::unix(path))
            }
            "tcp" => match place.parse::<SocketAddr>() {
                Ok(address) if address.port() != 0 => Ok(Self::Tcp(address)),
                _ => Err(format!(
                    "`{spec}` has no address and port; expected for example `tcp:127.0.0.1:8888` or `tcp:[::1]:8888`"
                )),
            },
            "tls" => Err("tls is not available yet; expected `unix:PATH` or `tcp:ADDR:PORT`".to_owned()),
            _ => Err(format!("`{spec}` is no place to listen at; expected `unix:PATH` or `tcp:ADDR:PORT`")),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Says what is wrong with a path, if it cannot be one of a file of this machine.
pub(super) fn check_path(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if path.as_os_str().is_empty() {
        Err("the path is empty; expected an absolute path".to_owned())
    } else if path.as_os_str().as_encoded_bytes().contains(&0) {
        Err("the path has a zero byte in it; expected an absolute path".to_owned())
    } else if path.is_absolute() {
        Ok(())
    } else {
        Err(format!("`{shown}` is a relative path; expected an absolute one, such as `/{shown}`"))
    }
}

/// Like [`check_path`], for a path where a unix socket is to be made.
pub(super) fn check_socket_path(path: &Path) -> Result<(), String> {
    check_path(path)?;
    let bytes = path.as_os_str().len();
    if bytes > MOST_SOCKET_PATH {
        return Err(format!("the socket's path has {bytes} bytes; expected at most {MOST_SOCKET_PATH}"));
    }
    Ok(())
}
