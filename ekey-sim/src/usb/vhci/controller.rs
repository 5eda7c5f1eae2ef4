//! The kernel's virtual host controller in sysfs: finds a free port and attaches a device.
//!
//! Source: the kernel's drivers/usb/usbip/vhci_sysfs.c and tools/usb/usbip/README.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;

use crate::SimError;

/// The controller's folder.
#[derive(Debug, Clone)]
pub(super) struct Controller(PathBuf);

/// The first controller. Its `attach` takes the ports of all controllers.
const FOLDER: &str = "/sys/devices/platform/vhci_hcd.0";
/// The number of a device that comes over no network: any number but 0.
const DEVICE: u32 = 2;
/// As in the kernel's `enum usb_device_speed`.
const FULL_SPEED: u32 = 2;
/// State of a port without a device, as in the kernel's `enum usbip_device_status`.
const FREE: u32 = 4;
/// Far more than any kernel has.
const MOST_CONTROLLERS: usize = 128;

impl Controller {
    /// Returns this machine's controller.
    pub(super) fn of_this_machine() -> Self {
        Self(FOLDER.into())
    }

    #[cfg(test)]
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Attaches the device at the other end of `socket` to a free port. Returns the port's number.
    ///
    /// # Errors
    /// [`SimError::File`] if there is no controller, no permission, or no free port.
    pub(super) fn attach(&self, socket: BorrowedFd<'_>) -> Result<u32, SimError> {
        let port = self.free_port()?;
        let path = self.0.join("attach");
        let line = format!("{port} {} {DEVICE} {FULL_SPEED}", socket.as_raw_fd());
        fs::write(&path, line).map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::PermissionDenied => ROOT,
                _ => "see the kernel's messages (dmesg)",
            };
            SimError::file("attach a USB device by", &path, advice)(error)
        })?;
        Ok(port)
    }

    /// Detaches the device at a port.
    ///
    /// # Errors
    /// [`SimError::File`] if the kernel refuses, or the device is detached already.
    pub(super) fn detach(&self, port: u32) -> Result<(), SimError> {
        let path = self.0.join("detach");
        fs::write(&path, port.to_string()).map_err(SimError::file("detach a USB device by", &path, ROOT))
    }

    /// Returns the number of a free port for a device below super speed.
    fn free_port(&self) -> Result<u32, SimError> {
        let first = self.0.join("status");
        let text = fs::read_to_string(&first).map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::NotFound => "load the driver, as root: modprobe vhci_hcd",
                _ => ROOT,
            };
            SimError::file("read", &first, advice)(error)
        })?;
        let others =
            (1..MOST_CONTROLLERS).map_while(|number| fs::read_to_string(self.0.join(format!("status.{number}"))).ok());
        let free = std::iter::once(text).chain(others).find_map(|text| text.lines().find_map(free_port_of));
        free.ok_or_else(|| {
            let none = io::Error::from(ErrorKind::AddrInUse);
            SimError::file("find a free port in", &first, "detach a device: usbip detach --port NUMBER")(none)
        })
    }
}

const ROOT: &str = "run this as root";

/// Returns the port on a line of `status`, if it is free. Kernels before 4.13 do not put the speed of its hub first.
fn free_port_of(line: &str) -> Option<u32> {
    let mut words = line.split_whitespace().peekable();
    words.next_if(|word| *word == "hs");
    // Any other word is a hub of super speed, or the headline.
    let port = words.next()?.parse().ok()?;
    (words.next()?.parse() == Ok(FREE)).then_some(port)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    const STATUS: &str = "hub port sta spd dev      sockfd local_busid\n\
        hs  0000 006 002 00010002 000003 1-1\nhs  0001 004 000 00000000 000000 0-0\nss  0008 004 000 00000000 000000 0-0\n";

    #[test]
    fn a_free_port_of_the_slow_hub_is_found() {
        assert_eq!(STATUS.lines().find_map(free_port_of), Some(1));
    }

    #[test]
    fn an_older_kernels_list_is_understood() {
        let old = "prt sta spd bus dev socket local_busid\n000 006 000 000 000 00000000 1-1\n001 004 000 000 000 0 0-0";
        assert_eq!(old.lines().find_map(free_port_of), Some(1));
    }

    #[test]
    fn ports_of_super_speed_and_taken_ones_are_not_free() {
        for line in
            ["ss  0008 004 000 0 0 0-0", "hs  0000 006 002 0 0 1-1", "hs 0000", "hs", "", "hs x 004", "hs -1 004"]
        {
            assert_eq!(free_port_of(line), None, "{line}");
        }
    }

    #[test]
    fn attaching_writes_port_descriptor_device_and_speed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("status"), STATUS).unwrap();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(Controller::at(folder.path()).attach(socket.as_fd()).unwrap(), 1);
        let written = fs::read_to_string(folder.path().join("attach")).unwrap();
        assert_eq!(written, format!("1 {} 2 2", socket.as_raw_fd()));
    }

    #[test]
    fn the_error_says_what_to_load_or_to_free() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let error = |controller: &Controller| controller.attach(socket.as_fd()).unwrap_err().to_string();
        let controller = Controller::at(folder.path());
        assert!(error(&controller).contains("modprobe vhci_hcd"), "{}", error(&controller));
        fs::write(folder.path().join("status"), "hs  0000 006 002 0 0 1-1\n").unwrap();
        assert!(error(&controller).contains("usbip detach"), "{}", error(&controller));
    }
}
