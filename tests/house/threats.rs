//! The tests that docs/threat-model.md names exist.

use std::fs;

use ekey_tests::tree;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let text = fs::read_to_string(tree::root().join("docs/threat-model.md")).expect("the threat model");
    let quoted = text.split('`').skip(1).step_by(2).filter(|words| !words.contains(' '));
    let named: Vec<(&str, &str)> = quoted.filter_map(|words| words.rsplit_once("::")).collect();
    assert!(named.len() > 30, "it names {} tests", named.len());
    let named = named.into_iter().filter(|(place, _)| !["folder::file", "crate"].contains(place));
    let missing: Vec<_> = named.filter(|(place, name)| !is_test(place, name)).collect();
    assert!(missing.is_empty(), "docs/threat-model.md names tests that do not exist: {missing:#?}");
}

#[test]
fn a_missing_test_is_noticed() {
    assert!(is_test("house::threats", "a_missing_test_is_noticed"));
    for (place, name) in [("house::threats", "is_test"), ("house::threats", "no_such_test"), ("no::place", "is_test")] {
        assert!(!is_test(place, name), "{place}::{name}");
    }
}

/// Returns whether a file `folder::file` of this crate, or a crate of the workspace, has a test of that name.
fn is_test(place: &str, name: &str) -> bool {
    let files = match place.split_once("::") {
        Some((folder, file)) => vec![tree::root().join("tests").join(folder).join(file).with_extension("rs")],
        None if tree::root().join(place).join("Cargo.toml").exists() => tree::rust_files(&tree::root().join(place)),
        None => Vec::new(),
    };
    files.iter().filter(|file| file.exists()).any(|file| {
        let lines = tree::code_lines(file);
        let lines: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).collect();
        // Other attributes may stand between the mark and the function.
        let marked = (0..lines.len()).filter(|at| lines[*at] == "#[test]");
        let functions = marked.filter_map(|at| lines[at + 1..].iter().find(|line| !line.starts_with("#[")));
        functions.into_iter().any(|line| line.starts_with(&format!("fn {name}(")))
    })
}
