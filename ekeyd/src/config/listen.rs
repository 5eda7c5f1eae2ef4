//! Where a server listens: `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`, or a table with a unix socket's path, mode and owners.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ekey_control::original::octal_mode;
use ekey_control::path::check_socket_path;

use nix::unistd::{Group, User};

use super::table::Table;
use super::value::{Value, shown};
use super::{Resource, tls};

const FORM: &str = "`unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`";
const TABLE: &str = "{ path = \"...\", mode = \"0660\", owner = \"...\", group = \"...\" }";

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// A unix stream socket.
    Unix {
        /// Where to make it; absolute.
        path: PathBuf,
        /// Its mode; 0660 if `None`.
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
        let mut seen = Vec::new();
        table.list("listen", "a list such as [\"unix:/run/ekeyd/egd.sock\"]", |table, entry| {
            let place = Self::read(table, entry)?;
            let name = place.to_string();
            let is_new = !seen.contains(&name);
            let place = is_new.then_some(place).ok_or_else(|| format!("`{name}` is there twice; leave one out"));
            seen.push(name);
            table.accepted(entry, place)
        })
    }

    /// Reads one entry of the list.
    fn read<'v>(table: &mut Table<'v>, entry: Value<'v>) -> Option<Self> {
        let expected = format!("{FORM} in quotes, or {TABLE}");
        if entry.is_text() {
            let place = Self::parse(table.text_of(entry, &expected)?);
            return table.accepted(entry, place);
        }
        table.entry(entry, "an entry of `listen`", &expected, |fields| {
            fields.required("path", TABLE);
            let path = fields.path("path", check_socket_path);
            let mode =
                fields.parsed("mode", "an octal mode such as \"0660\" in quotes, without bits above 0777", octal_mode);
            let user = owner(fields, "owner", "user");
            let group = owner(fields, "group", "group");
            Some(Self::Unix { path: path?, mode, user, group })
        })
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

/// Reads the name of a `kind` of owner, which this machine must have.
fn owner(fields: &mut Table<'_>, key: &'static str, kind: &str) -> Option<String> {
    let value = fields.value(key)?;
    let name = fields.text_of(value, "a name in quotes")?;
    let known = if has_owner(kind, name) { Ok(name.to_owned()) } else { Err(no_owner(kind, name)) };
    fields.accepted(value, known)
}

/// Returns whether this machine has that user or group, as `kind` says.
pub(super) fn has_owner(kind: &str, name: &str) -> bool {
    match kind {
        "user" => matches!(User::from_name(name), Ok(Some(_))),
        _ => matches!(Group::from_name(name), Ok(Some(_))),
    }
}

/// Says that this machine does not have that user or group.
pub(super) fn no_owner(kind: &str, name: &str) -> String {
    let name = shown(name);
    format!("this machine has no {kind} `{name}`; add it (add{kind} --system), or name another")
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
