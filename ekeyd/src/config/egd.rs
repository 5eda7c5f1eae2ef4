//! `[egd]`: serving programs and virtual machines.

use std::fmt;
use std::time::Duration;

use ekey_egd::Rate;
use toml::Spanned;
use toml::de::DeValue;

use super::Listen;
use super::network::Network;
use super::read::{section, shown};
use super::section::{Notes, Section, wrong_kind};
use super::tls::{self, Tls};

/// `[egd]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Egd {
    /// Where to listen; nowhere if empty.
    pub listen: Vec<Listen>,
    /// The files of the TLS listeners, if there are any.
    pub tls: Option<Tls>,
    /// How long a TLS client may take for the handshake.
    pub handshake: Duration,
    /// How many bytes to hold ready.
    pub pool_bytes: usize,
    /// How many clients to serve at a time.
    pub max_clients: usize,
    /// Which part of what the kernel leaves the clients get at most while the file wants some too, in percent.
    pub share_percent: u8,
    /// Whether what clients offer by `0x03` is mixed into the kernel, without credit.
    pub mix_offered: bool,
    /// Whether clients get only what is made of at least two keys.
    pub combine: bool,
    /// Who may be a client, and of how much.
    pub limits: Limits,
}

/// What keeps clients within bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long a client may say and take nothing, while it does not wait for entropy; for ever if none.
    pub idle: Option<Duration>,
    /// How many clients a peer may be, if that is limited. A peer is a user on a unix socket, else an address.
    pub clients_per_peer: Option<usize>,
    /// How much a peer may get, if that is limited.
    pub rate_per_peer: Option<Rate>,
    /// The networks that may connect over TCP; all if none is named.
    pub networks: Vec<Network>,
    /// The users that may connect to unix sockets, besides `groups`; all if none of either is named.
    pub users: Vec<Principal>,
    /// The groups that may.
    pub groups: Vec<Principal>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// By number.
    Id(u32),
    /// By name.
    Name(String),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Default for Egd {
    fn default() -> Self {
        Self {
            listen: vec![Listen::unix("/run/ekeyd/egd.sock")],
            tls: None,
            handshake: Duration::from_secs(10),
            pool_bytes: 1024 * 1024,
            max_clients: 10_000,
            share_percent: 100,
            mix_offered: false,
            combine: false,
            limits: Limits::default(),
        }
    }
}

/// The keys of the section.
pub(super) const KEYS: &[&str] = &[
    "listen",
    "pool-bytes",
    "max-clients",
    "share-percent",
    "offered",
    "idle-timeout-s",
    "clients-per-peer",
    "bytes-per-s-per-peer",
    "burst-bytes-per-peer",
    "allow-networks",
    "allow-users",
    "allow-groups",
    "combine",
    tls::KEYS[0],
    tls::KEYS[1],
    tls::KEYS[2],
    "tls-handshake-s",
];

const USUAL_BURST: u32 = 65_536;

pub(super) fn egd(notes: &mut Notes<'_>, top: &Section<'_>) -> Egd {
    let due = Egd::default();
    let section = section(notes, top, "egd", "[egd]");
    let size = |number: u64| usize::try_from(number).ok();
    let percent = section.number(notes, "share-percent", 1..=100).and_then(|percent| u8::try_from(percent).ok());
    let listen = listen(notes, &section).unwrap_or(due.listen);
    let over_tls = listen.iter().find(|place| matches!(place, Listen::Tls(_))).map(ToString::to_string);
    Egd {
        listen,
        tls: tls::read(notes, &section, over_tls.as_deref()),
        handshake: section.number(notes, "tls-handshake-s", 1..=600).map_or(due.handshake, Duration::from_secs),
        pool_bytes: section
            .number(notes, "pool-bytes", 16_384..=64 * 1024 * 1024)
            .and_then(size)
            .unwrap_or(due.pool_bytes),
        max_clients: section.number(notes, "max-clients", 1..=100_000).and_then(size).unwrap_or(due.max_clients),
        share_percent: percent.unwrap_or(due.share_percent),
        mix_offered: mix_offered(notes, &section),
        combine: section.flag(notes, "combine", due.combine),
        limits: limits(notes, &section),
    }
}

/// The places of `listen`, if the section has it.
pub(super) fn listen(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Vec<Listen>> {
    let due = "a list such as [\"unix:/run/ekeyd/egd.sock\"]";
    let mut places = Vec::new();
    for entry in section.list(notes, "listen", due)? {
        let DeValue::String(spec) = entry.get_ref() else {
            wrong_kind(notes, "listen", entry, "`unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT` in quotes");
            continue;
        };
        match Listen::parse(spec) {
            Ok(place) if places.contains(&place) => {
                notes.note(entry.span().start, format!("`listen`: `{place}` is there twice; leave one out"));
            }
            Ok(place) => places.push(place),
            Err(what) => notes.note(entry.span().start, format!("`listen`: {what}")),
        }
    }
    Some(places)
}

fn mix_offered(notes: &mut Notes<'_>, section: &Section<'_>) -> bool {
    let due = "`ignore` or `mix`";
    match section.text(notes, "offered", due) {
        None | Some((_, "ignore")) => false,
        Some((_, "mix")) => true,
        Some((at, other)) => {
            notes.note(at, format!("`offered` is `{}`; expected {due}", shown(other)));
            false
        }
    }
}

fn limits(notes: &mut Notes<'_>, section: &Section<'_>) -> Limits {
    let mut count = |key| section.number(notes, key, 0..=u64::from(u32::MAX / 2)).filter(|number| *number > 0);
    let idle = count("idle-timeout-s").map(Duration::from_secs);
    let clients_per_peer = count("clients-per-peer").and_then(|clients| usize::try_from(clients).ok());
    let bytes_per_s = count("bytes-per-s-per-peer").and_then(|bytes| u32::try_from(bytes).ok());
    let burst =
        section.number(notes, "burst-bytes-per-peer", 256..=1 << 30).and_then(|burst| u32::try_from(burst).ok());
    let rate = |bytes_per_s| Rate { bytes_per_s, burst_bytes: burst.unwrap_or(USUAL_BURST) };
    if let (Some(_), None, Some((at, _))) = (burst, bytes_per_s, section.value("burst-bytes-per-peer")) {
        notes.note(at, "`burst-bytes-per-peer` says nothing without `bytes-per-s-per-peer`; give both".to_owned());
    }
    Limits {
        idle,
        clients_per_peer,
        rate_per_peer: bytes_per_s.map(rate),
        networks: networks(notes, section).unwrap_or_default(),
        users: principals(notes, section, "allow-users").unwrap_or_default(),
        groups: principals(notes, section, "allow-groups").unwrap_or_default(),
    }
}

fn networks(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Vec<Network>> {
    let key = "allow-networks";
    let mut networks = Vec::new();
    for entry in section.list(notes, key, "a list such as [\"127.0.0.0/8\", \"10.0.0.0/8\", \"::1\"]")? {
        let DeValue::String(text) = entry.get_ref() else {
            wrong_kind(notes, key, entry, "a network such as `10.0.0.0/8` in quotes");
            continue;
        };
        match Network::parse(text) {
            Ok(network) => networks.push(network),
            Err(what) => notes.note(entry.span().start, format!("`{key}`: {}", shown_whole(&what))),
        }
    }
    Some(networks)
}

fn principals(notes: &mut Notes<'_>, section: &Section<'_>, key: &'static str) -> Option<Vec<Principal>> {
    let entries = section.list(notes, key, "a list of names or numbers")?;
    Some(entries.iter().filter_map(|entry| principal(notes, key, entry)).collect())
}

fn principal(notes: &mut Notes<'_>, key: &str, entry: &Spanned<DeValue<'_>>) -> Option<Principal> {
    let due = "a name in quotes, or a number";
    match entry.get_ref() {
        DeValue::String(name) if !name.is_empty() && !name.contains('\0') => Some(Principal::Name(name.to_string())),
        DeValue::Integer(digits) => {
            let id = u32::from_str_radix(digits.as_str(), digits.radix()).ok();
            if id.is_none() {
                notes.note(entry.span().start, format!("`{key}`: {digits} is no user or group; expected {due}"));
            }
            id.map(Principal::Id)
        }
        _ => {
            wrong_kind(notes, key, entry, due);
            None
        }
    }
}

/// A sentence with a text from the file in it, fit for an error line.
fn shown_whole(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}
