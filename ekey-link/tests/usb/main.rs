//! Finding and reviving keys, on a machine made of files.

mod find;
mod machine;
mod revive;
