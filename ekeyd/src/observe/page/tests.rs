//! What the page shows, and what it must not load.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64ct::{Base64, Encoding as _};
use ekey_control::chart::{self, Range};
use ekey_control::history::{FINE_STEP_S, FORMAT, Series};
use ekey_control::status::PeerStatus;
use ekey_control::{advice, glance, tiles};
use ekey_proto::session::State;

use super::*;
use crate::observe::sample::{all_states, key, status};

fn history() -> History {
    let values = vec![Some(4000), Some(4100), None, Some(0)];
    let fine = Series {
        step_s: FINE_STEP_S,
        end_unix_s: 1_700_000_000,
        rate_bytes_per_s: values.clone(),
        pool_bytes: values.clone(),
        temperature_decikelvin: values.clone(),
        rejected_frames: values.clone(),
        recoveries: values.clone(),
        taken_bytes_per_s: values.clone(),
        taken_by_outlet: [("egd".to_owned(), values.clone()), ("kernel".to_owned(), values.clone())].into(),
        waiting_clients: values,
    };
    History { format: FORMAT, fine, coarse: Series::default() }
}

#[test]
fn every_state_has_the_terminals_words_and_advice() {
    for state in all_states() {
        let status = status(vec![key(state)]);
        let page = page(&status, &history(), None);
        for text in advice::advice(&status).into_iter().chain([glance::key_title(&status.keys[0]).replace("  ", " · ")])
        {
            assert!(page.contains(&escaped(&text)), "{state:?}: no {text:?}");
        }
        for (name, text) in glance::key_rows(&status.keys[0]).into_iter().chain(glance::output_rows(&status)) {
            assert!(page.contains(&format!("<dt>{name}</dt><dd>{}</dd>", escaped(&text))), "{state:?}: no {name}");
        }
        assert_eq!(page.contains("All is well"), state.is_running());
    }
}

#[test]
fn every_chart_says_in_words_what_it_shows() {
    let page = page(&status(vec![key(State::Running)]), &history(), Some(Range::Minutes));
    assert_eq!(page.matches("<svg ").count(), 7);
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), 7);
    assert!(page.contains("aria-label=\"Supply: now 0 B/s, from 0 B/s to 4.1 kB/s in the last 2 min\""), "{page}");
    assert!(page.contains("<a href=\"/?range=10m\" aria-current=\"true\">"));
    assert_eq!(page.matches("<th scope=\"row\">").count(), 12);
}

#[test]
fn the_page_has_one_verdict_host_time_and_four_tiles() {
    for state in all_states() {
        let mut status = status(vec![key(state), key(State::Running)]);
        status.not_random = state.is_running();
        let page = page(&status, &history(), None);
        let verdicts = page.split("id=\"verdict\"").nth(1).unwrap().split("<dl").next().unwrap();
        assert_eq!(verdicts.matches("class=\"verdict ").count(), 1, "{state:?}");
        assert!(page.contains("<h1>Entropy Key on keyhost</h1>"));
        assert!(page.contains("<time id=\"as-of\" datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13:20 UTC</time>"));
        for tile in tiles::tiles(&status, &history()) {
            let expected = format!("<dt>{}</dt><dd><b>{}</b> <span>{}</span></dd>", tile.name, tile.value, tile.note);
            assert!(page.contains(&expected), "{state:?}: no {expected}");
        }
        assert!(
            page.contains("<b>1.0 MB</b> <span>limit 1.0 MB</span>")
                && page.contains("<span>of 3 clients connected</span>")
        );
    }
}

#[test]
fn a_dead_key_has_no_sensors_an_empty_chart_no_room() {
    let dead = page(&status(vec![key(State::Silent)]), &History::default(), None);
    assert!(dead.contains("<dd>when it last ran: 41.2 C, 3.25 V"), "{dead}");
    assert_eq!(dead.matches("<figure ").count(), 0);
    assert!(dead.contains("Supply: nothing known · Demand by outlet: nothing known"), "{dead}");
    let well = page(&status(vec![key(State::Running)]), &history(), None);
    assert!(well.contains("</b> <span>4.0 kB/s, 41.2 C, 3.25 V</span></summary>"), "{well}");
    assert!(well.contains("class=\"key good\"><summary>") && dead.contains("class=\"key bad\" open><summary>"));
}

#[test]
fn peers_are_listed_with_what_they_took() {
    let mut status = status(vec![key(State::Running)]);
    let peer = |peer: &str, bytes| PeerStatus { peer: peer.to_owned(), outlet: "egd".to_owned(), bytes, clients: 2 };
    status.peers = vec![peer("uid 1000", 768_000), peer("<evil>", 64)];
    let page = page(&status, &history(), None);
    assert!(page.contains("<th scope=\"row\">uid 1000</th><td>egd</td><td>768.0 kB</td><td>2</td>"), "{page}");
    assert!(page.contains("&lt;evil&gt;"));
}

#[test]
fn pictures_and_page_share_one_palette() {
    let light = STYLE.split("@media").next().unwrap();
    let colours = chart::STYLE.split('#').skip(1).map(|rest| &rest[..rest.find([';', '}']).unwrap()]);
    for colour in colours {
        assert!(light.contains(&format!("#{colour}")), "the page has no #{colour}");
    }
}

#[test]
fn the_page_loads_and_runs_nothing_else() {
    let page = page(&status(vec![key(State::Running)]), &history(), None);
    for sign in ["http://", "https://", "//cdn", "@import", "url(", " src=", " on", " style="] {
        let found = page.find(sign).filter(|_| sign != " on");
        assert_eq!(found, None, "{sign} in {}", &page[found.unwrap_or(0)..][..80]);
    }
    let handler = page.split(['<', '>']).filter(|part| part.contains("=\"")).find(|part| part.contains(" on"));
    assert_eq!(handler, None);
    assert_eq!((page.matches("<script>").count(), page.matches("<script").count()), (1, 1));
    assert_eq!((page.matches("<style>").count(), page.matches("<style").count()), (1, 1));
    assert!(!POLICY.contains("unsafe"));
    for (text, name, stated) in
        [(SCRIPT, "page.js", include_str!("page.js.sha256")), (STYLE, "page.css", include_str!("page.css.sha256"))]
    {
        let sum = sha256(text);
        assert_eq!(stated, sum, "{name} has changed: write its sum into {name}.sha256, without a line end");
    }
}

#[test]
fn text_from_outside_cannot_become_markup() {
    let mut status = status(vec![key(State::Silent)]);
    let evil = "<script>alert('x')</script>\"&";
    status.keys[0].path = evil.to_owned();
    status.keys[0].detail = Some(evil.to_owned());
    status.keys[0].serial = Some(evil.to_owned());
    status.version = evil.to_owned();
    status.host = evil.to_owned();
    status.control = evil.to_owned();
    status.keyring.problem = Some(evil.to_owned());
    status.keyring.path = evil.to_owned();
    status.egd[0].listen = evil.to_owned();
    let page = page(&status, &history(), None);
    assert!(page.contains("&lt;script&gt;alert") && page.matches("<script>").count() == 1, "{page}");
}

#[test]
fn the_page_says_first_that_data_is_not_random() {
    let mut status = status(vec![key(State::Running)]);
    status.not_random = true;
    let page = page(&status, &history(), None);
    assert!(page.contains(glance::NOT_RANDOM) && page.contains("<title>not random"));
    assert!(!page.contains("All is well"));
}

#[test]
fn the_page_is_at_most_160_kb() {
    let long = |value| vec![Some(value); 288];
    let coarse = Series {
        step_s: 300,
        end_unix_s: 1_700_000_000,
        rate_bytes_per_s: long(4000),
        pool_bytes: long(1_048_576),
        temperature_decikelvin: long(3188),
        rejected_frames: long(3),
        recoveries: long(1),
        taken_bytes_per_s: long(4321),
        taken_by_outlet: ["egd", "expand", "file", "kernel"].map(|name| (name.to_owned(), long(1234))).into(),
        waiting_clients: long(7),
    };
    let mut history = History { coarse, ..history() };
    history.fine.taken_by_outlet = history.coarse.taken_by_outlet.clone();
    let page = page(&status(vec![key(State::Running)]), &history, None);
    assert!(page.len() < 160 * 1024, "{} bytes", page.len());
}

/// Returns the SHA-256 in base64, the form of the policy. Uses coreutils.
fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let hex = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    Base64::encode_string(&bytes)
}
