//! Whose processor a guest has, and what follows from that for the machine around it.

use std::fs;
use std::path::Path;

use super::machine::{Files, option};

/// An architecture that guests are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    /// The tree that QEMU for it was fetched into, and its name.
    pub(super) fn qemu(self) -> (&'static str, &'static str) {
        match self {
            Self::X86_64 => ("tools", "qemu-system-x86_64"),
            Self::Aarch64 => ("arm64-tools", "qemu-system-aarch64"),
        }
    }

    /// The tree of what was fetched for it that has its busybox.
    pub(super) fn busybox(self) -> &'static str {
        match self {
            Self::X86_64 => "tools",
            Self::Aarch64 => "system",
        }
    }

    /// What its kernel calls the console, and the port of the agent.
    pub(super) fn ports(self) -> (&'static str, &'static str) {
        match self {
            Self::X86_64 => ("ttyS0", "ttyS1"),
            Self::Aarch64 => ("ttyAMA0", "ttyS0"),
        }
    }

    /// Words of the kernel's command line. On a machine that is too busy QEMU's timer seems broken to the kernel, which
    /// gives up then unless it does not test it.
    pub(super) fn kernel_words(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &["no_timer_check"],
            Self::Aarch64 => &[],
        }
    }

    /// QEMU's words for the machine, with those two ports. The random number that the machine would hand to its kernel at
    /// boot is left out: x86 has none either.
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

    /// The script that ends the guest with an exit code.
    pub(super) fn end(self) -> &'static [u8] {
        match self {
            Self::X86_64 => include_bytes!("end.sh"),
            Self::Aarch64 => include_bytes!("end_aarch64.sh"),
        }
    }

    /// The exit code that the guest chose, by that of QEMU: isa-debug-exit makes an odd code of the byte that the guest
    /// wrote; other machines have nothing like it, and the guest leaves the code in the shared folder.
    pub(super) fn chosen(self, qemu: Option<i32>, share: &Path) -> Option<i32> {
        match self {
            Self::X86_64 => qemu.filter(|code| code % 2 == 1).map(|code| code >> 1),
            Self::Aarch64 => fs::read_to_string(share.join(".end")).ok()?.trim().parse().ok(),
        }
    }
}
