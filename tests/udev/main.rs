//! The files of `udev/`, by the programs that read them.

mod hotplug;
mod unit;
