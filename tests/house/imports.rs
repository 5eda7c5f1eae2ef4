//! Which modules of a crate name which others, as its sources say it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ekey_tests::tree;

/// A module or an item, from the crate's root.
pub(crate) type Name = Vec<String>;

/// The modules of one crate.
pub(crate) struct Crate {
    modules: BTreeSet<Name>,
    /// What a module calls something of another one.
    aliases: BTreeMap<Name, Name>,
    /// A module, and what it names.
    uses: Vec<(Name, Name)>,
}

impl Crate {
    /// Reads the sources of the crate in `folder` of the workspace.
    pub(crate) fn read(folder: &str) -> Self {
        let source = tree::root().join(folder).join("src");
        let files = tree::rust_files(&source).into_iter().map(|file| {
            let lines = tree::code_lines(&file).into_iter().map(|(_, line)| line);
            (module_of(file.strip_prefix(&source).expect("a file below it")), lines.collect::<Vec<_>>().join("\n"))
        });
        let files: Vec<(Name, String)> = files.collect();
        assert!(!files.is_empty(), "{folder}/src has no Rust in it");
        let modules: BTreeSet<Name> = files.iter().map(|(module, _)| module.clone()).collect();
        let (mut aliases, mut uses) = (BTreeMap::new(), Vec::new());
        for (module, text) in &files {
            for path in paths_after(text, "use ") {
                let from = path.iter().skip_while(|word| *word == "self").cloned();
                let full: Name = module.iter().cloned().chain(from).collect();
                let is_below = full.len() > module.len() + 1 && modules.contains(&full[..=module.len()]);
                if let (true, Some(last)) = (is_below, full.last()) {
                    aliases.insert(module.iter().chain([last]).cloned().collect(), full.clone());
                }
            }
            uses.extend(paths_after(text, "crate::").into_iter().map(|path| (module.clone(), path)));
            for path in paths_after(text, "super::") {
                let up = 1 + path.iter().take_while(|word| *word == "super").count();
                // A module within a file may go up further than the file.
                if let Some(depth) = module.len().checked_sub(up) {
                    let full = module[..depth].iter().chain(&path[up - 1..]).cloned().collect();
                    uses.push((module.clone(), full));
                }
            }
        }
        Self { modules, aliases, uses }
    }

    /// Every module with each name that it uses of another one.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (&Name, Name)> {
        self.uses.iter().map(|(module, name)| (module, self.resolved(name)))
    }

    /// The modules of a folder that need each other, in every folder: each with what it names of one that needs it.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut arrows: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        let mut named = Vec::new();
        for (module, name) in self.uses() {
            let common = module.iter().zip(&name).take_while(|(one, other)| one == other).count();
            if common < module.len() && common < name.len() && self.modules.contains(&name[..=common]) {
                let (from, to) = (module[..=common].to_vec(), name[..=common].to_vec());
                arrows.entry(from.clone()).or_default().insert(to.clone());
                named.push((from, to, format!("{} uses {}", module.join("::"), name.join("::"))));
            }
        }
        named.retain(|(from, to, _)| reachable(&arrows, to).contains(from));
        named.into_iter().map(|(.., what)| what).collect()
    }

    /// The name under which the module that has the item has it.
    fn resolved(&self, name: &[String]) -> Name {
        let mut name = name.to_vec();
        // An alias may lead to another one.
        for _ in 0..8 {
            let item = (1..=name.len()).find(|length| !self.modules.contains(&name[..*length]));
            let Some((length, full)) = item.and_then(|length| Some((length, self.aliases.get(&name[..length])?)))
            else {
                break;
            };
            name = full.iter().chain(&name[length..]).cloned().collect();
        }
        name
    }
}

fn module_of(file: &Path) -> Name {
    let mut name: Name = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_folder = name.last().is_some_and(|last| last == "mod");
    if is_folder || name == ["lib"] || name == ["main"] {
        name.pop();
    }
    name
}

fn reachable(arrows: &BTreeMap<Name, BTreeSet<Name>>, from: &Name) -> BTreeSet<Name> {
    let (mut found, mut left) = (BTreeSet::from([from.clone()]), vec![from.clone()]);
    while let Some(next) = left.pop() {
        left.extend(arrows.get(&next).into_iter().flatten().filter(|to| found.insert((*to).clone())).cloned());
    }
    found
}

/// Every path that follows `start` in `text`, with its braces multiplied out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths_after(text: &str, start: &str) -> Vec<Name> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices(start) {
        let before = text[..at].chars().next_back();
        if !before.is_some_and(|before| before.is_alphanumeric() || "_:$".contains(before)) {
            read_tree(&text[at + start.len()..], &[], &mut paths);
        }
    }
    paths
}

/// Reads one path, or several in braces. Returns what follows.
fn read_tree<'t>(text: &'t str, before: &[String], paths: &mut Vec<Name>) -> &'t str {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(list) = rest.strip_prefix('{') {
            rest = list.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                rest = read_tree(rest, &path, paths).trim_start_matches(|other| other != ',' && other != '}');
                rest = rest.trim_start_matches(',').trim_start();
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest.find(|other: char| !other.is_alphanumeric() && !"_*".contains(other)).unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        match rest[end..].strip_prefix("::") {
            Some(further) if end > 0 => rest = further,
            _ => {
                paths.push(path);
                return &rest[end..];
            }
        }
    }
}

#[test]
fn braces_in_an_import_are_multiplied_out() {
    let text = "use crate::a::{self, b, c::{D as E, f}};\nlet x = crate::g::h(1); not_crate::i; $crate::j";
    let paths: Vec<String> = paths_after(text, "crate::").iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["a::self", "a::b", "a::c::D", "a::c::f", "g::h"]);
}

#[test]
fn a_circle_is_found_and_a_tree_has_none() {
    let name = |text: &str| -> Name { text.split("::").map(ToOwned::to_owned).collect() };
    let of = |uses: &[(&str, &str)]| Crate {
        modules: ["a", "a::x", "b", "c"].map(name).into(),
        aliases: BTreeMap::from([(name("Ex"), name("a::x::Ex"))]),
        uses: uses.iter().map(|(module, used)| (name(module), name(used))).collect(),
    };
    assert_eq!(of(&[("a::x", "b::B"), ("b", "c::C"), ("a", "a::x::Ex")]).circles(), [""; 0]);
    assert_eq!(of(&[("a::x", "b::B"), ("b", "c::C"), ("c", "Ex")]).circles().len(), 3);
}
