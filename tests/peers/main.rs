//! Our programs with the original ones and other third-party programs, which `tests/run` unpacks.

mod clients;
mod completion;
mod default_config;
mod egd_linux;
mod ekeydctl;
mod entropybroker;
mod munin;
mod original_daemon;
mod original_flags;
mod outside;
mod rekey;
mod sandbox;
mod setkey;
