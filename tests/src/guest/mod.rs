//! A guest: a real Linux kernel in QEMU, with our programs in it, on any machine and without root.
//!
//! [`Guest`] is the plan: which files and modules are in it, which USB keys are plugged in. Booting it gives [`Booted`],
//! which runs commands in the guest, plugs and unplugs, and shows the whole console when a test fails. What a guest
//! is made of comes from `tests/fetch-guest`.
//!
//! The guest has the folder `/share` in common with the host ([`Booted::share`]). Its processor is emulated (no KVM), so
//! that it behaves the same everywhere, on a build server and in another guest too.
//!
//! ```no_run
//! use ekey_tests::guest::Guest;
//!
//! let mut guest = Guest::new().module("cdc-acm").boot();
//! assert!(guest.check("ls /sys/bus/usb/drivers").contains("cdc_acm"));
//! guest.power_off();
//! ```

mod architecture;
mod archive;
mod booted;
mod fetched;
mod image;
mod installation;
mod libraries;
mod machine;
mod modules;
pub mod package;
mod plain_usb;
mod plan;
mod qmp;
mod room;
mod usb_machine;

pub use booted::{Booted, Said};
pub use fetched::{arm64_file, system_folder, system_program};
pub use installation::{installed, plug_in_software_key};
pub use plain_usb::serve_plain_usb;
pub use plan::Guest;
pub use qmp::Qmp;
pub use usb_machine::{UsbDaemon, UsbMachine, revived, size};
