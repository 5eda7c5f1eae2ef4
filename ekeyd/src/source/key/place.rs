//! Finds a key: at its configured path, or by its serial number on USB.
//!
//! A key may come back under another path after a reset or replugging. Its serial number stays.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use ekey_link::find::{self, FoundKey};
use ekey_link::{LinkError, Transport};

use crate::config;

/// Names a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// A tty, a usbfs node or a unix socket.
    Path(PathBuf),
    /// The serial number in its USB descriptor.
    Serial(String),
}

/// Finds the named key again for each connection.
pub(super) struct Place {
    name: Name,
    transport: config::Transport,
    /// Whether to prefer USB to the tty, if the configuration allows both.
    other_transport: bool,
    /// The serial number in its USB descriptor, once it is known.
    usb_serial: Option<String>,
}

/// Says where a key is.
pub(super) struct Spot {
    /// The path to open.
    pub(super) path: PathBuf,
    /// The path to open if that fails: the same device by the other transport, if the configuration allows it.
    pub(super) other: Option<PathBuf>,
    /// The USB device, if the key is one.
    pub(super) found: Option<FoundKey>,
}

impl Place {
    pub(super) fn new(name: Name, transport: config::Transport) -> Self {
        let usb_serial = if let Name::Serial(serial) = &name { Some(serial.clone()) } else { None };
        Self { name, transport, other_transport: false, usb_serial }
    }

    /// Looks for the key.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if it is named by serial number and not on USB, or has no usable transport.
    pub(super) fn look(&mut self) -> Result<Spot, LinkError> {
        if let Name::Path(path) = &self.name
            && let Some(found) = find::behind(path)
        {
            self.usb_serial = found.serial.clone();
            return self.spot(found);
        }
        if let Some(found) = self.usb_serial.as_ref().and_then(|serial| with_serial(serial)) {
            return self.spot(found);
        }
        match &self.name {
            Name::Path(path) => Ok(Spot { path: path.clone(), other: None, found: None }),
            Name::Serial(_) => Err(LinkError::Gone),
        }
    }

    /// Returns whether the kernel announces the key's return. If so, there is no need to poll for it.
    pub(super) fn is_on_usb(&self) -> bool {
        self.usb_serial.is_some()
    }

    /// Switches between the preferred and the other transport, from the next [`look`](Self::look) on.
    pub(super) fn switch_transport(&mut self) {
        self.other_transport = !self.other_transport;
    }

    fn spot(&self, found: FoundKey) -> Result<Spot, LinkError> {
        let [first, second] = match self.transport {
            config::Transport::Tty => [Transport::Tty; 2],
            config::Transport::Usb => [Transport::Usb; 2],
            config::Transport::Auto if self.other_transport => [Transport::Usb, Transport::Tty],
            config::Transport::Auto => [Transport::Tty, Transport::Usb],
        };
        let [first, second] = [first, second].map(|transport| found.path(transport).map(Path::to_owned));
        let other = second.clone().filter(|_| first.is_some() && first != second);
        let path = first.or(second).ok_or(LinkError::Gone)?;
        Ok(Spot { path, other, found: Some(found) })
    }
}

impl Name {
    /// Returns the name to show until the key is found.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Serial(serial) => format!("usb:{serial}"),
        }
    }

    /// Returns whether this names the key `found` on USB.
    pub(crate) fn names(&self, found: &FoundKey) -> bool {
        match self {
            Self::Serial(serial) => found.serial.as_ref() == Some(serial),
            Self::Path(path) => {
                let target = fs::canonicalize(path);
                target.is_ok_and(|target| Some(&target) == found.tty.as_ref() || target == found.usbfs)
            }
        }
    }
}

/// Guesses the transport of a path, for the status of a key that has not been opened.
pub(super) fn likely_transport(path: &Path) -> Transport {
    if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        Transport::Unix
    } else {
        Transport::Tty
    }
}

fn with_serial(serial: &str) -> Option<FoundKey> {
    find::keys().into_iter().find(|key| key.serial.as_deref() == Some(serial))
}
