//! The session's rules, each shown by a scripted key on a virtual clock.

mod long_term;
mod rules;
mod script;
mod trust;
