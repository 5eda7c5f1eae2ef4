//! A USB device that answers the kernel's first questions and does nothing else, for tests that only need something to
//! plug in.
//!
//! It is a server of the usb-redir protocol with the three capabilities without which QEMU refuses a device on an xHCI
//! bus. Sources: docs/usb-redirection-protocol.md of usbredir; USB 2.0, chapter 9.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

/// The kinds of packets.
const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const INTERFACE_INFO: u32 = 4;
const EP_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const GET_CONFIGURATION: u32 = 7;
const CONFIGURATION_STATUS: u32 = 8;
const CONTROL_PACKET: u32 = 100;

/// The message on the end points has their packet sizes; packets have numbers of 64 bits; bulk packets have lengths of
/// 32 bits (there are none here).
const CAPABILITIES: u32 = 1 << 4 | 1 << 5 | 1 << 6;

/// The statuses of an answer.
const SUCCESS: u8 = 0;
const STALL: u8 = 4;

/// Serves the device `vendor:product` at `socket`, to one QEMU after the other, until the test ends.
///
/// # Panics
/// When the socket cannot be made.
pub fn serve_plain_usb(socket: &Path, vendor: u16, product: u16) {
    let listener = UnixListener::bind(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // QEMU hangs up when the device is unplugged: the ordinary end.
            let _ = Device { stream, vendor, product }.answer_all();
        }
    });
}

struct Device {
    stream: UnixStream,
    vendor: u16,
    product: u16,
}

impl Device {
    fn answer_all(&mut self) -> io::Result<()> {
        self.greet()?;
        // One interface of the vendor's class; no end points but 0, the others marked invalid (255).
        let mut interfaces = [0; 132];
        interfaces[0] = 1;
        interfaces[36] = 0xff;
        self.send(INTERFACE_INFO, 0, &interfaces)?;
        let mut endpoints = [0; 160];
        endpoints[..32].fill(0xff);
        (endpoints[0], endpoints[16]) = (0, 0);
        self.send(EP_INFO, 0, &endpoints)?;
        // Full speed, class in the interface.
        let [vendor, product] = [self.vendor, self.product].map(u16::to_le_bytes);
        self.send(DEVICE_CONNECT, 0, &[1, 0, 0, 0, vendor[0], vendor[1], product[0], product[1]])?;
        loop {
            let (kind, id, body) = self.packet()?;
            match kind {
                SET_CONFIGURATION | GET_CONFIGURATION => self.send(CONFIGURATION_STATUS, id, &[SUCCESS, 1])?,
                CONTROL_PACKET => self.answer(id, &body)?,
                _ => {}
            }
        }
    }

    /// Exchanges the hellos: a version, and a word of capabilities. They are the last packets with a short number.
    fn greet(&mut self) -> io::Result<()> {
        let mut hello = [HELLO, 68, 0].map(u32::to_le_bytes).concat();
        let mut version = [0; 64];
        version[..9].copy_from_slice(b"ekeytests");
        hello.extend_from_slice(&version);
        hello.extend_from_slice(&CAPABILITIES.to_le_bytes());
        self.stream.write_all(&hello)?;
        let mut theirs = [0; 80];
        self.stream.read_exact(&mut theirs)
    }

    /// Answers a control transfer: end point, request, its type, status, value, index, length.
    fn answer(&mut self, id: u64, body: &[u8]) -> io::Result<()> {
        let header = body.get(..10).ok_or(io::ErrorKind::InvalidData)?;
        let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (request, value, length) = (header[1], number(4), usize::from(number(8)));
        let data = match (request, value) {
            (6, 0x0100) => Some(self.device_descriptor()),
            (6, 0x0200) => Some(CONFIGURATION.to_vec()),
            (0, _) => Some(vec![0, 0]),
            _ => None,
        };
        let status = if data.is_some() { SUCCESS } else { STALL };
        let mut data = data.unwrap_or_default();
        data.truncate(length);
        let mut answer = header.to_vec();
        answer[3] = status;
        answer[8..].copy_from_slice(&u16::try_from(data.len()).unwrap_or_default().to_le_bytes());
        answer.extend(data);
        self.send(CONTROL_PACKET, id, &answer)
    }

    /// Returns the descriptor: USB 1.1, 64-byte end point 0, no strings, one configuration.
    fn device_descriptor(&self) -> Vec<u8> {
        let mut descriptor = vec![18, 1, 0x10, 0x01, 0, 0, 0, 64];
        descriptor.extend(self.vendor.to_le_bytes());
        descriptor.extend(self.product.to_le_bytes());
        descriptor.extend([0, 1, 0, 0, 0, 1]);
        descriptor
    }

    fn packet(&mut self) -> io::Result<(u32, u64, Vec<u8>)> {
        let (mut words, mut number) = ([0; 8], [0; 8]);
        self.stream.read_exact(&mut words)?;
        self.stream.read_exact(&mut number)?;
        let word = |at: usize| u32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
        let (kind, length, id) = (word(0), word(4), u64::from_le_bytes(number));
        if length > 65_536 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body)?;
        Ok((kind, id, body))
    }

    fn send(&mut self, kind: u32, id: u64, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut packet = [kind, length].map(u32::to_le_bytes).concat();
        packet.extend_from_slice(&id.to_le_bytes());
        packet.extend_from_slice(body);
        self.stream.write_all(&packet)
    }
}

/// One configuration of 100 mA with one interface of the vendor's class and no end points.
const CONFIGURATION: [u8; 18] = [9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xff, 0, 0, 0];
