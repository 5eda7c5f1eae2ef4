//! `[egd-client]`: the EGD servers of other machines to fetch entropy from, and how much of it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ekey_control::path::check_socket_path;

use super::table::Table;
use super::value::shown;
use super::{Claim, Resource, Section, Tls, tls};

/// Limit on the servers: each may take a timeout before the next one's turn.
const MOST_SERVERS: usize = 16;
/// The longest host name, RFC 1035 2.3.4, less the dot at its end.
const MOST_HOST: usize = 253;
/// The values of `credit`.
const CREDITS: [(&str, Credit); 3] = [("none", Credit::None), ("tls", Credit::Tls), ("all", Credit::All)];
const PLACE: &str = "`tcp:HOST:PORT`, `tls:HOST:PORT` or `unix:PATH`";
const EXPECTED: &str = "`tcp:HOST:PORT` or `tls:HOST:PORT`, such as `tcp:keys.example.org:8888`, or `unix:PATH`";

/// `[egd-client]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EgdClient {
    /// The servers; the first that answers is used.
    pub connect: Vec<Server>,
    /// The files for the servers that are reached by TLS, if there are any.
    pub tls: Option<Tls>,
    /// Of which servers the kernel may count the bytes as entropy.
    pub credit: Credit,
    /// Limit of one request in bytes, 1 to 255.
    pub request_bytes: u8,
    /// Bytes to hold ready, in addition to what the kernel and clients want now.
    pub reserve_bytes: usize,
    /// How long to wait for a connection, and for each next byte of an answer.
    pub timeout: Duration,
    /// The pause after a server's first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl EgdClient {
    /// Makes one with these servers and the default amounts and times.
    pub(crate) fn of(connect: Vec<Server>) -> Self {
        Self {
            connect,
            tls: None,
            credit: Credit::Tls,
            request_bytes: 128,
            reserve_bytes: 512,
            timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// Of which servers the kernel may count the bytes as entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credit {
    /// Of none.
    None,
    /// Of those that are reached by TLS.
    Tls,
    /// Of all.
    All,
}

impl Credit {
    /// Returns whether it covers this server. At a unix socket, this machine cannot know where the bytes come from.
    pub(crate) fn covers(self, server: &Server) -> bool {
        match self {
            Self::None => false,
            Self::Tls => matches!(server, Server::Tls { .. }),
            Self::All => true,
        }
    }
}

/// Where an EGD server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// At a unix stream socket.
    Unix(PathBuf),
    /// At a TCP port.
    Tcp {
        /// A name or an address, an IPv6 address without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// At a TCP port, by TLS.
    Tls {
        /// As with [`Server::Tcp`]; its certificate must have this name.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl Server {
    /// Reads `unix:PATH`, `tcp:HOST:PORT` or `tls:HOST:PORT`, or says what is wrong with it.
    pub(super) fn parse(spec: &str) -> Result<Self, String> {
        let shown = shown(spec);
        match spec.split_once(':').unwrap_or((spec, "")) {
            ("unix", path) => {
                let path = Path::new(path);
                check_socket_path(path)?;
                Ok(Self::Unix(path.to_owned()))
            }
            (kind @ ("tcp" | "tls"), place) => {
                let (host, port) =
                    place.rsplit_once(':').ok_or(format!("`{shown}` has no port; expected {EXPECTED}"))?;
                let port = port.parse().ok().filter(|port| *port != 0);
                let port =
                    port.ok_or(format!("`{shown}` has no port from 1 to 65535 at its end; expected {EXPECTED}"))?;
                let host =
                    host_of(host).ok_or(format!("`{shown}` has no name or address of a host; expected {EXPECTED}"))?;
                if kind == "tcp" {
                    Ok(Self::Tcp { host, port })
                } else {
                    tls::built_in().map(|()| Self::Tls { host, port })
                }
            }
            _ => Err(format!("`{shown}` is not a server; expected {EXPECTED}")),
        }
    }

    /// Returns its host, unless that is an address.
    fn name_to_resolve(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } | Self::Tls { host, .. } => {
                Some(host).filter(|host| host.parse::<IpAddr>().is_err())
            }
            Self::Unix(_) => None,
        }
        .map(String::as_str)
    }

    /// Returns the server at TCP port `port` of `host`, by TLS or not. Returns `None` if `host` cannot be a host.
    pub(crate) fn at(host: &str, port: u16, tls: bool) -> Option<Self> {
        let is_v6 = host.parse::<Ipv6Addr>().is_ok();
        let host = if is_v6 { host.to_owned() } else { host_of(host)? };
        Some(if tls { Self::Tls { host, port } } else { Self::Tcp { host, port } })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } => write_place(f, "tcp", host, *port),
            Self::Tls { host, port } => write_place(f, "tls", host, *port),
        }
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, kind: &str, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(f, "{kind}:[{host}]:{port}") } else { write!(f, "{kind}:{host}:{port}") }
}

/// Returns the host as the resolver takes it, if it can be one.
fn host_of(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|_| address.to_owned());
    }
    let is_label = |label: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(letters) && !label.starts_with('-')
    };
    let is_host = text.len() <= MOST_HOST && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label);
    is_host.then(|| text.to_owned())
}

impl Section for EgdClient {
    const NAME: &'static str = "egd-client";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::of(servers(table));
        let over_tls = default.connect.iter().find(|server| matches!(server, Server::Tls { .. }));
        let over_tls = over_tls.map(ToString::to_string);
        let client = Self {
            credit: table.word("credit", &CREDITS).unwrap_or(default.credit),
            request_bytes: table.number("request-bytes", 1..=255).unwrap_or(default.request_bytes),
            reserve_bytes: table.number("reserve-bytes", 0..=65_536).unwrap_or(default.reserve_bytes),
            timeout: table.seconds("timeout-s", 1..=600).unwrap_or(default.timeout),
            longest_pause: table.seconds("longest-pause-s", 1..=3600).unwrap_or(default.longest_pause),
            tls: Tls::read(table, over_tls),
            ..default
        };
        table.is_there().then_some(client)
    }

    fn claims(&self) -> Vec<Claim> {
        let servers = self.connect.iter().map(|server| {
            Self::claim(
                "connect",
                match server {
                    Server::Unix(path) => Resource::Open(path.clone()),
                    Server::Tcp { host, port } | Server::Tls { host, port } => Resource::Connect(host.clone(), *port),
                },
            )
        });
        let names = self.connect.iter().filter_map(Server::name_to_resolve);
        let names = names.map(|host| Self::claim("connect", Resource::Resolve(host.to_owned())));
        servers.chain(names).chain(self.tls.iter().flat_map(Tls::claims::<Self>)).collect()
    }
}

fn servers(table: &mut Table<'_>) -> Vec<Server> {
    table.required("connect", EXPECTED);
    let Some(value) = table.value("connect") else { return Vec::new() };
    let entries = match value.entries() {
        Some(entries) => entries,
        None if value.is_text() => vec![value],
        None => {
            table.wrong_kind(value, &format!("{PLACE} in quotes, or a list of such"));
            return Vec::new();
        }
    };
    if entries.is_empty() || entries.len() > MOST_SERVERS {
        table.wrong("connect", &format!("has {} servers; expected 1 to {MOST_SERVERS}", entries.len()));
    }
    let entries = entries.get(..MOST_SERVERS).unwrap_or(&entries);
    table.once_each(entries, &format!("{PLACE} in quotes"), Server::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn one_server_may_stand_without_a_list() {
        let text = "[egd-client]\nconnect = \"tcp:192.0.2.1:8888\"";
        let config = Config::parse(Path::new("ekeyd.toml"), text).unwrap();
        let server = Server::Tcp { host: "192.0.2.1".to_owned(), port: 8888 };
        assert_eq!(config.egd_client, Some(EgdClient::of(vec![server])));
    }

    #[test]
    fn a_server_is_shown_as_it_is_written() {
        for spec in [
            "tls:host:1",
            "tls:[::1]:8888",
            "tcp:host:1",
            "tcp:a.b-c_d.example.:65535",
            "tcp:[::1]:8888",
            "tcp:127.0.0.1:8888",
            "unix:/e",
        ] {
            assert_eq!(Server::parse(spec).unwrap().to_string(), spec);
        }
        assert_eq!(Server::at("::1", 8888, false).unwrap().to_string(), "tcp:[::1]:8888");
        assert_eq!(Server::at("not a host", 8888, true), None);
    }
}
