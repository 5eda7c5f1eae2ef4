//! The kernel's modules: which ones a module needs, and in which order they must be loaded.
//!
//! Source: modules.dep(5), modprobe.d(5) on soft dependencies. Busybox ignores the soft ones, so this file resolves
//! them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::architecture::Architecture;
use super::fetched;

/// The fetched modules with their dependencies.
pub(super) struct Modules {
    /// Their folder on this machine; the guest has them at `/usr/lib/modules/RELEASE`.
    pub(super) folder: PathBuf,
    /// The path of each module below the folder, by its name with underscores.
    paths: HashMap<String, String>,
    /// The names of the modules that each needs.
    needs: HashMap<String, Vec<String>>,
    /// The modules of other names.
    aliases: HashMap<String, Vec<String>>,
}

impl Modules {
    /// Reads what depmod wrote for the kernel of an architecture.
    ///
    /// # Panics
    /// When it was not fetched.
    pub(super) fn fetched(architecture: Architecture) -> Self {
        let folder = fetched::part_for(architecture, "modules/lib/modules").join(fetched::release(architecture));
        let mut modules =
            Self { paths: HashMap::new(), needs: HashMap::new(), aliases: HashMap::new(), folder: folder.clone() };
        for line in lines(&folder, "modules.dep") {
            let (path, needs) = line.split_once(':').expect("modules.dep has a colon in each line");
            modules.paths.insert(name(path), path.to_owned());
            // The nearest comes first there, so the most basic comes last.
            modules.needs.insert(name(path), needs.split_whitespace().rev().map(name).collect());
        }
        for line in lines(&folder, "modules.alias") {
            if let ["alias", alias, module] = words(&line)[..] {
                modules.aliases.entry(alias.to_owned()).or_default().push(module.to_owned());
            }
        }
        for line in lines(&folder, "modules.softdep") {
            let words = words(&line);
            let before =
                words.iter().skip_while(|word| **word != "pre:").skip(1).take_while(|word| !word.ends_with(':'));
            let before = before.filter_map(|word| modules.meant_by(word)).collect::<Vec<_>>();
            if let ["softdep", module, ..] = words[..] {
                modules.needs.entry(name(module)).or_default().splice(0..0, before);
            }
        }
        modules
    }

    /// Returns the modules to load for these ones, in order, each once, with their paths below the folder.
    ///
    /// # Panics
    /// When there is no such module.
    pub(super) fn in_order(&self, wanted: &[String]) -> Vec<String> {
        let mut order = Vec::new();
        for module in wanted {
            self.add(&name(module), &mut order);
        }
        order.iter().map(|module| self.paths[module].clone()).collect()
    }

    fn add(&self, module: &str, order: &mut Vec<String>) {
        assert!(
            self.paths.contains_key(module),
            "no module {module} in {}: name its folder in tests/fetch-guest",
            self.folder.display()
        );
        if order.iter().any(|there| there == module) {
            return;
        }
        for needed in &self.needs[module] {
            self.add(needed, order);
        }
        order.push(module.to_owned());
    }

    /// Returns the module of that name or alias; of several the portable one.
    fn meant_by(&self, word: &str) -> Option<String> {
        let word_as_name = name(word);
        if self.paths.contains_key(&word_as_name) {
            return Some(word_as_name);
        }
        let candidates = self.aliases.get(word)?;
        candidates.iter().find(|module| module.ends_with("_generic")).or(candidates.first()).cloned()
    }
}

/// Returns a module's name as the kernel writes it: without folder and ending, with underscores.
fn name(path: &str) -> String {
    let file = path.rsplit('/').next().expect("a split has a last part");
    file.trim_end_matches(".ko").replace('-', "_")
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn lines(folder: &Path, file: &str) -> Vec<String> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}
