//! `[sandbox]`: what the daemon gives up once it runs.

use std::path::PathBuf;

use super::table::Table;
use super::{Claim, Resource, Section};

/// `[sandbox]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// Whether to restrict system calls and files.
    pub enabled: bool,
    /// The user to become if root starts the daemon.
    pub user: RunAs,
    /// A file to remove at the end; only the replacement of the original's client has one.
    pub pid_file: Option<PathBuf>,
}

/// The user that a daemon started by root becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// The user `ekeyd`, or root on a machine without one.
    Usual,
    /// This user, who must exist.
    Named(String),
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { enabled: true, user: RunAs::Usual, pid_file: None }
    }
}

impl Section for Sandbox {
    const NAME: &'static str = "sandbox";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        let user = table.parsed("user", "the name of a user in quotes", |name| {
            let is_name = !name.is_empty() && !name.contains(['\0', ':', '/']);
            is_name.then(|| RunAs::Named(name.to_owned()))
        });
        Some(Self {
            enabled: table.flag("enabled").unwrap_or(default.enabled),
            user: user.unwrap_or(default.user),
            ..default
        })
    }

    fn claims(&self) -> Vec<Claim> {
        self.pid_file.iter().map(|path| Self::claim("pid-file", Resource::PidFile(path.clone()))).collect()
    }
}
