//! The commands and links in README.md and the other documents work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ekey_tests::document::{Block, blocks, blocks_of};
use ekey_tests::{binaries, tree};

const PROGRAMS: [&str; 3] = ["ekeyd", "ekey-ctl", "ekey-sim"];
/// The tasks that docs/guide.md must have.
const TASKS: [&str; 7] = [
    "I have a key and a Debian host",
    "My key is stuck",
    "KVM guests",
    "OpenWrt",
    "From ekeyd 1.1.5 and back",
    "Monitoring it",
    "Reporting a bug",
];
/// Where tests run the guide's commands: `guest::guide` in a machine with an installed daemon, in one that dpkg installs
/// it into, and in one that replaces the original; `guest::hwrng` in a virtual machine; `guest::openwrt`. No test runs
/// those of the last one, and the guide says why.
const PLACES: [&str; 6] = ["installed", "package", "original", "vm", "openwrt", "by-hand"];

#[test]
fn every_documented_command_exists() {
    assert!(!commands(&readme()).is_empty(), "README.md shows no command of {PROGRAMS:?} in a fenced block");
    for (document, text) in documents() {
        for words in commands(&text) {
            check(&words, &document);
        }
    }
}

#[test]
fn every_script_that_the_readme_names_is_executable() {
    use std::os::unix::fs::PermissionsExt;
    let readme = readme();
    assert!(readme.contains("tests/run"), "README.md does not name tests/run");
    for script in ["tests/run", ".ci/run"] {
        let path = tree::root().join(script);
        let mode = fs::metadata(&path).expect("it exists").permissions().mode();
        assert!(mode & 0o100 != 0, "{script} is not executable");
    }
}

#[test]
fn the_guide_has_its_tasks_and_a_place_for_each() {
    let blocks = blocks_of("docs/guide.md");
    for task in TASKS {
        let commands = blocks.iter().filter(|block| block.heading == task && block.language == "console");
        assert!(commands.flat_map(Block::steps).count() > 0, "docs/guide.md has no commands for {task:?}");
    }
    for block in blocks.iter().filter(|block| !["toml", "xml", "text"].contains(&block.language.as_str())) {
        let Block { heading, language, place, before, text } = block;
        assert!(language == "console" && PLACES.contains(&place.as_str()), "no test runs this of {heading:?}:\n{text}");
        assert!(text.lines().all(|line| line.starts_with(['$', '#', ' '])), "not a command, in {heading:?}:\n{text}");
        assert_eq!(place == "by-hand", before.contains("No test runs"), "{before:?} does not say who runs:\n{text}");
    }
    for place in PLACES {
        assert!(blocks.iter().any(|block| block.place == place), "the guide has nothing for {place}");
    }
}

#[test]
fn every_linked_file_exists() {
    for (document, text) in documents() {
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                let path = document.with_file_name(target);
                assert!(path.exists(), "{} links to {target}, which does not exist", document.display());
            }
        }
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let root = tree::root();
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("it is there");
    let paths: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains(' ')).collect();
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        let exists = [root.join(path), root.join("ekeyd/src").join(path)].iter().any(|path| path.exists());
        assert!(exists, "ARCHITECTURE.md names {path}, which does not exist");
    }
}

/// Returns the documents, each with its path.
fn documents() -> Vec<(PathBuf, String)> {
    let root = tree::root();
    let mut paths: Vec<PathBuf> =
        ["packaging/README.md", "udev/README.md", "ekey-egd/README.md"].map(|name| root.join(name)).into();
    for folder in ["", "docs", "firmware-notes"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there").flatten();
        paths
            .extend(entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// Returns the lines of fenced blocks that run one of our programs, as words from the program's name on.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in blocks(text).iter().flat_map(|block| block.text.lines()) {
        let line = line.split(" #").next().unwrap_or_default();
        for part in line.split(['|', ';', '&']) {
            let words = part
                .split_whitespace()
                .skip_while(|word| ["$", "#", "{", "sudo", "exec"].contains(word))
                .map(str::to_owned)
                .collect::<Vec<_>>();
            // A service script has the daemon's name and other words.
            let ours = |word: &String| PROGRAMS.contains(&program(word)) && !word.starts_with("/etc/init.d/");
            if words.first().is_some_and(ours) {
                commands.push(words);
            }
        }
    }
    commands
}

fn check(words: &[String], document: &Path) {
    let name = program(&words[0]);
    let verbs = words[1..]
        .iter()
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .take(match (name, words.get(1).map(String::as_str)) {
            ("ekey-sim", _) => 0,
            ("ekey-ctl", Some("keyring" | "config")) => 2,
            _ => 1,
        })
        .collect::<Vec<_>>();
    let output =
        Command::new(binaries::built(name)).args(&verbs).arg("--help").output().expect("the program can be run");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let (shown, document) = (words.join(" "), document.display());
    assert!(
        output.status.success(),
        "{document} shows `{shown}`, but `{name} {verbs:?} --help` fails: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for flag in words[1..].iter().filter(|word| word.starts_with("--")) {
        let flag = flag.split('=').next().unwrap_or_default();
        assert!(
            flag == "--help" || flag == "--version" || help.contains(flag),
            "{document} shows `{shown}`, but the help of {name} {verbs:?} has no {flag}:\n{help}"
        );
    }
}

fn program(word: &str) -> &str {
    Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn readme() -> String {
    fs::read_to_string(tree::root().join("README.md")).expect("README.md is at the root")
}
