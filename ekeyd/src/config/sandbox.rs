//! `[sandbox]`: what the daemon gives up once it runs.

use std::path::PathBuf;

use super::section::{Notes, Section};

/// The keys of the section.
pub(super) const KEYS: [&str; 2] = ["enabled", "user"];

/// `[sandbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// Whether to bound system calls and files.
    pub enabled: bool,
    /// Whom to become if root starts it.
    pub user: RunAs,
    /// A file that it removes when it ends; only the program of the original's client has one.
    pub pid_file: Option<PathBuf>,
}

/// Whom a daemon that root starts becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// The user `ekeyd`, or root where there is none.
    Usual,
    /// This one, or nothing runs.
    Named(String),
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { enabled: true, user: RunAs::Usual, pid_file: None }
    }
}

/// Reads the section.
pub(super) fn read(notes: &mut Notes<'_>, section: &Section<'_>) -> Sandbox {
    let due = Sandbox::default();
    let user = section.text(notes, "user", "the name of a user in quotes").and_then(|(at, name)| {
        let is_name = !name.is_empty() && !name.contains(['\0', ':', '/']);
        if !is_name {
            notes.note(at, format!("`user` is `{}`; expected the name of a user", super::read::shown(name)));
        }
        is_name.then(|| RunAs::Named(name.to_owned()))
    });
    Sandbox { enabled: section.flag(notes, "enabled", due.enabled), user: user.unwrap_or(due.user), ..due }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    #[test]
    fn what_can_be_no_user_is_a_mistake_with_its_place() {
        for (text, due) in [
            ("[sandbox]\nuser = \"\"\n", "f.toml:2:8: `user` is ``; expected the name of a user"),
            ("[sandbox]\nuser = \"a:b\"\n", "f.toml:2:8: `user` is `a:b`"),
            ("[sandbox]\nuser = 0\n", "f.toml:2:8: `user` is a number"),
            ("[sandbox]\nenabled = \"no\"\n", "f.toml:2:11: `enabled` is a text"),
        ] {
            let refused = Config::parse(Path::new("f.toml"), text).unwrap_err().to_string();
            assert!(refused.contains(due), "{text}: {refused}");
        }
    }
}
