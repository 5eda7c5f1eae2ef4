//! What Simtec's daemon reads and answers: its configuration file, `ekeyd.conf`, and the lines of its lists.

mod answers;
mod config;
pub mod path;

pub use answers::{list_lines, stat_lines};
pub use config::{ConfigMistake, EgdSocket, Host, KeyNode, OriginalConfig, Placed, octal_mode};
