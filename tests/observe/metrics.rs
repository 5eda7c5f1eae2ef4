//! The metrics as promtool and the reference parser of OpenMetrics read them, and the alerts on them.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use ekey_tests::http::Observed;
use ekey_tests::{KeyPlan, Scratch, await_until, browser, http, tree};
use serde_json::Value;

/// Returns both formats, from a daemon with a running key and every output.
fn metrics() -> (String, String) {
    let scratch = Scratch::make();
    let file = scratch.path("entropy");
    let mut running = Observed::start(&scratch, &KeyPlan::named("key").rate(500), |plan| plan.file(&file, None));
    let address = running.address;
    running.daemon.await_state(&scratch, "running");
    // The key reports on itself once a second.
    await_until("the key's temperature", || {
        http::get(address, "/metrics", "").body.contains("ekeyd_key_temperature_celsius{").then_some(())
    });
    let older = http::get(address, "/metrics", "");
    let newer = http::get(address, "/metrics", "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n");
    assert!(older.head.contains("Content-Type: text/plain; version=0.0.4"), "{}", older.head);
    assert!(newer.head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{}", newer.head);
    (older.body, newer.body)
}

fn run(mut command: Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run: tests/fetch-browser");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(browser::fetched().join("metrics/usr/bin/promtool"));
    command.args(arguments);
    run(command, input)
}

#[test]
fn promtool_and_the_openmetrics_parser_find_no_fault() {
    let (older, newer) = metrics();
    assert!(older.lines().filter(|line| line.starts_with("# TYPE")).count() >= 45, "{older}");
    let output = promtool(&["check", "metrics"], &older);
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}\n{older}");

    let mut python = Command::new("python3");
    python.env("PYTHONPATH", browser::fetched().join("metrics/usr/lib/python3/dist-packages")).args([
        "-c",
        "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as families\n\
         print(len([family for family in families(sys.stdin.read())]))",
    ]);
    let output = run(python, &newer);
    assert!(output.status.success(), "{}\n{newer}", String::from_utf8_lossy(&output.stderr));
    let families: usize = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    assert_eq!(families, older.lines().filter(|line| line.starts_with("# TYPE")).count());
}

#[test]
fn the_checkers_find_a_broken_metric() {
    let output = promtool(&["check", "metrics"], "# TYPE ekeyd_bits counter\nekeyd_bits 1\n");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn the_alerts_fire_exactly_when_they_should() {
    let rules = tree::root().join("packaging/prometheus/ekeyd.rules.yml");
    let output = promtool(&["check", "rules", rules.to_str().expect("a path")], "");
    assert!(output.status.success(), "{output:?}");
    let cases = tree::root().join("packaging/prometheus/ekeyd.rules.test.yml");
    let output = promtool(&["test", "rules", cases.to_str().expect("a path")], "");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn alerts_and_dashboard_use_only_existing_metrics() {
    let (older, _) = metrics();
    let promised = fs::read_to_string(tree::root().join("ekeyd/src/observe/metrics/promise.txt")).expect("it exists");
    let mut known: Vec<String> = Vec::new();
    for line in promised.lines() {
        let mut words = line.split(' ');
        let (name, kind) = (words.next().expect("a name"), words.next().expect("a type"));
        known.push(match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        });
    }
    for file in ["packaging/prometheus/ekeyd.rules.yml", "packaging/grafana/ekeyd.json"] {
        let text = fs::read_to_string(tree::root().join(file)).expect("it exists");
        let names =
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("ekeyd_"));
        let mut count = 0;
        for name in names {
            count += 1;
            assert!(known.iter().any(|known| known == name), "{file} uses the unknown metric {name}");
        }
        assert!(count > 8, "{file} uses only {count} metrics");
    }
    assert!(known.iter().filter(|name| older.contains(name.as_str())).count() > 40);
}

#[test]
fn every_dashboard_panel_has_title_unit_and_question() {
    let text = fs::read_to_string(tree::root().join("packaging/grafana/ekeyd.json")).expect("it exists");
    let dashboard: Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    assert!(panels.len() >= 8, "{} panels", panels.len());
    for panel in panels {
        let title = panel["title"].as_str().expect("a panel has a title");
        assert!(panel["targets"][0]["expr"].as_str().is_some_and(|expr| expr.contains("ekeyd_")), "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert!(panel["description"].is_string(), "{title} does not say what it means");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
    }
}
