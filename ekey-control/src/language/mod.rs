//! EKEYD/1: statements, the commands they make, the replies, and a client.

pub mod client;
pub mod command;
pub mod reply;
pub mod statement;
pub mod tag;
