//! The promise: names, types, units and labels, in both formats.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ekey_control::KeyState;
use ekey_control::books::FetchedBooks;
use ekey_control::status::{Account, CombineStatus, EgdClientState, EgdClientStatus, ExpandStatus, FileStatus};
use ekey_proto::session::State;

use super::*;
use crate::observe::sample::{key, status};

fn full() -> Status {
    let mut status = status(vec![key(State::Running), key(KeyState::Gone)]);
    status.keys[1].number = 2;
    status.outlets = vec![OutletStatus::new("file", Account::default(), None)];
    status.file = Some(FileStatus { path: "/f".to_owned(), written_bytes: 1, ..FileStatus::default() });
    status.combine = Some(CombineStatus {
        running_keys: 2,
        in_bytes: 96,
        out_bytes: 64,
        held_bytes: 0,
        ready_bytes: 64,
        wiped_bytes: 0,
        ready_wiped_bytes: 0,
        problem: None,
    });
    status.expand =
        Some(ExpandStatus { seed_age_s: Some(1), listeners: status.egd.clone(), ..ExpandStatus::default() });
    status.clones = Some(CloneStatus::default());
    status.egd_client = Some(EgdClientStatus {
        servers: vec!["tcp:keys.example:8888".to_owned()],
        state: EgdClientState::Connected,
        since_s: 1,
        server: "tcp:keys.example:8888".to_owned(),
        address: None,
        proven: false,
        requests: 1,
        received_bytes: 2,
        reconnects: 3,
        failures: 4,
        last_error: None,
        credited: Some(true),
        books: Some(FetchedBooks::default()),
        tests: Vec::new(),
    });
    status
}

/// Lists the metrics, one per line: name, type, unit and labels.
fn promise(text: &str) -> String {
    let mut seen: BTreeMap<String, (String, String, BTreeSet<String>)> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "TYPE", name, kind] => seen.entry((*name).to_owned()).or_default().0 = (*kind).to_owned(),
            ["#", "UNIT", name, unit] => seen.entry((*name).to_owned()).or_default().1 = (*unit).to_owned(),
            ["#", ..] => {}
            _ => {
                let name = line.split(['{', ' ']).next().unwrap();
                let family = name.trim_end_matches("_total").trim_end_matches("_info");
                let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
                let names =
                    labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
                let entry = seen.get_mut(family).unwrap_or_else(|| panic!("{name} has no type"));
                entry.2.extend(names);
            }
        }
    }
    let mut out = String::new();
    for (name, (kind, unit, labels)) in seen {
        let labels = labels.into_iter().collect::<Vec<_>>().join(",");
        let _ = writeln!(out, "{name} {kind} {} {{{labels}}}", if unit.is_empty() { "-" } else { &unit });
    }
    out
}

#[test]
fn names_types_units_and_labels_keep_the_promise() {
    let seen = promise(&metrics(&full(), Format::OpenMetrics));
    let promised = include_str!("promise.txt");
    assert_eq!(seen, promised, "add new metrics to promise.txt; never change or remove one. Seen:\n{seen}");
}

#[test]
fn each_metric_has_one_help_and_openmetrics_ends_so() {
    let text = metrics(&full(), Format::OpenMetrics);
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    let mut helped = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("# HELP")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(helped.insert(name), "{name} is there twice");
        assert!(line.ends_with('.'), "{line}");
    }
}

#[test]
fn the_older_format_has_suffixes_on_type_lines() {
    let text = metrics(&full(), Format::Text);
    for expected in [
        "# TYPE ekeyd_key_entropy_bytes_total counter\nekeyd_key_entropy_bytes_total{key=\"1\",serial=\"NwBvBlg3OTBJORFD\"} 29520000\n",
        "# TYPE ekeyd_build_info gauge\nekeyd_build_info{version=\"0.1.0\"} 1\n",
        "ekeyd_key_state{key=\"2\",serial=\"NwBvBlg3OTBJORFD\",state=\"gone\"} 1\n",
        "ekeyd_kernel_credited_bytes_total 6888\n",
        "ekeyd_key_temperature_celsius{key=\"1\",serial=\"NwBvBlg3OTBJORFD\"} 41.15\n",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
}

#[test]
fn a_key_is_in_exactly_one_state() {
    for state in crate::observe::sample::all_states() {
        let text = metrics(&status(vec![key(state)]), Format::Text);
        let states: Vec<&str> =
            text.lines().filter(|line| line.starts_with("ekeyd_key_state{") && line.ends_with(" 1")).collect();
        let json = serde_json::to_value(state).unwrap();
        let expected = format!("state=\"{}\"", json["name"].as_str().unwrap());
        assert!(states.len() == 1 && states[0].contains(&expected), "{state:?}: {states:?}");
    }
}

#[test]
fn labels_cannot_break_out_of_their_quotes() {
    let mut status = full();
    status.keys[0].path = "/dev/\"a\\b\n".to_owned();
    let text = metrics(&status, Format::OpenMetrics);
    assert!(text.contains(r#"path="/dev/\"a\\b\n""#), "{text}");
}

#[test]
fn openmetrics_must_be_in_the_accept_header() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    assert_eq!(Format::wanted(prometheus), Format::OpenMetrics);
    assert_eq!(Format::wanted("*/*"), Format::Text);
}
