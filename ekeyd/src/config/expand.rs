//! `[expand]`: serving megabytes that are not full entropy, and how often to reseed the generator.

use std::time::Duration;

use super::table::Table;
use super::{Claim, Listen, Section};

/// `[expand]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expand {
    /// Where to listen; never empty.
    pub listen: Vec<Listen>,
    /// How old a seed may be before it is renewed, 1 s to a day.
    pub reseed_interval: Duration,
    /// How many bytes a seed may give before it is renewed, 64 KiB to 4 GiB.
    pub reseed_bytes: u64,
    /// How many clients to serve at a time, in addition to those of `[egd]`.
    pub max_clients: usize,
}

impl Section for Expand {
    const NAME: &'static str = "expand";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let listen = Listen::read_list(table);
        let form = "a list such as [\"unix:/run/ekeyd/expand.sock\"]";
        table.required("listen", form);
        if listen.as_ref().is_some_and(Vec::is_empty) {
            table.wrong("listen", &format!("has no place to listen at; expected {form}"));
        }
        if let Some(Listen::Tls(place)) = listen.iter().flatten().find(|place| matches!(place, Listen::Tls(_))) {
            table.wrong(
                "listen",
                &format!("has `tls:{place}`, and [expand] does not serve over TLS; expected `tcp:ADDR:PORT`"),
            );
        }
        let reseed_interval = table.seconds("reseed-interval-s", 1..=86_400).unwrap_or(Duration::from_secs(60));
        let reseed_bytes = table.number("reseed-bytes", 65_536..=1 << 32).unwrap_or(64 * 1024 * 1024);
        let max_clients = table.number("max-clients", 1..=100_000).unwrap_or(1000);
        Some(Self { listen: listen?, reseed_interval, reseed_bytes, max_clients })
    }

    fn claims(&self) -> Vec<Claim> {
        self.listen.iter().map(|place| Self::claim("listen", place.resource())).collect()
    }
}
