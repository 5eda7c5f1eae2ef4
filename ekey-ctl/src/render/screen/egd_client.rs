//! The two lines about entropy that is fetched from another machine: a source as a key is one, but nothing proves its bytes.

use ekey_control::status::{EgdClientState, EgdClientStatus};

use crate::render::amount;
use crate::render::paint::{Line, Tone};

/// The state and the server, then the counts.
pub(super) fn lines(client: &EgdClientStatus) -> [Line; 2] {
    let tone = match client.state {
        EgdClientState::Connected => Tone::Good,
        EgdClientState::Connecting => Tone::Warn,
        EgdClientState::Resting => Tone::Bad,
    };
    let proof = if client.proven { "" } else { " (no MAC proves them)" };
    let word = client.state.word();
    let since = match (amount::duration(client.since_s), client.is_connected()) {
        (since, true) => format!(", for {since}"),
        (since, false) => format!(", no server for {since}"),
    };
    let address = client.address.as_ref().map_or_else(String::new, |address| format!(" ({address})"));
    let (bytes, requests) = (amount::bytes(client.received_bytes), amount::many(client.requests, "request"));
    let (reconnects, failures) =
        (amount::many(client.reconnects, "reconnect"), amount::many(client.failures, "failure"));
    [
        Line::new(tone, &format!("EGD server  {word}{since}  {}{address}", client.server)),
        super::row("fetched", &format!("{bytes}{proof}, {requests}, {reconnects}, {failures}")),
    ]
}
