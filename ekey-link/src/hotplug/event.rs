//! One message of the kernel's: `add@/devices/...`, then `KEY=value` texts, each ended by a zero byte.

/// The longest path in sysfs that is accepted.
const LONGEST_DEVPATH: usize = 1024;

/// Returns whether a message of the kernel says that this machine is a copy of another, or was taken back to an earlier state: its
/// virtual machine generation ID has changed. Kernels from about 6.8 send it.
pub(super) fn is_new_generation(message: &[u8]) -> bool {
    let mut parts = message.split(|&byte| byte == 0);
    parts.next().is_some_and(|title| title.contains(&b'@')) && parts.any(|part| part == b"NEW_VMGENID=1")
}

/// What happened to a USB device, one of its interfaces, or a tty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotplugEvent {
    /// What happened.
    pub action: Action,
    /// To what kind of device.
    pub subsystem: Subsystem,
    /// Its path below `/sys`: `/devices/pci0000:00/0000:00:14.0/usb1/1-1`.
    pub devpath: String,
}

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is there, or a driver is bound to it.
    Added,
    /// It is gone, or its driver is.
    Removed,
    /// Anything else.
    Changed,
}

/// A kind of device that matters to a driver of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsystem {
    /// A USB device or interface.
    Usb,
    /// A tty.
    Tty,
}

impl HotplugEvent {
    /// Parses a message of the kernel. Returns `None` if it is about another kind of device, or malformed.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut parts = message.split(|&byte| byte == 0);
        // udev's own messages begin with its name and a binary header.
        let title = std::str::from_utf8(parts.next()?).ok()?;
        title.split_once('@')?;
        let (mut action, mut subsystem, mut devpath) = (None, None, None);
        for part in parts {
            let Some((key, value)) = std::str::from_utf8(part).ok().and_then(|part| part.split_once('=')) else {
                continue;
            };
            match key {
                "ACTION" => action = Some(value),
                "SUBSYSTEM" => subsystem = Some(value),
                "DEVPATH" => devpath = Some(value),
                _ => {}
            }
        }
        let devpath = devpath.filter(|path| is_devpath(path))?;
        Some(Self {
            action: match action? {
                "add" | "bind" => Action::Added,
                "remove" | "unbind" => Action::Removed,
                _ => Action::Changed,
            },
            subsystem: match subsystem? {
                "usb" => Subsystem::Usb,
                "tty" => Subsystem::Tty,
                _ => return None,
            },
            devpath: devpath.to_owned(),
        })
    }
}

fn is_devpath(path: &str) -> bool {
    path.starts_with("/devices/")
        && path.len() <= LONGEST_DEVPATH
        && path.bytes().all(|byte| byte.is_ascii_graphic())
        && !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::{Action, HotplugEvent, Subsystem, is_new_generation};

    const PLUGGED_IN: &[u8] = b"add@/devices/pci0000:00/0000:00:04.0/usb1/1-1\0ACTION=add\0\
        DEVPATH=/devices/pci0000:00/0000:00:04.0/usb1/1-1\0SUBSYSTEM=usb\0MAJOR=189\0MINOR=1\0DEVNAME=bus/usb/001/002\0\
        DEVTYPE=usb_device\0PRODUCT=20df/1/100\0TYPE=2/0/0\0BUSNUM=001\0DEVNUM=002\0SEQNUM=1234\0";
    const TTY_GONE: &[u8] = b"remove@/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/tty/ttyACM0\0ACTION=remove\0\
        DEVPATH=/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/tty/ttyACM0\0SUBSYSTEM=tty\0MAJOR=166\0MINOR=0\0\
        DEVNAME=ttyACM0\0SEQNUM=1240\0";
    const DRIVER_BOUND: &[u8] = b"bind@/devices/platform/vhci_hcd.0/usb3/3-1/3-1:1.0\0ACTION=bind\0\
        DEVPATH=/devices/platform/vhci_hcd.0/usb3/3-1/3-1:1.0\0SUBSYSTEM=usb\0DEVTYPE=usb_interface\0DRIVER=cdc_acm\0\
        PRODUCT=20df/1/100\0TYPE=2/0/0\0INTERFACE=2/2/1\0SEQNUM=1250\0";

    #[test]
    fn a_key_plugged_in_is_a_usb_device_added() {
        let event = HotplugEvent::parse(PLUGGED_IN).expect("an event");
        assert_eq!((event.action, event.subsystem), (Action::Added, Subsystem::Usb));
        assert_eq!(event.devpath, "/devices/pci0000:00/0000:00:04.0/usb1/1-1");
    }

    #[test]
    fn a_tty_that_goes_is_a_tty_removed() {
        let event = HotplugEvent::parse(TTY_GONE).expect("an event");
        assert_eq!((event.action, event.subsystem), (Action::Removed, Subsystem::Tty));
        assert!(event.devpath.ends_with("/ttyACM0"), "{}", event.devpath);
    }

    #[test]
    fn a_driver_bound_counts_as_added() {
        let event = HotplugEvent::parse(DRIVER_BOUND).expect("an event");
        assert_eq!((event.action, event.subsystem), (Action::Added, Subsystem::Usb));
    }

    #[test]
    fn an_action_that_is_not_known_is_a_change() {
        let moved = b"move@/devices/x\0ACTION=move\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0";
        assert_eq!(HotplugEvent::parse(moved).map(|event| event.action), Some(Action::Changed));
    }

    #[test]
    fn other_kinds_of_devices_are_left_out() {
        let disk =
            b"add@/devices/virtual/block/loop0\0ACTION=add\0DEVPATH=/devices/virtual/block/loop0\0SUBSYSTEM=block\0";
        assert_eq!(HotplugEvent::parse(disk), None);
    }

    #[test]
    fn each_message_cut_short_is_refused_or_says_the_same() {
        let whole = HotplugEvent::parse(PLUGGED_IN).expect("an event");
        for end in 0..PLUGGED_IN.len() {
            let Some(event) = HotplugEvent::parse(&PLUGGED_IN[..end]) else { continue };
            // A path cut short is still a path; only the kind of the event must not become another.
            assert_eq!((event.action, event.subsystem), (whole.action, whole.subsystem), "cut at {end}");
        }
    }

    #[test]
    fn what_the_kernel_does_not_send_is_refused() {
        let cases: [&[u8]; 9] = [
            b"",
            b"\0\0\0\0",
            b"libudev\0\xfe\xed\xca\xfe\0\0\0\x28ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/devices/x\0",
            b"add@/devices/x\0SUBSYSTEM=usb\0DEVPATH=/devices/x\0",
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0",
            b"add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0",
            b"add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/etc/passwd\0",
            b"add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/devices/../../etc\0",
            b"add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/devices/\x1b[2J\0",
        ];
        for message in cases {
            assert_eq!(HotplugEvent::parse(message), None, "{}", message.escape_ascii());
        }
    }

    #[test]
    fn a_new_generation_is_told_from_other_messages() {
        let copied = b"change@/devices/LNXSYSTM:00/QEMUVGID:00\0ACTION=change\0\
            DEVPATH=/devices/LNXSYSTM:00/QEMUVGID:00\0SUBSYSTEM=acpi\0NEW_VMGENID=1\0MODALIAS=acpi:QEMUVGID:\0SEQNUM=9\0";
        assert!(is_new_generation(copied));
        let others: [&[u8]; 5] = [
            b"",
            PLUGGED_IN,
            b"NEW_VMGENID=1",
            b"change@/devices/NEW_VMGENID=1\0ACTION=change\0NEW_VMGENID=10\0OLD_NEW_VMGENID=1\0",
            // udev's own messages.
            b"libudev\0\xfe\xed\xca\xfe\0NEW_VMGENID=1\0",
        ];
        for message in others {
            assert!(!is_new_generation(message), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_passed_over() {
        let message = b"add@/devices/x\0JUNK=\xff\xfe\0ACTION=add\0\xff\0SUBSYSTEM=tty\0DEVPATH=/devices/x\0";
        assert_eq!(HotplugEvent::parse(message).map(|event| event.subsystem), Some(Subsystem::Tty));
    }

    #[test]
    fn a_path_without_end_is_refused() {
        let path = "a".repeat(5000);
        let message = format!("add@/devices/{path}\0ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/devices/{path}\0");
        assert_eq!(HotplugEvent::parse(message.as_bytes()), None);
    }
}
