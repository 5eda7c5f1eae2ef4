//! The files of `udev/`, as the programs that read them judge them.

mod hotplug;
mod unit;
