//! The language of the project: short test names, and none of the words that read translated.

use std::fs;
use std::path::Path;

use ekey_tests::tree;

/// The longest name of a test.
const MOST_CHARACTERS: usize = 50;
/// Folders whose tests still have longer names.
const LONG_NAMES: [&str; 1] = ["ekeyd/src"];

/// Words that comments and documents avoid, in lower case. A word between back quotes may be a promise, so it does not count.
const AVOIDED: [&str; 28] = [
    "whoever",
    "whomever",
    "nobody",
    "so many",
    "so manyth",
    "so much",
    "milliard",
    "milliards",
    "beside",
    "is due",
    "are due",
    "is told",
    "are told",
    "was told",
    "put aside",
    "puts aside",
    "stir in",
    "stirs in",
    "stirred in",
    "parts with",
    "to part with",
    "heed",
    "heeds",
    "heeded",
    "obey",
    "obeys",
    "obeyed",
    "is no",
];
/// Folders and files whose text still has such words. CONTRIBUTING.md shows what not to write.
const OLD_WORDS: [&str; 2] = ["CONTRIBUTING.md", "ekeyd/src"];

#[test]
fn every_test_name_has_at_most_50_characters() {
    let root = tree::root();
    let mut long = Vec::new();
    for path in tree::rust_files(&root).iter().filter(|path| !is_below(path, &LONG_NAMES)) {
        for (number, name) in test_names(path) {
            if name.len() > MOST_CHARACTERS {
                long.push(format!("{}:{number}: {name} has {} characters", path.display(), name.len()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_text_has_a_word_that_reads_translated() {
    let root = tree::root();
    let mut found = Vec::new();
    let endings = [".rs", ".md", ".toml", ".1", ".5", ".8"];
    for path in tree::files_ending(&root, &endings).iter().filter(|path| !is_below(path, &OLD_WORDS)) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(words) = avoided(prose(path, line)) {
                found.push(format!("{}:{number}: `{words}` in: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_search_finds_names_and_words() {
    let own = tree::root().join("tests/house/language.rs");
    let names = test_names(&own);
    assert!(names.iter().any(|(_, name)| name == "the_search_finds_names_and_words"), "{names:?}");
    for line in ["Whoever asks", "goes to whoever", "is no key", "a byte, so many", "So manyth", "3 milliards"] {
        assert!(avoided(line).is_some(), "{line}");
    }
    for line in ["there is no key", "it is no longer there", "the field `put aside`", "unheeded", "a part with one row"]
    {
        assert_eq!(avoided(line), None, "{line}");
    }
    assert_eq!(prose(&own, "let nobody = 1; // why"), " why");
    assert_eq!(prose(&own, "let at = \"http://nobody\";"), "");
    assert_eq!(prose(Path::new("a.md"), "text"), "text");
}

/// Returns whether `path` is one of `places` at the root, or below one.
fn is_below(path: &Path, places: &[&str]) -> bool {
    let inside = path.strip_prefix(tree::root()).expect("the file is in the workspace");
    places.iter().any(|place| inside.starts_with(place))
}

/// Returns the names of a file's tests, each with its line.
fn test_names(path: &Path) -> Vec<(usize, String)> {
    let lines = tree::code_lines(path);
    let marks = (0..lines.len()).filter(|at| lines[*at].1.trim() == "#[test]");
    // Other attributes may stand between the mark and the function.
    let functions = marks.filter_map(|at| lines[at + 1..].iter().find(|(_, line)| line.trim().starts_with("fn ")));
    let name = |line: &str| line.trim().trim_start_matches("fn ").split('(').next().unwrap_or_default().to_owned();
    functions.map(|(number, line)| (*number, name(line))).collect()
}

/// Returns the part of a line that people read: a comment of code, or the whole line of a document.
fn prose<'t>(path: &Path, line: &'t str) -> &'t str {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mark = match ending {
        "rs" => "//",
        "toml" => "#",
        _ => return line,
    };
    match line.split_once(mark) {
        Some((code, _)) if ending == "rs" && code.ends_with(':') => "",
        Some((_, comment)) => comment,
        None => "",
    }
}

/// Returns the first avoided words of a text outside back quotes.
fn avoided(text: &str) -> Option<&'static str> {
    let outside: Vec<&str> = text.split('`').step_by(2).collect();
    let lower = outside.join(" ` ").to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '`').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    AVOIDED.into_iter().find(|avoided| {
        let parts: Vec<&str> = avoided.split(' ').collect();
        let places = (0..words.len()).filter(|at| words[*at..].starts_with(&parts));
        places.into_iter().any(|at| {
            let before = at.checked_sub(1).map(|at| words[at]);
            let after = words.get(at + parts.len()).copied();
            *avoided != "is no" || (before != Some("there") && !matches!(after, Some("longer" | "more")))
        })
    })
}
