//! Our programs before the original ones and other people's, which `tests/run` unpacks.

mod default_config;
mod egd_linux;
mod ekeydctl;
mod entropybroker;
mod munin;
mod original_daemon;
mod outside;
mod rekey;
mod setkey;
