//! The processor of a guest, and what it requires of the machine around it.

use std::fs;
use std::path::Path;

use super::machine::{Files, option};

/// An architecture of guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    /// Returns the tree into which its QEMU was fetched, and the program's name.
    pub(super) fn qemu(self) -> (&'static str, &'static str) {
        match self {
            Self::X86_64 => ("tools", "qemu-system-x86_64"),
            Self::Aarch64 => ("arm64-tools", "qemu-system-aarch64"),
        }
    }

    /// Returns the fetched tree that has its busybox.
    pub(super) fn busybox(self) -> &'static str {
        match self {
            Self::X86_64 => "tools",
            Self::Aarch64 => "system",
        }
    }

    /// Returns the kernel's names of the console and of the agent's port.
    pub(super) fn ports(self) -> (&'static str, &'static str) {
        match self {
            Self::X86_64 => ("ttyS0", "ttyS1"),
            Self::Aarch64 => ("ttyAMA0", "ttyS0"),
        }
    }

    /// Returns words for the kernel's command line. On a very busy machine the kernel's test of QEMU's timer fails and
    /// the kernel stops, so the words disable that test.
    pub(super) fn kernel_words(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &["no_timer_check"],
            Self::Aarch64 => &[],
        }
    }

    /// Returns QEMU's words for the machine, with those two ports. The machine passes its kernel no random seed at
    /// boot, as on x86.
    pub(super) fn machine(self, files: &Files) -> Vec<String> {
        let console = format!("file:{}", option(&files.console));
        let agent = format!("socket,id=agent,path={}", option(&files.agent));
        let own: &[&str] = match self {
            Self::X86_64 => &[
                "-M",
                "q35",
                "-cpu",
                "max",
                "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4",
                "-serial",
                "chardev:agent",
            ],
            Self::Aarch64 => {
                &["-M", "virt,dtb-randomness=off", "-cpu", "cortex-a72", "-device", "pci-serial,chardev=agent"]
            }
        };
        let ports = ["-serial", &console, "-chardev", &agent];
        ports.iter().chain(own).map(|word| (*word).to_owned()).collect()
    }

    /// Returns the script that ends the guest with an exit code.
    pub(super) fn end(self) -> &'static [u8] {
        match self {
            Self::X86_64 => include_bytes!("end.sh"),
            Self::Aarch64 => include_bytes!("end_aarch64.sh"),
        }
    }

    /// Returns the exit code that the guest chose: isa-debug-exit makes QEMU's odd exit code of the byte that the guest
    /// wrote; other machines lack it, and the guest leaves the code in the shared folder.
    pub(super) fn chosen(self, qemu: Option<i32>, share: &Path) -> Option<i32> {
        match self {
            Self::X86_64 => qemu.filter(|code| code % 2 == 1).map(|code| code >> 1),
            Self::Aarch64 => fs::read_to_string(share.join(".end")).ok()?.trim().parse().ok(),
        }
    }
}
