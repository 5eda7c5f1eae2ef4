//! `[egd-client]`: the EGD servers of other machines to fetch entropy from, and how much of it.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ekey_control::path::check_socket_path;
use toml::Spanned;
use toml::de::DeValue;

use super::read::shown;
use super::section::{Notes, Section, wrong_kind};
use super::tls::{self, Tls};

/// The keys of the section.
pub(super) const KEYS: [&str; 8] = [
    "connect",
    "request-bytes",
    "reserve-bytes",
    "timeout-s",
    "longest-pause-s",
    tls::KEYS[0],
    tls::KEYS[1],
    tls::KEYS[2],
];

/// Servers at most; each may take a timeout before the next one's turn.
const MOST_SERVERS: usize = 16;
/// The longest host name, RFC 1035 2.3.4, less the dot at its end.
const MOST_HOST: usize = 253;
const PLACE: &str = "`tcp:HOST:PORT`, `tls:HOST:PORT` or `unix:PATH`";
const EXPECTED: &str =
    "expected `tcp:HOST:PORT` or `tls:HOST:PORT`, such as `tcp:keys.example.org:8888`, or `unix:PATH`";

/// `[egd-client]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EgdClient {
    /// The servers; the first that answers is used.
    pub connect: Vec<Server>,
    /// The files for the servers that are reached by TLS, if there are any.
    pub tls: Option<Tls>,
    /// Bytes to ask for at a time, at most; 1 to 255.
    pub request_bytes: u8,
    /// Bytes to hold ready, besides what the kernel and clients want at the moment.
    pub reserve_bytes: usize,
    /// How long to wait for a connection, and for each next byte of an answer.
    pub timeout: Duration,
    /// The pause after a server's first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest that pause becomes.
    pub longest_pause: Duration,
}

impl EgdClient {
    /// With these servers, and the usual amounts and times.
    pub(crate) fn of(connect: Vec<Server>) -> Self {
        Self {
            connect,
            tls: None,
            request_bytes: 128,
            reserve_bytes: 512,
            timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
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
        /// As with [`Server::Tcp`]; also the name that must be in its certificate.
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
                let (host, port) = place.rsplit_once(':').ok_or(format!("`{shown}` has no port; {EXPECTED}"))?;
                let port = port.parse().ok().filter(|port| *port != 0);
                let port = port.ok_or(format!("`{shown}` has no port from 1 to 65535 at its end; {EXPECTED}"))?;
                let host = host_of(host).ok_or(format!("`{shown}` has no name or address of a host; {EXPECTED}"))?;
                if kind == "tcp" {
                    Ok(Self::Tcp { host, port })
                } else {
                    tls::built_in().map(|()| Self::Tls { host, port })
                }
            }
            _ => Err(format!("`{shown}` is no place of a server; {EXPECTED}")),
        }
    }

    /// The server at TCP port `port` of `host`, by TLS or not, or nothing if that can be no host.
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

/// The host as the resolver takes it, if it can be one.
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

/// Reads the section; none if the file has none.
pub(super) fn read(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<EgdClient> {
    if !section.is_there() {
        return None;
    }
    let due = EgdClient::of(servers(notes, section));
    let over_tls = due.connect.iter().find(|server| matches!(server, Server::Tls { .. })).map(ToString::to_string);
    let tls = tls::read(notes, section, over_tls.as_deref());
    let request = section.number(notes, "request-bytes", 1..=255).and_then(|bytes| u8::try_from(bytes).ok());
    let reserve = section.number(notes, "reserve-bytes", 0..=65_536).and_then(|bytes| usize::try_from(bytes).ok());
    let timeout = section.number(notes, "timeout-s", 1..=600).map(Duration::from_secs);
    let longest_pause = section.number(notes, "longest-pause-s", 1..=3600).map(Duration::from_secs);
    Some(EgdClient {
        tls,
        request_bytes: request.unwrap_or(due.request_bytes),
        reserve_bytes: reserve.unwrap_or(due.reserve_bytes),
        timeout: timeout.unwrap_or(due.timeout),
        longest_pause: longest_pause.unwrap_or(due.longest_pause),
        ..due
    })
}

fn servers(notes: &mut Notes<'_>, section: &Section<'_>) -> Vec<Server> {
    let Some((_, value)) = section.value("connect") else {
        notes.note(section.offset, format!("[egd-client] has no `connect`; {EXPECTED}"));
        return Vec::new();
    };
    let entries = match value.get_ref() {
        DeValue::String(_) => std::slice::from_ref(value),
        DeValue::Array(entries) => &entries[..],
        _ => {
            wrong_kind(notes, "connect", value, &format!("{PLACE} in quotes, or a list of such"));
            return Vec::new();
        }
    };
    if entries.is_empty() || entries.len() > MOST_SERVERS {
        let count = entries.len();
        notes.note(value.span().start, format!("`connect` has {count} servers; expected 1 to {MOST_SERVERS}"));
    }
    let mut servers = Vec::new();
    for entry in entries.iter().take(MOST_SERVERS) {
        server(notes, entry, &mut servers);
    }
    servers
}

fn server(notes: &mut Notes<'_>, entry: &Spanned<DeValue<'_>>, servers: &mut Vec<Server>) {
    let at = entry.span().start;
    let DeValue::String(spec) = entry.get_ref() else {
        return wrong_kind(notes, "connect", entry, &format!("{PLACE} in quotes"));
    };
    match Server::parse(spec) {
        Ok(server) if servers.contains(&server) => {
            notes.note(at, format!("`connect`: `{server}` is there twice; leave one out"));
        }
        Ok(server) => servers.push(server),
        Err(what) => notes.note(at, format!("`connect`: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        let text = format!("[egd-client]\n{text}");
        Config::parse(Path::new("ekeyd.toml"), &text)
            .map_err(|error| error.to_string().lines().map(ToOwned::to_owned).collect())
    }

    #[test]
    fn one_server_is_a_text_and_the_rest_is_usual() {
        let config = parse("connect = \"tcp:192.0.2.1:8888\"").unwrap();
        let server = Server::Tcp { host: "192.0.2.1".to_owned(), port: 8888 };
        assert_eq!(config.egd_client, Some(EgdClient::of(vec![server])));
    }

    #[test]
    fn the_example_shows_the_usual_values() {
        let example = include_str!("../../ekeyd.toml");
        let lines = example.lines().skip_while(|line| *line != "# [egd-client]").skip(1);
        let section: String = lines.map_while(|line| line.strip_prefix('#')).map(|line| format!("{line}\n")).collect();
        assert_eq!(section.matches(" = ").count(), KEYS.len(), "one line a key in\n{section}");
        let server = Server::Tcp { host: "keys.example.org".to_owned(), port: 8888 };
        assert_eq!(parse(&section).unwrap().egd_client, Some(EgdClient::of(vec![server])));
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

    #[test]
    fn each_mistake_says_where_it_is_and_what_is_expected() {
        let place = "expected `tcp:HOST:PORT` or `tls:HOST:PORT`, such as `tcp:keys.example.org:8888`, or `unix:PATH`";
        for (text, due) in [
            ("", format!("1:2: [egd-client] has no `connect`; {place}")),
            (
                "connect = 8888",
                "2:11: `connect` is a number; expected `tcp:HOST:PORT`, `tls:HOST:PORT` or `unix:PATH` in quotes, \
                 or a list of such"
                    .to_owned(),
            ),
            ("connect = []", "2:11: `connect` has 0 servers; expected 1 to 16".to_owned()),
            (
                "connect = [\"unix:/e\", 1]",
                "2:23: `connect` is a number; expected `tcp:HOST:PORT`, `tls:HOST:PORT` or `unix:PATH` in quotes"
                    .to_owned(),
            ),
            (
                "connect = [\"tcp:h:1\", \"tcp:h:1\"]",
                "2:23: `connect`: `tcp:h:1` is there twice; leave one out".to_owned(),
            ),
            ("connect = \"tcp:host\"", format!("2:11: `connect`: `tcp:host` has no port; {place}")),
            (
                "connect = \"tcp:host:0\"",
                format!("2:11: `connect`: `tcp:host:0` has no port from 1 to 65535 at its end; {place}"),
            ),
            (
                "connect = \"tcp:host:egd\"",
                format!("2:11: `connect`: `tcp:host:egd` has no port from 1 to 65535 at its end; {place}"),
            ),
            ("connect = \"tcp::1\"", format!("2:11: `connect`: `tcp::1` has no name or address of a host; {place}")),
            (
                "connect = \"tcp:::1:88\"",
                format!("2:11: `connect`: `tcp:::1:88` has no name or address of a host; {place}"),
            ),
            (
                "connect = \"tcp:a b:88\"",
                format!("2:11: `connect`: `tcp:a b:88` has no name or address of a host; {place}"),
            ),
            ("connect = \"tls:host\"", format!("2:11: `connect`: `tls:host` has no port; {place}")),
            ("connect = \"host:88\"", format!("2:11: `connect`: `host:88` is no place of a server; {place}")),
            (
                "connect = \"unix:e\"",
                "2:11: `connect`: `e` is a relative path; expected an absolute one, such as `/e`".to_owned(),
            ),
            (
                "connect = \"unix:/e\"\nrequest-bytes = 256",
                "3:17: `request-bytes` is 256; expected a whole number from 1 to 255".to_owned(),
            ),
            (
                "connect = \"unix:/e\"\nreserve-bytes = 65537",
                "3:17: `reserve-bytes` is 65537; expected a whole number from 0 to 65536".to_owned(),
            ),
            (
                "connect = \"unix:/e\"\ntimeout-s = 0",
                "3:13: `timeout-s` is 0; expected a whole number from 1 to 600".to_owned(),
            ),
            (
                "connect = \"unix:/e\"\nlongest-pause-s = true",
                "3:19: `longest-pause-s` is true or false; expected a whole number from 1 to 3600".to_owned(),
            ),
            (
                "connect = \"unix:/e\"\nblocks = 4",
                "3:1: unknown key `blocks` in [egd-client]; expected one of connect, request-bytes, reserve-bytes, \
                 timeout-s, longest-pause-s, tls-certificate, tls-key, tls-authority"
                    .to_owned(),
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), [format!("ekeyd.toml:{due}")], "for:\n{text}");
        }
        let many: Vec<String> = (1..=17).map(|port| format!("\"tcp:h:{port}\"")).collect();
        let refused = parse(&format!("connect = [{}]", many.join(", "))).unwrap_err();
        assert_eq!(refused, ["ekeyd.toml:2:11: `connect` has 17 servers; expected 1 to 16"]);
    }
}
