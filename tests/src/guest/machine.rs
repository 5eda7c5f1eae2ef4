//! The machine around the guest, as QEMU's command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fetched;
use super::plan::Guest;
use crate::scratch::Scratch;

/// The files of a running guest on the host.
pub(super) struct Files {
    /// The image that it boots.
    pub(super) image: PathBuf,
    /// Its console's output.
    pub(super) console: PathBuf,
    /// The folder that it sees as `/share`.
    pub(super) share: PathBuf,
    /// Where QEMU connects its monitor.
    pub(super) qmp: PathBuf,
    /// Where QEMU connects the port of the guest's agent.
    pub(super) agent: PathBuf,
}

impl Files {
    /// Returns their paths in a scratch folder.
    pub(super) fn below(scratch: &Scratch) -> Self {
        let path = |name| scratch.path(name);
        Self {
            image: path("image.cpio"),
            console: path("console"),
            share: path("share"),
            qmp: path("qmp.sock"),
            agent: path("agent.sock"),
        }
    }
}

/// Returns the command that runs QEMU with that guest.
///
/// # Panics
/// When it was not fetched.
pub(super) fn command(guest: &Guest, files: &Files) -> Command {
    let console = format!("console={}", guest.architecture.ports().0);
    let mut kernel = vec![console.as_str(), "quiet", "panic=-1"];
    kernel.extend(guest.architecture.kernel_words());
    if guest.systemd {
        kernel.extend(["systemd.getty_auto=0", "systemd.show_status=0", "rd.systemd.show_status=0"]);
    }
    kernel.extend(guest.kernel_words.iter().map(String::as_str));

    let mut command = fetched::qemu(guest.architecture);
    command
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
        .args(["-accel", "tcg"])
        .args(guest.architecture.machine(files))
        .args(["-m", &guest.memory_mib.to_string(), "-smp", &guest.processors.to_string()])
        .arg("-kernel")
        .arg(fetched::part_for(guest.architecture, "vmlinux"))
        .arg("-initrd")
        .arg(&files.image)
        .args(["-append", &kernel.join(" ")])
        .args(["-chardev", &format!("socket,id=qmp,path={}", option(&files.qmp)), "-mon", "chardev=qmp,mode=control"])
        .args(["-fsdev", &format!("local,id=share,security_model=none,path={}", option(&files.share))])
        .args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"])
        .args(["-device", "qemu-xhci,id=usb"]);
    for (id, socket) in &guest.keys {
        command
            .args(["-chardev", &format!("socket,id={id}-socket,path={}", option(socket))])
            .args(["-device", &format!("usb-redir,id={id},chardev={id}-socket,bus=usb.0")]);
    }
    command.args(&guest.qemu_words);
    command
}

/// Returns a path as a value in a list of QEMU's options, where a comma must be doubled.
pub(super) fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
