//! What may come next on this tool's command line. A shell's script asks for it at each press of TAB, so that one definition serves
//! all shells, and knows the daemon's keys.
//!
//! The answer's first line is `files`, or `words` with a line for each. Only words that no shell interprets are offered.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, ValueEnum};
use ekey_control::{Client, DEFAULT_SOCKET, Status, advice};
use ekey_proto::Serial;

/// How long a person waits for a list of keys.
const PATIENCE: Duration = Duration::from_millis(500);
/// Where bash ends a word in the middle of what other shells take as one.
const BREAKS: [char; 2] = ['=', ':'];

/// A shell whose script asks this tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Asking {
    Bash,
    Zsh,
    Fish,
}

impl Asking {
    /// Returns the shell's script.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("script.bash"),
            Self::Zsh => include_str!("script.zsh"),
            Self::Fish => include_str!("script.fish"),
        }
    }

    fn line(self, word: &Word) -> String {
        match (self, word.about.as_str()) {
            (Self::Bash, _) | (_, "") => word.text.replace(':', if self == Self::Zsh { "\\:" } else { ":" }),
            (Self::Zsh, about) => format!("{}:{about}", word.text.replace(':', "\\:")),
            (Self::Fish, about) => format!("{}\t{about}", word.text),
        }
    }
}

/// A word that may come next, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    about: String,
}

/// What may come next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Files,
    Words(Vec<Word>),
}

/// Returns the answer for a shell. `words` follow the tool's name, and the last one is unfinished.
pub(crate) fn answer(shell: Asking, command: &mut Command, words: &[String]) -> String {
    command.build();
    let words = if shell == Asking::Bash { joined(words) } else { words.to_vec() };
    let (current, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let place = Place::after(command, before);
    match place.next(current) {
        Next::Files => "files\n".to_owned(),
        Next::Words(mut words) => {
            words.retain(|word| word.text.starts_with(current));
            // bash replaces only what follows the last break.
            let cut = if shell == Asking::Bash { current.rfind(BREAKS).map_or(0, |at| at + 1) } else { 0 };
            let lines = words.into_iter().map(|word| Word { text: word.text[cut..].to_owned(), ..word });
            let lines: String = lines.map(|word| shell.line(&word) + "\n").collect();
            format!("words\n{lines}")
        }
    }
}

/// Joins what bash has broken at `=` and `:`.
fn joined(words: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut continues = false;
    for word in words {
        let is_break = !word.is_empty() && word.chars().all(|character| BREAKS.contains(&character));
        match joined.last_mut() {
            Some(last) if is_break || continues => last.push_str(word),
            _ => joined.push(word.clone()),
        }
        continues = is_break;
    }
    joined
}

/// A place on the command line: what the words before it have used up.
struct Place<'c> {
    command: &'c Command,
    /// The option whose value comes next.
    expects: Option<&'c Arg>,
    positionals: usize,
    used: Vec<&'c str>,
    socket: Option<PathBuf>,
    no_more_options: bool,
}

impl<'c> Place<'c> {
    fn after(command: &'c Command, words: &[String]) -> Self {
        let mut place =
            Self { command, expects: None, positionals: 0, used: Vec::new(), socket: None, no_more_options: false };
        words.iter().for_each(|word| place.take(word));
        place
    }

    fn take(&mut self, word: &str) {
        if let Some(option) = self.expects.take() {
            self.set(option, word);
        } else if self.no_more_options {
            self.positionals += 1;
        } else if word == "--" {
            self.no_more_options = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let Some(option) = self.option(name) else { return };
            self.used.extend(option.get_long());
            match value {
                Some(value) => self.set(option, value),
                None => self.expects = takes_value(option).then_some(option),
            }
        } else if word.len() > 1 && word.starts_with('-') {
        } else if let Some(verb) = self.command.find_subcommand(word).filter(|_| self.positionals == 0) {
            self.command = verb;
            self.used.clear();
        } else {
            self.positionals += 1;
        }
    }

    fn set(&mut self, option: &Arg, value: &str) {
        if option.get_id() == "socket" {
            self.socket = Some(value.into());
        }
    }

    fn option(&self, name: &str) -> Option<&'c Arg> {
        self.command.get_arguments().find(|arg| arg.get_long() == Some(name))
    }

    fn next(&self, current: &str) -> Next {
        if let Some(option) = self.expects {
            return self.values(option, current, "");
        }
        if !self.no_more_options && current.starts_with('-') && current != "-" {
            let name = current.trim_start_matches('-').split_once('=');
            let option = name.and_then(|(name, _)| self.option(name)).filter(|option| takes_value(option));
            return match (option, current.split_once('=')) {
                (Some(option), Some((name, value))) => self.values(option, value, &format!("{name}=")),
                _ => Next::Words(self.options()),
            };
        }
        let mut words: Vec<Word> = self.verbs();
        if let Some(positional) = self.command.get_positionals().nth(self.positionals) {
            match self.values(positional, current, "") {
                Next::Words(values) => words.extend(values),
                files @ Next::Files => return files,
            }
        }
        if words.is_empty() {
            words = self.options();
        }
        Next::Words(words)
    }

    fn verbs(&self) -> Vec<Word> {
        let verbs = self.command.get_subcommands().filter(|verb| !verb.is_hide_set() && self.positionals == 0);
        verbs.map(|verb| word(verb.get_name(), verb.get_about())).collect()
    }

    fn options(&self) -> Vec<Word> {
        let is_left = |option: &&Arg| {
            let again = matches!(option.get_action(), ArgAction::Append);
            !option.is_hide_set() && (again || option.get_long().is_some_and(|long| !self.used.contains(&long)))
        };
        let options = self.command.get_arguments().filter(is_left);
        options.filter_map(|option| Some(word(&format!("--{}", option.get_long()?), option.get_help()))).collect()
    }

    /// Returns the values of an argument, each after `before`.
    fn values(&self, arg: &Arg, current: &str, before: &str) -> Next {
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let known = arg.get_possible_values();
        let words: Vec<Word> = match name {
            "FILE" | "PATH" | "DIR" => return Next::Files,
            "KEY" | "SERIAL" => self.keys(name == "KEY"),
            "HABIT" => habits(""),
            "N[:HABIT]" => current.split_once(':').map_or_else(Vec::new, |(number, _)| habits(&format!("{number}:"))),
            "N" if arg.get_long() == Some("bytes") => plain(&["2500", "64k", "1M", "1G"]),
            "ALPHA" => plain(&["2^-20", "2^-30", "2^-40", "2^-60"]),
            _ => known.iter().map(|value| word(value.get_name(), value.get_help())).collect(),
        };
        let after = |word: Word| Word { text: format!("{before}{}", word.text), ..word };
        Next::Words(words.into_iter().map(after).collect())
    }

    /// Returns the names of the daemon's keys: serial numbers, and for `with_numbers` their numbers.
    fn keys(&self, with_numbers: bool) -> Vec<Word> {
        let Some(status) = self.status() else { return Vec::new() };
        let mut words = Vec::new();
        for key in &status.keys {
            let about = advice::words(key.state);
            // A daemon that was taken over may send anything, and a shell may run it.
            let serial = key.known_serial().and_then(|serial| serial.parse::<Serial>().ok());
            words.extend(serial.map(|serial| Word { text: serial.to_string(), about: about.clone() }));
            words.extend(with_numbers.then(|| Word { text: key.number.to_string(), about }));
        }
        words
    }

    fn status(&self) -> Option<Status> {
        let usual = || std::env::var_os("EKEYD_SOCKET").map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from);
        let socket = self.socket.clone().unwrap_or_else(usual);
        Client::connect_within(&socket, PATIENCE).ok()?.status().ok()
    }
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn word(text: &str, about: Option<&clap::builder::StyledStr>) -> Word {
    let about = about.map_or_else(String::new, |about| about.to_string().replace('\n', " "));
    Word { text: text.to_owned(), about }
}

fn plain(texts: &[&str]) -> Vec<Word> {
    texts.iter().map(|text| word(text, None)).collect()
}

fn habits(before: &str) -> Vec<Word> {
    ["boot", "gpg", "tls", "steady:16", "burst:64/10s"]
        .iter()
        .map(|habit| word(&format!("{before}{habit}"), None))
        .collect()
}
