//! Checks each rule of the session with a scripted key on a virtual clock.

mod long_term;
mod rules;
mod script;
mod trust;
