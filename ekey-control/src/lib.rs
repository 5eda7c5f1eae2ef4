//! The language of the control socket, EKEYD/1, as the daemon speaks it and the tool reads it.
//!
//! A client connects to a unix socket, reads the greeting, and sends one [`Statement`] a line. The daemon turns it into a [`Command`]
//! and answers with a [`Reply`]: lines that start with `*` and a tab, then `OK` or `ERROR`. Programs written for Simtec's daemon
//! keep working; the statements they do not know are `Status`, which answers with the whole [`Status`] as one line of JSON, and
//! `History`, which does so with the last day's figures ([`History`]).
//!
//! What a person is told of a status ([`glance`], [`advice`], [`chart`]) is here as well, so that terminal and page say the same.
//!
//! The configuration file of Simtec's daemon is written in the same statements: [`OriginalConfig`] is what it says.
//!
//! Of the other crates of the project it knows two types each: what a key and its session say (ekey-proto), how a key is reached
//! and revived (ekey-link). It opens no device and keeps no secret.
#![forbid(unsafe_code)]

mod language;
pub mod original;
pub mod status;
mod words;

pub use language::client::{Answer, Client, ClientError};
pub use language::command::{Command, CommandError, Level};
pub use language::reply::{GREETING, Reply};
pub use language::statement::{Mistake, Statement, SyntaxError, Value, parse_line};
pub use language::{client, command, reply, statement, tag};
pub use original::OriginalConfig;
pub use original::path;
pub use status::history::History;
pub use status::state::KeyState;
pub use status::{KeyStatus, Status, StatusError};
pub use status::{books, health, history};
pub use words::{advice, amount, chart, glance, nearest, parts};

/// Where the daemon listens unless its configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/ekeyd/control.sock";
