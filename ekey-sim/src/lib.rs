//! A Simtec Entropy Key in software, which host programs cannot tell from a real one.
//!
//! [`Device`] is the key itself as a state machine without a clock and without I/O: time and bytes are handed in, frames
//! are taken out. [`run`] drives it in real time where it plugs in: behind a pseudo terminal ([`Pty`]) or on a unix
//! socket ([`UnixSocket`]); [`run_usbredir`] and [`run_vhci`] make a USB device of it, for a guest of QEMU or for this
//! machine's own kernel. What goes wrong with it is chosen in its [`Setup`]: [`Fault`]s disturb single frames or
//! answers, a [`Wedge`] lets it hang until a certain step revives it.
//!
//! What it sends looks random and is **not**: who knows the [`Seed`] knows every byte.
//!
//! Source of the behaviour: firmware-notes/protocol.md, firmware-notes/usb.md.
#![forbid(unsafe_code)]

mod device;
mod error;
mod faults;
mod generator;
mod plug;
mod records;
mod run;
mod secret_file;
mod source;
mod stop;
mod usb;
mod wedge;

pub use device::{DEFAULT_RATE, Device, Output, Setup};
pub use error::SimError;
pub use faults::{Fault, FaultKind, InvalidFault};
pub use generator::Seed;
pub use plug::{Host, News, Plug, Pty, UnixSocket, Wish};
pub use records::Records;
pub use run::run;
pub use secret_file::{long_term_key_file, master_key_file};
pub use source::{BadSource, InvalidSource};
pub use stop::StopHandle;
#[cfg(feature = "fuzzing")]
pub use usb::UsbBench;
pub use usb::{Vhci, run_usbredir, run_vhci};
pub use wedge::{InvalidWedge, Revival, Wedge};
