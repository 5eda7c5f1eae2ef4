//! One key that is plugged in, as sysfs describes it.

use std::path::{Path, PathBuf};

use crate::Transport;

use super::sysfs::{attribute, entries, link_name, number};
use super::{PRODUCT, VENDOR};

/// The longest serial number that is accepted, in bytes; that of a key has 16.
const LONGEST_SERIAL: usize = 64;
/// The longest path of ports: a bus number and seven levels of hubs, with room to spare.
const LONGEST_PORT: usize = 32;
const LONGEST_NAME: usize = 32;
const INTERFACES: usize = 2;

/// A key that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundKey {
    /// The serial number as USB states it: 16 characters, of which some may be `/` and `+`. None if the key stated none, or something
    /// with spaces, control characters or more than 64 bytes.
    pub serial: Option<String>,
    /// Where it is plugged in, by bus and the ports of the hubs on the way: `1-1.2`. The same after a reset, but not after a replug elsewhere.
    pub port: String,
    /// The number of its bus.
    pub bus: u16,
    /// Its number on the bus; another after each replug.
    pub device: u16,
    /// Its usbfs node: `/dev/bus/usb/001/004`.
    pub usbfs: PathBuf,
    /// Its folder in sysfs: `/sys/bus/usb/devices/1-1.2`.
    pub sysfs: PathBuf,
    /// The tty that `cdc_acm` made for it: `/dev/ttyACM0`.
    pub tty: Option<PathBuf>,
    /// The drivers bound to its interfaces 0 (communications) and 1 (data): `cdc_acm`, or `usbfs` when a program claimed it.
    pub drivers: [Option<String>; INTERFACES],
    /// Whether the kernel lets it be used (its `authorized` is not 0).
    pub authorized: bool,
}

impl FoundKey {
    /// Returns the path to open for a transport, if the key has one: see [`crate::open`].
    #[must_use]
    pub fn path(&self, transport: Transport) -> Option<&Path> {
        match transport {
            Transport::Tty => self.tty.as_deref(),
            Transport::Usb => Some(&self.usbfs),
            Transport::Unix => None,
        }
    }

    /// Reads the key at `port` of the machine below `root`. `None` if no key is there.
    pub(super) fn read(root: &Path, port: &str) -> Option<Self> {
        if !is_port(port) {
            return None;
        }
        let sysfs = root.join("sys/bus/usb/devices").join(port);
        if number(&sysfs, "idVendor", 16)? != VENDOR || number(&sysfs, "idProduct", 16)? != PRODUCT {
            return None;
        }
        let bus = number(&sysfs, "busnum", 10)?;
        let device = number(&sysfs, "devnum", 10)?;
        let interfaces = number(&sysfs, "bConfigurationValue", 10)
            .map(|config| [0, 1].map(|interface| sysfs.join(format!("{port}:{config}.{interface}"))))
            .unwrap_or_default();
        Some(Self {
            serial: attribute(&sysfs, "serial").filter(|serial| is_serial(serial)),
            port: port.to_owned(),
            bus,
            device,
            usbfs: root.join(format!("dev/bus/usb/{bus:03}/{device:03}")),
            tty: interfaces.iter().find_map(|interface| tty_name(interface)).map(|name| root.join("dev").join(name)),
            drivers: interfaces.each_ref().map(|interface| link_name(interface, "driver")),
            authorized: number(&sysfs, "authorized", 10) != Some(0),
            sysfs,
        })
    }
}

/// Whether this is a device's name in sysfs, `1-1.2`: not an interface (`1-1.2:1.0`), nor a root hub (`usb1`).
fn is_port(name: &str) -> bool {
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let Some((bus, ports)) = name.split_once('-') else { return false };
    name.len() <= LONGEST_PORT && all_digits(bus) && ports.split('.').all(all_digits)
}

fn is_serial(serial: &str) -> bool {
    (1..=LONGEST_SERIAL).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_graphic())
}

fn tty_name(interface: &Path) -> Option<String> {
    let names = entries(&interface.join("tty"));
    names.into_iter().find(|name| {
        name.starts_with("tty") && name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
