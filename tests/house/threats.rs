//! The tests that docs/threat-model.md names exist, each under that name.

use std::fs;

use ekey_tests::tree;

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let text = fs::read_to_string(tree::root().join("docs/threat-model.md")).expect("the threat model");
    let named: Vec<(&str, &str)> =
        text.split('`').skip(1).step_by(2).filter_map(|words| words.split_once("::")).collect();
    assert!(named.len() > 30, "it names {} tests", named.len());
    for (target, name) in named {
        if (target, name) == ("target", "name") {
            continue;
        }
        assert!(is_test(target, name), "docs/threat-model.md names `{target}::{name}`, and there is no such test");
    }
}

#[test]
fn a_test_that_is_not_there_would_be_missed() {
    assert!(is_test("house_threats", "a_test_that_is_not_there_would_be_missed"));
    for (target, name) in [("house_threats", "is_test"), ("house_threats", "no_such_test"), ("no_target", "is_test")] {
        assert!(!is_test(target, name), "{target}::{name}");
    }
}

/// Whether a target of this crate, or a crate of the workspace, has a test of that name.
fn is_test(target: &str, name: &str) -> bool {
    let manifest = fs::read_to_string(tree::root().join("tests/Cargo.toml")).expect("the harness has a manifest");
    let own = manifest.lines().skip_while(|line| *line != format!("name = \"{target}\"")).nth(1);
    let own = own.and_then(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    let files = match own {
        Some(path) => vec![tree::root().join("tests").join(path)],
        None if tree::root().join(target).join("Cargo.toml").exists() => tree::rust_files(&tree::root().join(target)),
        None => Vec::new(),
    };
    files.iter().any(|file| {
        let lines = tree::code_lines(file);
        let lines: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).collect();
        // Other attributes may stand between the mark and the function.
        let marked = (0..lines.len()).filter(|at| lines[*at] == "#[test]");
        let functions = marked.filter_map(|at| lines[at + 1..].iter().find(|line| !line.starts_with("#[")));
        functions.into_iter().any(|line| line.starts_with(&format!("fn {name}(")))
    })
}
