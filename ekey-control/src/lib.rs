//! The control socket of the daemon: its language EKEYD/1, the status that it answers, and the words that people read.
//!
//! A client connects to a unix socket, reads the greeting, and sends one [`Statement`] a line. The daemon turns it into a [`Command`]
//! and answers with a [`Reply`]: lines that start with `*` and a tab, then `OK` or `ERROR`. Programs written for Simtec's daemon
//! keep working. Two statements are new: `Status` answers with the whole [`Status`] as one line of JSON, `History` with the figures
//! of the last day ([`History`]).
//!
//! The crate also turns a status into words and pictures ([`glance`], [`advice`], [`chart`]), so that terminal and page say the same.
//!
//! The configuration file of Simtec's daemon is written in the same statements: [`OriginalConfig`] is what it says.
//!
//! ```
//! use ekey_control::{Command, Reply};
//!
//! # fn main() -> Result<(), ekey_control::CommandError> {
//! // What a client sends …
//! let line = Command::StatEntropyKey("ttyACM0".to_owned()).to_string();
//! assert_eq!(line, "StatEntropyKey(\"ttyACM0\")");
//! // … the daemon parses, and answers.
//! assert_eq!(Command::parse(&line)?, Some(Command::StatEntropyKey("ttyACM0".to_owned())));
//! assert_eq!(Reply::lines(["BytesRead=448"]).to_string(), "*\tBytesRead=448\nOK\n");
//! # Ok(())
//! # }
//! ```
//!
//! The crate opens no device and keeps no secret. From ekey-proto it takes what a key and its session say, from ekey-link how a
//! key is reached and revived.
#![forbid(unsafe_code)]

mod language;
pub mod original;
mod printable;
pub mod status;
mod words;

pub use language::client::{Answer, Client, ClientError};
pub use language::command::{Command, CommandError, Level};
pub use language::reply::{GREETING, Reply};
pub use language::statement::{Mistake, Statement, SyntaxError, Value, parse_line};
pub use language::{client, command, reply, statement, tag};
pub use original::OriginalConfig;
pub use original::path;
pub use printable::printable;
pub use status::history::History;
pub use status::state::KeyState;
pub use status::{KeyStatus, Status, StatusError};
pub use status::{books, health, history};
pub use words::{advice, amount, chart, glance, nearest, parts};

/// Where the daemon listens unless its configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/ekeyd/control.sock";
