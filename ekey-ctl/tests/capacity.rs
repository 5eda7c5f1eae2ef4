//! Runs `capacity` without a daemon: its answers, and what it rejects.

use std::process::{Command, Output};

fn capacity(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
    command.args(["capacity", "--socket", "/nonexistent/control.sock"]).args(arguments);
    command.env("LC_ALL", "C.UTF-8").output().expect("the tool starts")
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn enough_exits_0_and_too_little_exits_1() {
    let enough = capacity(&["--clients", "500", "--habit", "boot"]);
    assert_eq!(enough.status.code(), Some(0), "{}", words(&enough));
    assert!(words(&enough).starts_with("One key is enough for these 500 clients"), "{}", words(&enough));
    let short = capacity(&["--clients", "100:tls", "--clients", "10:burst:64/10s"]);
    assert_eq!(short.status.code(), Some(1), "{}", words(&short));
    let words = words(&short);
    assert!(
        words.starts_with("One key is not enough for these 110 clients") && words.contains("2 would be enough"),
        "{words}"
    );
    assert!(
        words.contains("Assumed: each key delivers 4.0 kB/s") && words.contains("like a default daemon's"),
        "{words}"
    );
}

#[test]
fn json_has_every_figure_and_the_seed_decides_them() {
    let arguments = ["--clients", "70:tls", "--keys", "2", "--json", "--seed", "5"];
    let output = capacity(&arguments);
    assert_eq!(capacity(&arguments).stdout, output.stdout);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&value["enough"], &value["keys"]), (&true.into(), &2.into()));
    for name in ["p50", "p95", "p99", "longest", "mean"] {
        assert!(value["waits_s"][name].is_f64(), "{name}: {value:#}");
    }
    // 8064 bytes a second, less one for the kernel, in requests of 64.
    assert!(value["clients_borne"].as_u64().is_some_and(|clients| (118..=126).contains(&clients)), "{value:#}");
    assert_eq!(value["steps"]["pool_bytes"].as_array().map(Vec::len), Some(240));
}

#[test]
fn the_picture_is_whole_and_an_old_one_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("capacity.svg");
    let name = file.to_str().expect("a name");
    let arguments = ["--clients", "80:tls", "--hours", "0.5", "--svg", name];
    assert_eq!(capacity(&arguments).status.code(), Some(1));
    let svg = std::fs::read_to_string(&file).expect("the picture");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    for title in ["Demand, and supply", "Pool, at the lowest", "Clients that wait"] {
        assert!(svg.contains(title), "{title}");
    }
    let again = capacity(&arguments);
    assert_eq!(again.status.code(), Some(4), "{}", words(&again));
}

#[test]
fn a_bad_argument_is_rejected_with_a_good_one() {
    for (arguments, expected) in [
        (&["--clients", "5"][..], "--habit boot"),
        (&["--clients", "5", "--habit", "sleep"], "expected boot"),
        (&["--clients", "0:tls"], "from 1 to 1000000"),
        (&["--clients", "5:burst:64"], "burst:64/10s"),
        (&["--clients", "5:tls", "--supply", "nan"], "bytes a second"),
        (&["--clients", "5:tls", "--hours", "1000"], "from 0.001 to 168"),
        (&["--clients", "1000000:steady:1000000"], "fewer --hours"),
        (&["--habit", "tls"], "--clients"),
        (&[], "is ekeyd running?"),
    ] {
        let output = capacity(arguments);
        assert!(!output.status.success() && words(&output).contains(expected), "{arguments:?}: {}", words(&output));
    }
}
