//! `[expand]`: serving much that is not full entropy, and how often its generator is seeded anew.

use std::time::Duration;

use super::Listen;
use super::egd::listen;
use super::section::{Notes, Section};

/// The keys of the section.
pub(super) const KEYS: [&str; 4] = ["listen", "reseed-interval-s", "reseed-bytes", "max-clients"];

/// `[expand]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expand {
    /// Where to listen; never empty.
    pub listen: Vec<Listen>,
    /// How old a seed may be before it is renewed, 1 s to a day.
    pub reseed_interval: Duration,
    /// How many bytes may be made of a seed before it is renewed, 64 KiB to 4 GiB.
    pub reseed_bytes: u64,
    /// How many clients to serve at a time, besides those of `[egd]`.
    pub max_clients: usize,
}

/// Reads the section.
pub(super) fn read(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Expand> {
    if !section.is_there() {
        return None;
    }
    let interval = section.number(notes, "reseed-interval-s", 1..=86_400).unwrap_or(60);
    let bytes = section.number(notes, "reseed-bytes", 65_536..=1 << 32).unwrap_or(64 * 1024 * 1024);
    let clients = section.number(notes, "max-clients", 1..=100_000).and_then(|clients| usize::try_from(clients).ok());
    let places = listen(notes, section);
    if let (Some(Listen::Tls(place)), Some((at, _))) =
        (places.iter().flatten().find(|place| matches!(place, Listen::Tls(_))), section.value("listen"))
    {
        notes.note(
            at,
            format!(
                "`listen`: [expand] does not serve over TLS (`tls:{place}`); expected `unix:PATH` or `tcp:ADDR:PORT`"
            ),
        );
    }
    if places.as_ref().is_none_or(Vec::is_empty) {
        let what = "[expand] does not say where to listen; expected `listen = [\"unix:/run/ekeyd/expand.sock\"]`, say";
        notes.note(section.offset, what.to_owned());
    }
    Some(Expand {
        listen: places?,
        reseed_interval: Duration::from_secs(interval),
        reseed_bytes: bytes,
        max_clients: clients.unwrap_or(1000),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("f.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_shows_every_key_at_its_default() {
        let example = include_str!("../../ekeyd.toml");
        let section = example.split("# [expand]\n").nth(1).expect("ekeyd.toml has a section [expand]");
        let lines = section.lines().take_while(|line| !line.is_empty());
        let text: String = lines.map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
        let least: String = text.lines().filter(|line| line.starts_with("listen")).collect();
        let keys = super::KEYS.iter().filter(|key| text.contains(&format!("\n{key} =")) || text.starts_with(*key));
        assert_eq!(keys.count(), super::KEYS.len(), "{text}");
        let of = |lines: &str| parse(&format!("[expand]\n{lines}")).unwrap().expand;
        let settings: String =
            text.lines().filter(|line| line.contains(" = ")).map(|line| format!("{line}\n")).collect();
        assert_eq!(of(&settings), of(&least));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, due) in [
            ("[expand]\n", "f.toml:1:2: [expand] does not say where to listen; expected `listen ="),
            ("[expand]\nlisten = []\n", "f.toml:1:2: [expand] does not say where to listen"),
            (
                "[expand]\nlisten = [\"unix:/x\"]\nreseed-interval-s = 0\n",
                "f.toml:3:21: `reseed-interval-s` is 0; expected",
            ),
            ("[expand]\nlisten = [\"unix:/x\"]\nreseed-bytes = 100\n", "f.toml:3:16: `reseed-bytes` is 100; expected"),
            (
                "[expand]\nlisten = [\"unix:/run/ekeyd/egd.sock\"]\n",
                "is an EGD socket and a socket of [expand] at once",
            ),
            ("[expand]\nlisten = [\"unix:/x\"]\npool-bytes = 3\n", "it belongs in [egd]"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(due), "{text:?} is refused with {refused:?}; due is {due:?}");
        }
    }
}
