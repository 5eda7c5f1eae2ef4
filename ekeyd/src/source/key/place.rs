//! Where a key is right now: the path that was named, or wherever USB has it under its serial number.
//!
//! A key that was reset or plugged in again may come back under another name; its serial number stays.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use ekey_link::find::{self, FoundKey};
use ekey_link::{LinkError, Transport};

use crate::config;

/// How a key is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// A tty, a usbfs node or a unix socket.
    Path(PathBuf),
    /// The serial number that USB states.
    Serial(String),
}

/// Finds the key that was named, each time anew.
pub(super) struct Place {
    name: Name,
    transport: config::Transport,
    /// Whether to take the transport that is second choice.
    other_transport: bool,
    /// What USB calls the key, once it was found there.
    usb_serial: Option<String>,
}

/// Where a key was found.
pub(super) struct Spot {
    /// What to open.
    pub(super) path: PathBuf,
    /// What to open if that cannot be: the same device by the other transport, if there is one and it may be used.
    pub(super) other: Option<PathBuf>,
    /// The USB device, if it is one.
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
    /// [`LinkError::Gone`] if USB does not have it.
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

    /// Whether the kernel tells when the key comes back, so that there is no need to look for it often.
    pub(super) fn is_on_usb(&self) -> bool {
        self.usb_serial.is_some()
    }

    /// Takes the other transport from now on.
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
    /// What people see before the key was found.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Serial(serial) => format!("usb:{serial}"),
        }
    }

    /// Whether this names the key that is plugged in there.
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

/// How a path would be reached, for the status of a key that could not be opened yet.
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
