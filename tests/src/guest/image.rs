//! The guest's first and only file system: a part that every guest has, kept from boot to boot, and over it the test's
//! own part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::fetched;
use super::libraries;
use super::modules::Modules;
use super::plan::{Guest, Source};

/// Modules that every guest loads: the shared folder and a USB bus.
const ALWAYS: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "xhci_pci"];

/// Where the folders at the root link to.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Writes the image to `path`.
///
/// # Panics
/// When a part is missing or the disk is full.
pub(super) fn write(guest: &Guest, path: &Path) {
    let base = base(guest);
    let over = over(guest);
    let written = File::create(path).and_then(|mut image| {
        io::copy(&mut File::open(&base)?, &mut image)?;
        image.write_all(&over)
    });
    written.unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
}

/// Returns the part that is the same at each boot; makes it once for each state of the fetched files.
fn base(guest: &Guest) -> PathBuf {
    let name = if guest.systemd { "system" } else { guest.architecture.busybox() };
    let part = |name: &str| fetched::part_for(guest.architecture, name);
    let stamps = [name, "kernel"].map(|of| part("done").join(of));
    let stamps =
        stamps.map(|path| fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let path =
        fetched::folder(guest.architecture).join(format!("{name}-{}-{}.cpio", stamps[0].trim(), stamps[1].trim()));
    if !path.exists() {
        let mut archive = Archive::default();
        if guest.systemd {
            archive.copy("/", &part("system"));
        } else {
            for folder in MERGED {
                archive.folder(&format!("/usr/{folder}"), 0o755);
                archive.link(&format!("/{folder}"), &format!("usr/{folder}"));
            }
        }
        archive.copy("/usr/bin/busybox", &part(guest.architecture.busybox()).join("usr/bin/busybox"));
        archive.copy("/usr/lib/modules", &part("modules/lib/modules"));
        // Tests in other processes may be making it too: each writes its own file and renames it when it is whole.
        let own = path.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::write(&own, archive.finish()).and_then(|()| fs::rename(&own, &path)).unwrap_or_else(|error| {
            panic!("{} cannot be written: {error}", path.display());
        });
    }
    path
}

/// Returns the test's own part.
fn over(guest: &Guest) -> Vec<u8> {
    let mut archive = if guest.systemd { Archive::over(&fetched::part("system")) } else { Archive::default() };
    for folder in ["dev", "proc", "sys", "run", "share", "root", "var/lib", "usr/lib/modules"] {
        archive.folder(&format!("/{folder}"), 0o755);
    }
    archive.folder("/tmp", 0o1777);
    archive.device("/dev/console", 0o600, 5, 1);

    let load = ALWAYS.map(str::to_owned).into_iter().chain(guest.modules.iter().cloned()).collect::<Vec<_>>();
    let load = Modules::fetched(guest.architecture).in_order(&load).join("\n") + "\n";
    archive.link("/guest/port", &format!("/dev/{}", guest.architecture.ports().1));
    archive.file("/guest/load", 0o644, load.as_bytes());
    archive.file("/guest/setup", 0o755, include_bytes!("setup.sh"));
    archive.file("/guest/end", 0o755, guest.architecture.end());
    match &guest.script {
        Some(script) => {
            archive.file("/guest/script", 0o755, script.as_bytes());
            archive.file("/guest/main", 0o755, include_bytes!("start.sh"));
        }
        None => archive.file("/guest/main", 0o755, include_bytes!("agent.sh")),
    }
    if guest.systemd {
        systemd(&mut archive);
    } else {
        small(&mut archive);
    }
    for (path, source) in &guest.files {
        add(&mut archive, guest, &merged(path), source);
    }
    archive.finish()
}

fn add(archive: &mut Archive, guest: &Guest, path: &str, source: &Source) {
    match source {
        Source::Text(content, mode) => archive.file(path, *mode, content.as_bytes()),
        Source::Link(target) => archive.link(path, target),
        Source::Host(host) => {
            assert!(host.exists(), "{} is missing, which is to be {path} in the guest", host.display());
            // The link's target, not the link.
            let host = host.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", host.display()));
            archive.copy(path, &host);
            for (library, file) in libraries::needed_by(&host, &guest.library_folders) {
                let there = guest.systemd && fetched::part("system").join(&library[1..]).symlink_metadata().is_ok();
                // The system's own loader and C library must match.
                if !there {
                    let file = file.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                    archive.copy(&library, &file);
                }
            }
        }
    }
}

/// Adds busybox as the first process.
fn small(archive: &mut Archive) {
    archive.link("/init", "/usr/bin/busybox");
    archive.file("/etc/inittab", 0o644, b"::sysinit:/guest/setup\n::once:/guest/main\n");
    archive.file("/etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n");
    archive.file("/etc/group", 0o644, b"root:x:0:\n");
}

/// Adds systemd as the first process, with what maintainer scripts would have written.
fn systemd(archive: &mut Archive) {
    let accounts = fetched::part("system/usr/share/base-passwd");
    archive.copy("/etc/passwd", &accounts.join("passwd.master"));
    archive.copy("/etc/group", &accounts.join("group.master"));
    // With a machine id this is not the first boot, and no first-boot question blocks it.
    archive.file("/etc/machine-id", 0o444, b"6b65796b65796b65796b65796b657921\n");
    archive.file("/etc/hostname", 0o644, b"guest\n");
    archive.file("/usr/lib/sysusers.d/guest.conf", 0o644, b"g input\ng kvm\ng render\ng sgx\n");
    archive.link("/var/run", "/run");
    archive.link("/var/lock", "/run/lock");
    archive.file("/init", 0o755, include_bytes!("systemd.sh"));
    let units = "/etc/systemd/system";
    archive.link(&format!("{units}/default.target"), "/usr/lib/systemd/system/multi-user.target");
    archive.file(&format!("{units}/guest.service"), 0o644, include_bytes!("guest.service"));
    archive.link(&format!("{units}/multi-user.target.wants/guest.service"), &format!("{units}/guest.service"));
}

/// Resolves the links at the root in a path.
fn merged(path: &str) -> String {
    let folder = path.split('/').nth(1).unwrap_or_default();
    if MERGED.contains(&folder) { format!("/usr{path}") } else { path.to_owned() }
}
