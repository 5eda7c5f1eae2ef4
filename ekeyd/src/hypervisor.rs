//! Whether a hypervisor runs this machine, so that it may be copied while it runs.
//!
//! In a container this is about the machine below it. Nothing shows that a process may be copied (CRIU): its configuration has to
//! say so.

use std::fs;
use std::path::Path;

/// What a hypervisor's firmware calls the maker or the model of its machines, in part.
const VIRTUAL: [&str; 12] = [
    "qemu",
    "kvm",
    "bochs",
    "vmware",
    "virtualbox",
    "innotek",
    "xen",
    "virtual machine",
    "amazon ec2",
    "google compute",
    "openstack",
    "bhyve",
];

/// Returns whether a hypervisor is seen.
pub(crate) fn is_seen() -> bool {
    is_seen_below(Path::new("/"))
}

/// `root` stands for `/`.
fn is_seen_below(root: &Path) -> bool {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    // On x86. Firecracker has no other sign.
    let by_processor = || {
        let info = read("proc/cpuinfo");
        let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        flags.split_whitespace().any(|flag| flag == "hypervisor")
    };
    let by_kernel = || !read("sys/hypervisor/type").trim().is_empty();
    // On Arm without other signs.
    let by_device_tree = || root.join("proc/device-tree/hypervisor").exists();
    let by_firmware = || {
        let names = ["sys_vendor", "product_name"].map(|file| read(&format!("sys/class/dmi/id/{file}")).to_lowercase());
        VIRTUAL.iter().any(|word| names.iter().any(|name| name.contains(word)))
    };
    by_processor() || by_kernel() || by_device_tree() || by_firmware()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_of_a_hypervisor_is_enough() {
        let of_hardware = [
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: a hypervisor\nflags\t\t: fpu vme nonhypervisor\n"),
            ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
            ("sys/class/dmi/id/product_name", "20KH006JGE\n"),
            ("sys/hypervisor/type", "\n"),
        ];
        let signs = [
            ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n"),
            ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
            ("sys/class/dmi/id/product_name", "Virtual Machine\n"),
            ("sys/hypervisor/type", "xen\n"),
            ("proc/device-tree/hypervisor/compatible", "linux,kvm\0"),
        ];
        let machine = |more: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in of_hardware.iter().chain(more) {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            is_seen_below(root.path())
        };
        assert!(!machine(&[]), "hardware");
        for sign in signs {
            assert!(machine(&[sign]), "{sign:?}");
        }
        assert!(!is_seen_below(Path::new("/nonexistent")), "nothing to see");
    }
}
