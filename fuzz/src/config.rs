//! Both formats of the configuration. Every mistake has a place in the file. Every number keeps its bounds. Every path and address
//! in the file is claimed. Another empty line moves the places and nothing else. The original's file means the same after its
//! conversion.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ekey_control::OriginalConfig;
use ekey_control::original::{EgdSocket, Host, Placed};
use ekeyd::fuzzing::{Configuration, Place};
use toml::de::{DeTable, DeValue};

#[path = "../../ekey-ctl/src/render/toml.rs"]
mod convert;

/// The most bytes of mistakes: 100 lines of 400 characters, with room for what stands around them.
const MOST_SHOWN: usize = 102 * 4 * 450;

/// This daemon's own format.
pub fn config_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = read("ekeyd.toml", text);
    // This mark means nothing at the start of a file, and only there.
    if text.starts_with('\u{feff}') {
        return;
    }
    moved(&read, Configuration::read("ekeyd.toml", &format!("\n{text}")));
    if let Ok(config) = &read {
        let document = DeTable::parse(text).expect("the daemon takes what is not TOML");
        let claims = config.claims();
        for place in places_in(document.get_ref()) {
            assert!(claims.contains(&place), "{place} is not among {claims:?}");
        }
        let longer = Configuration::read("ekeyd.toml", &format!("{text}\n# \"[kernel]\n"));
        assert_eq!(longer.as_ref().ok(), Some(config), "a comment at the end changes what the file says");
    }
}

/// Every path and address in a table, found without the daemon's own reading.
fn places_in(table: &DeTable<'_>) -> Vec<String> {
    // The files of TLS are only in use if something is reached by TLS.
    let over_tls = table.values().any(|value| is_over_tls(value.get_ref()));
    let in_use = table.iter().filter(|(key, _)| over_tls || !key.get_ref().starts_with("tls-"));
    in_use.flat_map(|(key, value)| places(key.get_ref(), value.get_ref())).collect()
}

fn places(key: &str, value: &DeValue<'_>) -> Vec<String> {
    match value {
        DeValue::Table(table) => places_in(table),
        DeValue::Array(entries) => entries.iter().flat_map(|entry| places(key, entry.get_ref())).collect(),
        DeValue::Integer(port) if key == "control-tcp" => {
            let port = u16::from_str_radix(port.as_str(), port.radix()).expect("a port that the daemon takes");
            vec![format!("127.0.0.1:{port}")]
        }
        // Names of users and groups may look like a path.
        DeValue::String(_) if key.starts_with("allow-") => Vec::new(),
        DeValue::String(text) => place(text).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn is_over_tls(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => text.starts_with("tls:"),
        DeValue::Array(entries) => entries.iter().any(|entry| is_over_tls(entry.get_ref())),
        _ => false,
    }
}

fn place(text: &str) -> Option<String> {
    let (kind, place) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "unix" => Some(place.to_owned()),
        "tcp" | "tls" => {
            let (host, port) = place.rsplit_once(':')?;
            let port: u16 = port.parse().ok()?;
            Some(place.parse::<SocketAddr>().map_or_else(|_| format!("{host}:{port}"), |address| address.to_string()))
        }
        _ if text.starts_with('/') => Some(text.to_owned()),
        _ => text.parse::<SocketAddr>().ok().map(|address| address.to_string()),
    }
}

/// The original's format.
pub fn config_original(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (original, mistakes) = OriginalConfig::read(text);
    // No name is looked up: that would ask the network.
    let is_named = |socket: &Placed<EgdSocket>| matches!(socket.value, EgdSocket::Tcp { host: Host::Name(_), .. });
    if original.egd.iter().any(is_named) {
        return;
    }
    let read = read("ekeyd.conf", text);
    moved(&read, Configuration::read("ekeyd.conf", &format!("\n{text}")));
    if !mistakes.is_empty() {
        assert!(read.is_err(), "the daemon takes what the tool refuses: {mistakes:?}");
        return;
    }
    if let Ok(config) = &read {
        let claims = config.claims();
        for place in places_of_original(&original) {
            assert!(claims.contains(&place), "{place} is not among {claims:?}");
        }
    }
    let converted = convert::of_original(&original, Path::new("/ekeyd.conf"));
    match (Configuration::read("ekeyd.toml", &converted), &read) {
        (Ok(toml), Ok(config)) => {
            assert_eq!(toml.in_both_formats(), config.in_both_formats(), "converted:\n{converted}");
        }
        (Err((mistakes, shown)), _) => {
            // The original lets one path or port be two things. This machine lacks a user or group.
            let clash =
                |(_, _, what): &Place| what.contains(" is taken by ") || what.contains("this machine has no ");
            assert!(mistakes.iter().all(clash), "refused: {shown}\nconverted:\n{converted}");
        }
        // This machine lacks the user or group of a socket that is named twice.
        (Ok(_), Err(_)) => {}
    }
}

fn places_of_original(original: &OriginalConfig) -> Vec<String> {
    let named = [&original.keyring, &original.file].into_iter().flatten();
    let paths =
        named.chain(&original.unix_control).chain(&original.folders).map(|path| &path.value).chain(original.keys.iter().map(|key| &key.value.path));
    let mut places: Vec<String> = paths.map(|path| path.display().to_string()).filter(|path| path != "-").collect();
    places.extend(original.tcp_control.iter().map(|port| format!("127.0.0.1:{}", port.value)));
    // Of a place that is named twice, the first spelling counts.
    let mut seen: Vec<PathBuf> = Vec::new();
    for socket in &original.egd {
        let place = match &socket.value {
            EgdSocket::Unix { path, .. } => path.clone(),
            EgdSocket::Tcp { host: Host::Address(address), port } => SocketAddr::new(*address, *port).to_string().into(),
            EgdSocket::Tcp { host: Host::Name(_), .. } => continue,
        };
        if !seen.contains(&place) {
            places.push(place.display().to_string());
            seen.push(place);
        }
    }
    places
}

type Outcome = Result<Configuration, (Vec<Place>, String)>;

fn read(file: &str, text: &str) -> Outcome {
    let outcome = Configuration::read(file, text);
    match &outcome {
        Ok(config) => {
            for place in config.claims() {
                assert!(!place.is_empty() && !place.contains('\0'), "{place:?} is claimed");
            }
            let (bits, pool, clients) = config.figures();
            let sound =
                (1..=8).contains(&bits) && (16_384..=67_108_864).contains(&pool) && (1..=100_000).contains(&clients);
            assert!(sound, "{bits} bits a byte, {pool} bytes, {clients} clients");
        }
        Err((mistakes, shown)) => {
            assert!(!mistakes.is_empty(), "refused without a reason: {shown}");
            assert!(shown.len() <= MOST_SHOWN, "{} bytes of mistakes", shown.len());
            assert!(mistakes.is_sorted_by_key(|(line, column, _)| (*line, *column)), "out of order: {mistakes:?}");
            let lines: Vec<&str> = text.split('\n').collect();
            for (line, column, what) in mistakes {
                let length = lines.get(line.wrapping_sub(1)).map(|line| line.chars().count());
                assert!(
                    length.is_some_and(|length| (1..=length + 1).contains(column)),
                    "{line}:{column} is not a place: {what}"
                );
            }
        }
    }
    outcome
}

/// With another empty line before it, a file means the same, and its mistakes are one line further down.
fn moved(read: &Outcome, moved: Outcome) {
    match (read, moved) {
        (Ok(config), Ok(moved)) => assert_eq!(*config, moved, "an empty line changes what the file says"),
        (Err((expected, _)), Err((seen, _))) => {
            let expected: Vec<_> = expected.iter().map(|(line, column, _)| (line + 1, *column)).collect();
            let seen: Vec<_> = seen.into_iter().map(|(line, column, _)| (line, column)).collect();
            assert_eq!(seen, expected, "places with another empty line");
        }
        (read, moved) => panic!("an empty line changes {read:?} to {moved:?}"),
    }
}
