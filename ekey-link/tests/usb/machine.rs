//! A machine made of files: `/sys` and `/dev` below a temporary folder, with what is plugged in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder goes when this is dropped.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    /// One with a root hub and a keyboard.
    pub(crate) fn new() -> Self {
        let machine = Self { root: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(machine.devices()).expect("a folder");
        machine.device("usb1", &[("idVendor", "1d6b"), ("idProduct", "0002"), ("busnum", "1"), ("devnum", "1")]);
        machine.device("1-2", &[("idVendor", "046d"), ("idProduct", "c31c"), ("busnum", "1"), ("devnum", "9")]);
        machine
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn devices(&self) -> PathBuf {
        self.root().join("sys/bus/usb/devices")
    }

    /// A folder with attributes, each with a line's end as sysfs has it.
    pub(crate) fn device(&self, port: &str, attributes: &[(&str, &str)]) -> PathBuf {
        let folder = self.devices().join(port);
        fs::create_dir_all(&folder).expect("a folder");
        for (name, value) in attributes {
            fs::write(folder.join(name), format!("{value}\n")).expect("an attribute");
        }
        folder
    }

    /// A key with nothing bound to it.
    pub(crate) fn key(&self, port: &str, device: u16, serial: &str) -> PathBuf {
        let bus = port.split('-').next().unwrap_or_default();
        let device = device.to_string();
        self.device(
            port,
            &[
                ("idVendor", "20df"),
                ("idProduct", "0001"),
                ("busnum", bus),
                ("devnum", &device),
                ("serial", serial),
                ("bConfigurationValue", "1"),
                ("authorized", "1"),
            ],
        )
    }

    /// Binds a driver to an interface of what is plugged in at `port`.
    pub(crate) fn bind(&self, port: &str, interface: u8, driver: &str) -> PathBuf {
        let folder = self.devices().join(port).join(format!("{port}:1.{interface}"));
        let drivers = self.root().join("sys/bus/usb/drivers").join(driver);
        fs::create_dir_all(&folder).expect("a folder");
        fs::create_dir_all(&drivers).expect("a folder");
        symlink(drivers, folder.join("driver")).expect("a link");
        folder
    }

    /// Binds `cdc_acm` to a key, which makes a tty.
    pub(crate) fn bind_cdc_acm(&self, port: &str, tty: &str) {
        let communications = self.bind(port, 0, "cdc_acm");
        self.bind(port, 1, "cdc_acm");
        fs::create_dir_all(communications.join("tty").join(tty)).expect("a folder");
    }
}
