//! `[egd]`: serving programs and virtual machines.

use std::fmt;
use std::time::Duration;

use ekey_egd::Rate;

use super::network::Network;
use super::table::Table;
use super::value::Value;
use super::{Claim, Listen, Section, Tls};

/// `[egd]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Egd {
    /// Where to listen; nowhere if empty.
    pub listen: Vec<Listen>,
    /// The files of the TLS listeners, if there are any.
    pub tls: Option<Tls>,
    /// How long a TLS client may take for the handshake.
    pub handshake: Duration,
    /// How many clients to serve at a time.
    pub max_clients: usize,
    /// Limit on the clients' part of what the kernel leaves, in per cent, while the file wants some too.
    pub share_percent: u8,
    /// Whether to mix what clients offer by `0x03` into the kernel, without credit.
    pub mix_offered: bool,
    /// Whether clients get only bytes made of two keys.
    pub combine: bool,
    /// Whether fresh bytes of the kernel's generator are mixed into what clients get. `None`: if the machine is a virtual one.
    pub clone_safe: Option<bool>,
    /// Who may be a client, and how much it may get.
    pub limits: Limits,
}

/// The limits on clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long a client may be idle while it does not wait for entropy; no limit if `None`.
    pub idle: Option<Duration>,
    /// Limit on the clients of one peer, if any. A peer is a user on a unix socket, else an address.
    pub clients_per_peer: Option<usize>,
    /// Limit on what a peer may get, if any.
    pub rate_per_peer: Option<Rate>,
    /// The networks that may connect over TCP; all if empty.
    pub networks: Vec<Network>,
    /// The users that may connect to unix sockets, in addition to `groups`; all if both are empty.
    pub users: Vec<Principal>,
    /// The groups that may connect to unix sockets.
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
            max_clients: 10_000,
            share_percent: 100,
            mix_offered: false,
            combine: false,
            clone_safe: None,
            limits: Limits::default(),
        }
    }
}

/// The default of how many bytes a peer gets at once.
const DEFAULT_BURST: u32 = 65_536;

impl Section for Egd {
    const NAME: &'static str = "egd";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        let listen = Listen::read_list(table).unwrap_or(default.listen);
        let over_tls = listen.iter().find(|place| matches!(place, Listen::Tls(_))).map(ToString::to_string);
        Some(Self {
            listen,
            max_clients: table.number("max-clients", 1..=100_000).unwrap_or(default.max_clients),
            share_percent: table.number("share-percent", 1..=100).unwrap_or(default.share_percent),
            mix_offered: table.word("offered", &[("ignore", false), ("mix", true)]).unwrap_or(default.mix_offered),
            limits: limits(table),
            combine: table.flag("combine").unwrap_or(default.combine),
            clone_safe: table.flag("clone-safe"),
            tls: Tls::read(table, over_tls),
            handshake: table.seconds("tls-handshake-s", 1..=600).unwrap_or(default.handshake),
        })
    }

    fn claims(&self) -> Vec<Claim> {
        let listens = self.listen.iter().map(|place| Self::claim("listen", place.resource()));
        listens.chain(self.tls.iter().flat_map(Tls::claims::<Self>)).collect()
    }
}

fn limits(table: &mut Table<'_>) -> Limits {
    // 0 means no limit.
    let mut count = |key| table.number(key, 0..=u64::from(u32::MAX / 2)).filter(|number: &u32| *number > 0);
    let idle = count("idle-timeout-s").map(|seconds| Duration::from_secs(seconds.into()));
    let clients_per_peer = count("clients-per-peer").and_then(|clients| clients.try_into().ok());
    let bytes_per_s = count("bytes-per-s-per-peer");
    let burst = table.number("burst-bytes-per-peer", 256..=1 << 30);
    if burst.is_some() && bytes_per_s.is_none() {
        table.wrong("burst-bytes-per-peer", "has no effect without `bytes-per-s-per-peer`; give both");
    }
    let rate = |bytes_per_s| Rate { bytes_per_s, burst_bytes: burst.unwrap_or(DEFAULT_BURST) };
    let networks = "a list such as [\"127.0.0.0/8\", \"10.0.0.0/8\", \"::1\"]";
    let principals = "a list of names or numbers";
    Limits {
        idle,
        clients_per_peer,
        rate_per_peer: bytes_per_s.map(rate),
        networks: table.list("allow-networks", networks, network).unwrap_or_default(),
        users: table.list("allow-users", principals, principal).unwrap_or_default(),
        groups: table.list("allow-groups", principals, principal).unwrap_or_default(),
    }
}

fn network<'v>(table: &mut Table<'v>, entry: Value<'v>) -> Option<Network> {
    let text = table.text_of(entry, "a network such as `10.0.0.0/8` in quotes")?;
    table.accepted(entry, Network::parse(text))
}

fn principal<'v>(table: &mut Table<'v>, entry: Value<'v>) -> Option<Principal> {
    let expected = "a name in quotes, or a number";
    if !entry.is_text() {
        return table.number_of(entry, 0..=u64::from(u32::MAX), expected).map(Principal::Id);
    }
    let name = table.text_of(entry, expected).filter(|name| !name.is_empty() && !name.contains('\0'));
    if name.is_none() {
        table.wrong_value(entry, expected);
    }
    name.map(|name| Principal::Name(name.to_owned()))
}
