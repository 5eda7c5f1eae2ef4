//! What goes over the wire: frames from the key, commands to it. Nothing here is trusted or secret.
//!
//! Source: firmware-notes/protocol.md.

mod base64;
mod command;
mod frame;
mod framer;
mod info;
mod packet;
mod serial;

pub use base64::{InvalidBase64, SubCode, decode, encode};
pub(crate) use base64::{decode_into, decode_public};
pub use command::{Command, CommandBytes, Nonce};
pub use frame::{CONTENT_LEN, FRAME_LEN, Frame, MAC_LEN};
pub use framer::{Framer, FramerCounters};
pub use info::{Badness, FipsCounts, GeneratorState, Info, InfoError};
pub use packet::{DeviceEntropy, MaskedEntropy, Packet, PacketError, PacketKind, Text};
pub use serial::{InvalidSerial, Serial};
