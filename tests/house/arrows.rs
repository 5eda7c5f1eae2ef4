//! The allowed dependencies: between the crates, and between the rooms of ekey-proto and of the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use ekey_tests::tree;
use serde_json::Value;

use crate::imports::Crate;

/// Crate, the workspace crates that it may depend on, and further ones that its tests may.
const ALLOWED: [(&str, &[&str], &[&str]); 10] = [
    ("ekey-proto", &[], &["ekey-sim"]),
    ("ekey-health", &[], &[]),
    ("ekey-egd", &[], &[]),
    ("ekey-link", &[], &["ekey-proto"]),
    ("ekey-keyring", &["ekey-proto"], &[]),
    ("ekey-control", &["ekey-proto", "ekey-link"], &[]),
    ("ekey-sim", &["ekey-proto"], &[]),
    ("ekeyd", &["ekey-proto", "ekey-health", "ekey-egd", "ekey-link", "ekey-keyring", "ekey-control", "ekey-sim"], &[]),
    (
        "ekey-ctl",
        &["ekey-control", "ekey-health", "ekey-egd", "ekey-proto", "ekey-link", "ekey-keyring"],
        &["ekey-sim"],
    ),
    ("ekey-tests", &[], &[]),
];

#[test]
fn every_crate_depends_only_on_allowed_crates() {
    let dependencies = workspace_dependencies();
    let seen = dependencies.keys().map(String::as_str).collect::<BTreeSet<_>>();
    let expected = ALLOWED.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>();
    assert_eq!(seen, expected, "the workspace's crates and this test's table differ");
    for (name, normal, in_tests) in ALLOWED {
        for dependency in &dependencies[name] {
            let allowed = normal.contains(&dependency.name.as_str())
                || (dependency.kind == "dev" && in_tests.contains(&dependency.name.as_str()));
            assert!(
                allowed,
                "{name} has {} as a {} dependency; allowed are only {normal:?}, in tests also {in_tests:?}",
                dependency.name, dependency.kind
            );
        }
    }
}

#[test]
fn only_the_demo_links_the_software_key() {
    let dependencies = workspace_dependencies();
    let sim =
        dependencies["ekeyd"].iter().filter(|dependency| dependency.name == "ekey-sim" && dependency.kind == "normal");
    for dependency in sim {
        assert!(dependency.optional, "ekeyd's dependency on ekey-sim must be optional, behind the feature `demo`");
    }
}

/// The folders of ekey-proto, and which others each may know.
const PROTO: [(&str, &[&str]); 3] = [("wire", &[]), ("crypt", &["wire"]), ("session", &["wire", "crypt"])];

/// The rooms of ekeyd, and what each may name of others: a whole room, or only some of it.
const DAEMON: [(&str, &[&str]); 14] = [
    // `ekeyd check` tries what the kernel's outlet needs of the system.
    ("program", &["daemon", "outlet", "confine", "socket", "config", "worker"]),
    ("daemon", &["source", "stock", "outlet", "observe", "confine", "socket", "config", "log_limit"]),
    ("source", &["socket", "config", "urandom", "worker", "log_limit"]),
    (
        "stock",
        &[
            "source::SourceId",
            "source::Trust",
            "source::Delivery",
            "source::MOST_BATCH",
            "source::batch",
            "urandom",
            "log_limit",
        ],
    ),
    (
        "outlet",
        &[
            "stock",
            "source::SourceId",
            "source::batch",
            "socket",
            "config",
            "urandom",
            "hypervisor",
            "worker",
            "log_limit",
        ],
    ),
    ("observe", &["socket", "config"]),
    // It lets an outlet keep its privilege.
    ("confine", &["outlet::Outlet", "config"]),
    ("socket", &["config", "log_limit"]),
    ("config", &[]),
    ("fuzzing", &["config"]),
    ("urandom", &[]),
    ("hypervisor", &[]),
    ("worker", &[]),
    ("log_limit", &[]),
];

/// What all sources share, and is none itself.
const SHARED_BY_SOURCES: [&str; 2] = ["batch", "keyring"];

#[test]
fn ekey_protos_imports_point_towards_wire() {
    only_allowed_names("ekey-proto", &PROTO);
}

#[test]
fn the_daemons_rooms_know_only_what_is_below() {
    only_allowed_names("ekeyd", &DAEMON);
}

fn only_allowed_names(folder: &str, rooms: &[(&str, &[&str])]) {
    let mut seen = BTreeSet::new();
    for (module, name) in Crate::read(folder).uses() {
        // The crate's root opens every room.
        let Some(room) = module.first() else { continue };
        let may_know = rooms.iter().find(|(known, _)| known == room);
        let (_, may_know) = may_know.unwrap_or_else(|| panic!("{folder}/src/{room} is in no table of this test"));
        seen.insert(room.clone());
        let text = name.join("::");
        let is_room = rooms.iter().any(|(other, _)| name.first().is_some_and(|first| first == other));
        let allowed = name.first() == Some(room)
            || may_know.iter().any(|prefix| text == *prefix || text.starts_with(&format!("{prefix}::")));
        assert!(!is_room || allowed, "{folder}: {} uses {text}, against the arrows of the design", module.join("::"));
    }
    assert!(seen.len() > 1, "no room of {folder} names another one");
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for (name, ..) in ALLOWED.iter().filter(|(name, ..)| *name != "ekey-tests") {
        assert_eq!(Crate::read(name).circles(), [""; 0], "{name}: modules that need each other");
    }
}

#[test]
fn the_loop_names_no_outlet_and_no_source() {
    let source = tree::root().join("ekeyd/src");
    for room in ["outlet", "source"] {
        let names = fs::read_dir(source.join(room)).expect("a room").flatten().filter_map(|entry| {
            let name = entry.path().file_stem()?.to_str()?.to_owned();
            (name != "mod" && !SHARED_BY_SOURCES.contains(&name.as_str())).then_some(name)
        });
        let names: Vec<String> = names.collect();
        assert!(names.len() > 1, "ekeyd/src/{room} has {names:?}");
        for file in tree::rust_files(&source.join("daemon")) {
            for (number, line) in tree::code_lines(&file) {
                let named = names.iter().find(|name| line.contains(&format!("{room}::{name}::")));
                assert_eq!(named, None, "{}:{number} knows a kind of {room}: {line}", file.display());
            }
        }
        let daemon = Crate::read("ekeyd");
        let mut uses = daemon.uses().filter(|(module, _)| module.first().is_some_and(|first| first == "daemon"));
        let named = uses.find(|(_, name)| name.len() > 1 && name[0] == room && names.contains(&name[1]));
        assert_eq!(named, None, "the daemon knows a kind of {room}");
    }
}

#[test]
fn the_loop_asks_no_field_whether_it_is_there() {
    let daemon = tree::root().join("ekeyd/src/daemon");
    for file in tree::rust_files(&daemon) {
        let asks = tree::code_lines(&file).into_iter().find(|(_, line)| line.contains(".is_some()"));
        assert_eq!(asks, None, "{}", file.display());
    }
    let text = fs::read_to_string(daemon.join("mod.rs")).expect("the loop");
    let fields = text.split("struct Daemon {").nth(1).and_then(|rest| rest.split('}').next()).expect("its fields");
    let count = fields.lines().filter(|line| line.ends_with(',')).count();
    assert!((1..=14).contains(&count), "`Daemon` has {count} fields: move what belongs together to a type of its own");
}

struct Dependency {
    name: String,
    kind: String,
    optional: bool,
}

/// Returns, for each crate of the workspace, the workspace crates that it depends on.
fn workspace_dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(tree::root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let names = packages.iter().map(|package| text(&package["name"]));
    let names = names.collect::<BTreeSet<_>>();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("they are listed");
            let inside =
                dependencies.iter().filter(|dependency| names.contains(&text(&dependency["name"]))).map(|dependency| {
                    Dependency {
                        name: text(&dependency["name"]),
                        kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                        optional: dependency["optional"] == true,
                    }
                });
            (text(&package["name"]), inside.collect())
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a name is text").to_owned()
}
