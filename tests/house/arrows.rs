//! The allowed dependencies: between the crates, the folders of ekey-proto, and the rooms of ekeyd.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use ekey_tests::tree;
use serde_json::Value;

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
/// The rooms of ekeyd. Each knows only those after it.
const ROOMS: [&str; 9] = ["program", "daemon", "observe", "confine", "outlet", "stock", "source", "socket", "config"];

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

#[test]
fn ekey_protos_imports_point_towards_wire() {
    let source = tree::root().join("ekey-proto/src");
    let arrows: [(&str, &[&str]); 2] = [("wire", &["crypt", "session"]), ("crypt", &["session"])];
    for (folder, forbidden) in arrows {
        let files = tree::rust_files(&source.join(folder));
        assert!(!files.is_empty(), "ekey-proto/src/{folder} has no Rust in it");
        for file in files {
            no_mention(&file, forbidden);
        }
    }
}

#[test]
fn ekeyds_rooms_know_only_rooms_after_them() {
    let source = tree::root().join("ekeyd/src");
    for (at, room) in ROOMS.iter().enumerate() {
        let files = tree::rust_files(&source.join(room));
        assert!(!files.is_empty(), "ekeyd/src/{room} has no Rust in it");
        for file in files {
            for (number, line) in tree::code_lines(&file) {
                let known = ROOMS[..at].iter().find(|before| line.contains(&format!("crate::{before}")));
                assert_eq!(known, None, "{}:{number}: {line}", file.display());
            }
        }
    }
}

fn no_mention(file: &Path, forbidden: &[&str]) {
    // How a module of this file names the crate's root.
    let up = if file.ends_with("mod.rs") { "super" } else { "super::super" };
    for (number, line) in tree::code_lines(file) {
        for module in forbidden {
            let mentioned = line.contains(&format!("crate::{module}"))
                || line.contains(&format!("{up}::{module}"))
                || (line.contains("crate::{") && line.contains(module));
            assert!(
                !mentioned,
                "{}:{number} uses {module}, against the arrow session -> crypt -> wire: {line}",
                file.display()
            );
        }
    }
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
