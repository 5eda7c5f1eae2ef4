//! The fenced blocks of a document, and the commands in them.

use std::fs;

use crate::tree;

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The heading of its part, a line that starts with `## `.
    pub heading: String,
    /// The paragraph before it, in one line.
    pub before: String,
    /// The first word after the fence, such as `console`.
    pub language: String,
    /// The words after that. In docs/guide.md the first one says where a test runs the commands.
    pub place: String,
    /// Its lines.
    pub text: String,
}

/// A command that the reader types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whether it stands after `#`, for root, as opposed to `$`.
    pub root: bool,
    /// The command.
    pub command: String,
}

impl Block {
    /// Returns the commands: the lines after `$ ` and `# `. A line that ends in a backslash continues in the next one.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let whole = self.text.replace("\\\n", " ");
        let step = |line: &str| {
            let (root, command) = line
                .strip_prefix("# ")
                .map(|command| (true, command))
                .or_else(|| Some((false, line.strip_prefix("$ ")?)))?;
            Some(Step { root, command: command.trim().to_owned() })
        };
        whole.lines().filter_map(|line| step(line.trim_start())).collect()
    }
}

/// Returns the blocks of a document, by its path below the workspace.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn blocks_of(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(tree::root().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"));
    blocks(&text)
}

/// Returns the fenced blocks of a text, in order.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut heading, mut before, mut paragraph_ended) = (String::new(), String::new(), false);
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            if inside {
                let (language, place) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
                let (heading, before) = (heading.clone(), before.trim().to_owned());
                let (language, place) = (language.to_owned(), place.to_owned());
                blocks.push(Block { heading, before, language, place, text: String::new() });
            }
            continue;
        }
        if inside {
            if let Some(block) = blocks.last_mut() {
                block.text += line;
                block.text.push('\n');
            }
            continue;
        }
        if let Some(words) = line.strip_prefix("## ") {
            words.clone_into(&mut heading);
        }
        if line.trim().is_empty() {
            paragraph_ended = true;
        } else {
            if paragraph_ended {
                before.clear();
                paragraph_ended = false;
            }
            before += line;
            before.push(' ');
        }
    }
    blocks
}

/// Returns the commands of a document's `console` blocks that a test runs at `place`, in order.
///
/// # Panics
/// When it has none, or cannot be read.
#[must_use]
pub fn steps_at(document: &str, place: &str) -> Vec<Step> {
    let blocks = blocks_of(document);
    let here = blocks.iter().filter(|block| block.language == "console" && block.place == place);
    let steps: Vec<Step> = here.flat_map(Block::steps).collect();
    assert!(!steps.is_empty(), "{document} has no command for {place}");
    steps
}
