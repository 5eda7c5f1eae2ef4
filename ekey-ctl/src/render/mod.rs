//! Makes the lines that people see from plain values. No sockets, and no terminal except in [`paint`].

pub(crate) mod capacity;
pub(crate) mod change;
pub(crate) mod doctor;
pub(crate) mod examination;
pub(crate) mod histogram;
pub(crate) mod paint;
pub(crate) mod progress;
pub(crate) mod screen;
pub(crate) mod spark;
pub(crate) mod table;
pub(crate) mod toml;
pub(crate) mod top;
pub(crate) mod waiting;

#[cfg(test)]
#[path = "../../../ekey-control/tests/sample/mod.rs"]
pub(crate) mod sample;
