//! A Simtec Entropy Key in software, which host programs cannot tell from a real one.
//!
//! [`Device`] is the key as a state machine without clock and I/O: pass in time and bytes, take out frames. [`run`]
//! drives it in real time, behind a pseudo terminal ([`Pty`]) or on a unix socket ([`UnixSocket`]). [`run_usbredir`]
//! and [`run_vhci`] make it a USB device, for a guest of QEMU or for this machine's own kernel. Its [`Setup`] chooses
//! what goes wrong: a [`Fault`] disturbs single frames or answers, a [`Wedge`] makes the key hang until a certain step,
//! and a [`Flood`] makes it hostile.
//! [`UsbBus`] is the USB device without socket and clock.
//!
//! Its data looks random and is **not**: anyone who knows the [`Seed`] knows every byte.
//!
//! ```
//! use std::time::Duration;
//!
//! use ekey_sim::{Device, Output, Seed, Setup};
//!
//! let mut key = Device::new(Setup::from_seed(Seed::from_number(1)));
//! key.handle_input(Duration::ZERO, b"\x03");
//! let mut output = Output::default();
//! key.produce(Duration::ZERO, &mut output);
//! assert!(output.bytes.starts_with(b"* S!"), "a reset brings the serial number");
//! ```
//!
//! Source of the behaviour: firmware-notes/protocol.md, firmware-notes/usb.md.
#![forbid(unsafe_code)]

mod device;
mod error;
mod faults;
mod flood;
mod generator;
mod names;
mod plug;
mod records;
mod replace;
mod run;
mod secret_file;
mod source;
mod stop;
mod usb;
mod wedge;

pub use device::{DEFAULT_RATE, Device, Output, Setup};
pub use error::SimError;
pub use faults::{Fault, FaultKind, InvalidFault};
pub use flood::{Flood, FloodKind, InvalidFlood};
pub use generator::Seed;
pub use plug::{Host, News, Plug, Pty, UnixSocket, Wish};
pub use records::Records;
pub use run::run;
pub use secret_file::{long_term_key_file, master_key_file};
pub use source::{BadSource, InvalidSource};
pub use stop::StopHandle;
pub use usb::{UsbBus, UsbEvent, Vhci, Violation, run_usbredir, run_vhci};
pub use wedge::{InvalidWedge, Revival, Wedge};
