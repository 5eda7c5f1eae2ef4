//! The guest itself: it boots, ends, shares files, and has what the other tests on a real kernel need.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ekey_tests::Scratch;
use ekey_tests::guest::Guest;

#[test]
fn a_guest_ends_with_its_scripts_exit_code() {
    let mut guest = Guest::new().init_script("echo the kernel is $(uname -s)\nexit 42").boot();
    let line = guest.await_line("the kernel is");
    assert_eq!(line, "the kernel is Linux");
    assert_eq!(guest.wait(), 42, "the script ended with 42");
}

#[test]
fn a_file_leaves_the_guest_byte_for_byte() {
    // Every byte value at every position of a long word, and a length that is not a multiple of any block.
    let sent = (0..4_000_037_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>();
    let scratch = Scratch::make();
    let path = scratch.path("sent");
    fs::write(&path, &sent).expect("a scratch file can be written");
    let mut guest = Guest::new().file("/root/sent", &path).boot();
    guest.check("cp /root/sent /share/returned");
    let returned = fs::read(guest.shared("returned")).expect("the guest wrote it");
    let first = sent.iter().zip(&returned).position(|(expected, seen)| expected != seen);
    assert!(sent == returned, "{} of {} bytes came back, the first wrong one at {first:?}", returned.len(), sent.len());
    guest.power_off();
}

#[test]
fn a_command_returns_exit_code_and_output() {
    let mut guest = Guest::new().boot();
    let said = guest.sh("echo to one side; echo to the other >&2; exit 7");
    assert_eq!((said.code, said.text.as_str()), (7, "to one side\nto the other\n"));
    // A process in the background outlives the command that started it.
    guest.check("(until [ -e /share/go ]; do usleep 10000; done; echo gone >/share/went) &");
    fs::write(guest.shared("go"), "").expect("the shared folder can be written");
    guest.await_sh("grep gone /share/went");
    guest.power_off();
}

#[test]
fn a_host_program_runs_in_the_guest() {
    let this_test = std::env::current_exe().expect("a running test has a path");
    for guest in [Guest::new(), Guest::systemd()] {
        let mut guest = guest.file("/bin/this-test", &this_test).boot();
        let listed = guest.check("this-test --list");
        let name = "boot::a_host_program_runs_in_the_guest: test";
        assert!(listed.lines().any(|line| line == name), "a test lists its tests, also in the guest: {listed}");
        guest.power_off();
    }
}

#[test]
fn the_kernel_has_a_modern_random_device_and_usb() {
    let mut guest = Guest::new().boot();
    let pool = guest.check("cat /proc/sys/kernel/random/poolsize");
    assert_eq!(pool.trim(), "256", "poolsize of a kernel since the rewrite of 2022");
    guest.check("[ -c /dev/random ]");
    let drivers = guest.check("for bus in /sys/bus/usb/devices/usb*; do readlink -f $bus/../driver; done");
    assert!(drivers.contains("xhci_hcd"), "no USB bus of an xHCI controller, only {drivers:?}");
    guest.power_off();
}

#[test]
fn the_drivers_of_tty_and_software_usb_load() {
    let mut guest = Guest::new().module("cdc-acm").module("vhci-hcd").module("ext4").boot();
    let loaded = guest.check("cut -d ' ' -f 1 /proc/modules");
    for module in ["cdc_acm", "vhci_hcd", "usbip_core", "ext4"] {
        assert!(loaded.lines().any(|name| name == module), "{module} is not among the loaded modules: {loaded}");
    }
    guest.check("[ -d /sys/bus/usb/drivers/cdc_acm ]");
    guest.check("[ -w /sys/devices/platform/vhci_hcd.0/attach ]");
    // A name works as well as a path.
    guest.check("modprobe virtio-rng && grep -q '^virtio_rng ' /proc/modules");
    guest.power_off();
}

#[test]
fn hwrng_reads_the_bytes_of_an_egd_server() {
    let scratch = Scratch::make();
    let socket = scratch.path("egd.sock");
    let served = serve_counted_words(&UnixListener::bind(&socket).expect("a scratch socket can be made"));
    let mut guest = Guest::new()
        .module("virtio-rng")
        .qemu(&["-chardev", &format!("socket,id=egd,path={}", socket.display())])
        .qemu(&["-object", "rng-egd,id=egd-rng,chardev=egd", "-device", "virtio-rng-pci,rng=egd-rng"])
        .boot();
    assert_eq!(guest.check("cat /sys/class/misc/hw_random/rng_current").trim(), "virtio_rng.0");
    guest.check("dd if=/dev/hwrng of=/share/bytes bs=64 count=16");
    let bytes = fs::read(guest.shared("bytes")).expect("the guest wrote it");
    assert_eq!(bytes.len(), 1024, "the guest read 16 times 64 bytes");
    // The kernel keeps a part for itself, so gaps may occur, but never a repeated word or one that was not served.
    let words = bytes.chunks_exact(8).map(|word| u64::from_be_bytes(word.try_into().expect("8 bytes")));
    let words = words.collect::<Vec<_>>();
    assert!(words.is_sorted_by(|one, next| one < next), "not the words of the server in their order: {words:?}");
    let last = words[words.len() - 1];
    let served = served.load(Ordering::SeqCst);
    assert!(last < served, "word {last} was never served, only {served}");
    guest.power_off();
}

/// Serves one EGD client the words 1, 2, 3, … and counts them; accepts only the command 0x02.
fn serve_counted_words(listener: &UnixListener) -> Arc<AtomicU64> {
    let next = Arc::new(AtomicU64::new(1));
    let counted = Arc::clone(&next);
    let listener = listener.try_clone().expect("a socket can be cloned");
    thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut request = [0; 2];
        while stream.read_exact(&mut request).is_ok() {
            let [0x02, count] = request else { panic!("QEMU asks {request:?} of an EGD server") };
            assert_eq!(count % 8, 0, "requests for whole words");
            let first = counted.fetch_add(u64::from(count) / 8, Ordering::SeqCst);
            let answer = (first..first + u64::from(count) / 8).flat_map(u64::to_be_bytes).collect::<Vec<_>>();
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    });
    next
}
