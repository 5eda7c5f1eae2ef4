//! A guest: a real Linux kernel in QEMU, with our programs in it, on any machine and without root.
//!
//! [`Guest`] is the plan: its files, modules and USB keys. Booting it gives [`Booted`], which runs commands in the
//! guest, plugs and unplugs keys, and prints the whole console when a test fails. `tests/fetch-guest` fetches the
//! guest's parts.
//!
//! The guest shares the folder `/share` with the host ([`Booted::share`]). Its processor is emulated (no KVM), so that
//! it behaves the same everywhere, even in another guest.
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
pub use installation::{installed, plug_in_software_key, usb_key};
pub use plain_usb::serve_plain_usb;
pub use plan::Guest;
pub use qmp::Qmp;
pub use usb_machine::{UsbDaemon, UsbMachine, revived, size};
