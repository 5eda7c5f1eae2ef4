//! What every source file must have: a first paragraph, a place in a target, and in the protocol neither std nor unsafe code.

use std::fs;

use ekey_tests::tree;

#[test]
fn every_source_file_starts_with_what_it_is_for() {
    let silent = tree::rust_files(&tree::root())
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("a source file can be read");
            !text.starts_with("//!")
        })
        .collect::<Vec<_>>();
    assert!(silent.is_empty(), "these lack a first `//!` paragraph: {silent:#?}");
}

#[test]
fn every_test_file_belongs_to_its_folders_target() {
    let manifest = fs::read_to_string(tree::root().join("tests/Cargo.toml")).expect("the harness has a manifest");
    let mains: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')).collect();
    assert!(mains.contains(&"house/main.rs"), "{mains:?}");
    for main in mains.into_iter().map(|main| tree::root().join("tests").join(main)) {
        let text = fs::read_to_string(&main).expect("a target's main file");
        for path in tree::rust_files(main.parent().expect("a folder")).into_iter().filter(|path| *path != main) {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_declared = text.lines().any(|line| line == format!("mod {name};"));
            assert!(is_declared, "{} does not declare mod {name}, so its tests never run", main.display());
        }
    }
}

#[test]
fn the_protocol_needs_no_std_and_forbids_unsafe_code() {
    let root = tree::root().join("ekey-proto/src/lib.rs");
    let text = fs::read_to_string(root).expect("ekey-proto has a lib.rs");
    for attribute in ["no_std", "forbid(unsafe_code)"] {
        let there = text.lines().any(|line| line.starts_with("#![") && line.contains(attribute));
        assert!(there, "ekey-proto/src/lib.rs lacks #![{attribute}]");
    }
}

#[test]
fn only_ekeyd_and_ekey_link_allow_unsafe_code() {
    let lint = "unsafe_code";
    let exceptions = ["expect", "allow", "warn"].map(|level| format!("{level}({lint}"));
    for folder in ["ekey-proto", "ekey-health", "ekey-keyring", "ekey-control", "ekey-ctl", "ekey-sim", "tests"] {
        for path in tree::rust_files(&tree::root().join(folder)) {
            let found = tree::code_lines(&path)
                .into_iter()
                .find(|(_, line)| exceptions.iter().any(|exception| line.contains(exception)));
            assert_eq!(found, None, "{} makes an exception for unsafe code", path.display());
        }
    }
}
