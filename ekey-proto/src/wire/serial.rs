//! The serial number of a key: 12 bytes, shown to people as 16 characters of base64.

use core::fmt;
use core::str::FromStr;

use super::base64;

/// A key's serial number. Its text may contain `/`, so it is not a file name: see [`Serial::matches_file_name`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial([u8; Self::LEN]);

/// Text that is not a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is 16 characters of base64, as printed on the key")]
pub struct InvalidSerial;

impl Serial {
    /// Length in bytes, as it goes into every hash.
    pub const LEN: usize = 12;
    /// Length in characters, in print, in frames and in USB descriptors.
    pub const TEXT_LEN: usize = 16;

    /// Wraps the 12 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Reads the 16 characters.
    ///
    /// # Errors
    /// [`InvalidSerial`] for anything but the canonical base64 of 12 bytes.
    pub fn from_text(text: &[u8]) -> Result<Self, InvalidSerial> {
        base64::decode(text).map(Self).map_err(|_| InvalidSerial)
    }

    /// Returns the 12 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Returns the 16 characters.
    #[must_use]
    pub fn to_text(&self) -> [u8; Self::TEXT_LEN] {
        let mut text = [0; Self::TEXT_LEN];
        let _ = base64::encode(&self.0, &mut text);
        text
    }

    /// Reports whether `name` is this serial as a file name: `/` is `.` or `_`, as the original's hotplug scripts
    /// write it.
    #[must_use]
    pub fn matches_file_name(&self, name: &str) -> bool {
        let same = |(mine, theirs): (&u8, u8)| *mine == theirs || (*mine == b'/' && matches!(theirs, b'.' | b'_'));
        name.len() == Self::TEXT_LEN && self.to_text().iter().zip(name.bytes()).all(same)
    }
}

impl FromStr for Serial {
    type Err = InvalidSerial;

    fn from_str(text: &str) -> Result<Self, InvalidSerial> {
        Self::from_text(text.as_bytes())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.to_text()).unwrap_or_default())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_serial_reads_and_prints_as_the_key_writes_it() {
        let serial: Serial = "NwBvBlg3OTBJORFD".parse().unwrap();
        assert_eq!(serial.as_bytes()[..4], [0x37, 0x00, 0x6f, 0x06]);
        assert_eq!(serial.to_string(), "NwBvBlg3OTBJORFD");
        assert_eq!(std::format!("{serial:?}"), "Serial(NwBvBlg3OTBJORFD)");
    }

    #[test]
    fn other_text_is_not_a_serial() {
        for wrong in ["", "NwBvBlg3OTBJORF", "NwBvBlg3OTBJORFDA", "NwBvBlg3OTBJORF=", "NwBvBlg3 TBJORFD"] {
            assert_eq!(wrong.parse::<Serial>(), Err(InvalidSerial), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_name_may_write_the_slash_in_two_ways() {
        let serial: Serial = "A/BvBlg3OTBJ+RFD".parse().unwrap();
        assert!(serial.matches_file_name("A.BvBlg3OTBJ+RFD"));
        assert!(serial.matches_file_name("A_BvBlg3OTBJ+RFD"));
        for other in ["A.BvBlg3OTBJ+RFE", "A.BvBlg3OTBJ.RFD", "AxBvBlg3OTBJ+RFD", "A.BvBlg3OTBJ+RF"] {
            assert!(!serial.matches_file_name(other), "{other}");
        }
        assert!(!serial.matches_file_name("ttyACM0"));
    }
}
