//! The kernel sink against simulated kernels and this machine's own.

use std::cell::{Cell, RefCell};
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

thread_local! {
    static READY: Cell<bool> = const { Cell::new(true) };
    static OUTCOME: Cell<nix::Result<()>> = const { Cell::new(Ok(())) };
    static RESEEDS: Cell<u32> = const { Cell::new(0) };
    /// Length and credit of each call.
    static CALLS: RefCell<Vec<(usize, u32)>> = const { RefCell::new(Vec::new()) };
}

/// A simulated kernel: a pipe as the device, which has POLLOUT until it is full.
struct Played {
    folder: tempfile::TempDir,
    pipe: File,
}

impl Played {
    fn new(poolsize: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let device = folder.path().join("random");
        nix::unistd::mkfifo(&device, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        fs::write(folder.path().join("poolsize"), poolsize).expect("a file");
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(device).expect("the pipe");
        READY.set(true);
        OUTCOME.set(Ok(()));
        CALLS.take();
        Self { folder, pipe }
    }

    fn without_pollout(mut self) -> Self {
        while self.pipe.write(&[0; 4096]).is_ok() {}
        self
    }

    fn host(&self) -> Host {
        Host {
            device: self.folder.path().join("random"),
            poolsize: self.folder.path().join("poolsize"),
            is_ready: || READY.get(),
            add_entropy: |_, bytes, credit| {
                OUTCOME.get()?;
                CALLS.with_borrow_mut(|calls| calls.push((bytes.len(), credit)));
                Ok(())
            },
            reseed: |_| {
                RESEEDS.set(RESEEDS.get() + 1);
                Ok(())
            },
        }
    }

    fn sink(&self, interval: Duration) -> Kernel {
        Kernel::open(&settings(interval), self.host()).expect("the sink opens")
    }
}

fn settings(interval: Duration) -> config::Kernel {
    config::Kernel { enabled: true, bits_per_byte: 7, interval }
}

#[test]
fn after_forgetting_a_fresh_dose_reseeds_at_once() {
    for (poolsize, reseeds) in [("256\n", 1), ("4096\n", 0)] {
        let played = Played::new(poolsize).without_pollout();
        RESEEDS.set(0);
        let mut sink = played.sink(MINUTE);
        let now = Instant::now();
        assert_eq!(sink.wants(now), 64);
        sink.feed(&[1; 64], true).unwrap();
        assert_eq!((sink.wants(now), RESEEDS.get()), (0, 0));
        sink.start_over();
        assert_eq!(sink.wants(now), 64, "without waiting for the next minute");
        sink.feed(&[2; 40], true).unwrap();
        assert_eq!((sink.wants(now), RESEEDS.get()), (24, 0), "half a dose is not enough");
        sink.feed(&[2; 24], true).unwrap();
        assert_eq!((sink.wants(now), RESEEDS.get()), (0, reseeds), "pool of {poolsize}");
        sink.wants(now + MINUTE);
        sink.feed(&[3; 64], true).unwrap();
        assert_eq!(RESEEDS.get(), reseeds, "once");
    }
}

#[test]
fn an_unseeded_kernel_takes_all_with_credit() {
    let played = Played::new("256\n");
    READY.set(false);
    let mut sink = played.sink(MINUTE);
    let now = Instant::now();
    for _ in 0..3 {
        assert_eq!(sink.wants(now), 512);
        sink.feed(&[1; 512], true).unwrap();
    }
    assert!(!sink.is_ready());
    assert_eq!(sink.next_wake(), None);
    assert_eq!(CALLS.take(), [(512, 3584); 3]);
    READY.set(true);
    assert_eq!(sink.wants(now), 64, "once it is ready it gets its first dose");
    assert!(sink.is_ready());
}

#[test]
fn bytes_without_credit_are_a_dose_an_interval() {
    let mut played = Played::new("256\n");
    READY.set(false);
    let mut sink = played.sink(MINUTE);
    let start = Instant::now();
    assert_eq!((sink.wants(start), sink.dose(start)), (512, 64), "it takes all that counts, and a dose of others");
    sink.feed(&[2; 64], false).unwrap();
    assert_eq!((sink.wants(start), sink.dose(start)), (512, 0));
    assert_eq!(sink.next_wake(), Some(start + MINUTE));
    assert_eq!(sink.dose(start + MINUTE), 64);
    assert_eq!(CALLS.take(), [], "no credit was asked for");
    let mut mixed = [0; 64];
    played.pipe.read_exact(&mut mixed).unwrap();
    assert_eq!(mixed, [2; 64], "what the kernel got");
    assert_eq!(sink.counters(), Counters { given: 64, bytes: 64, ..Counters::default() });
}

#[test]
fn a_long_batch_is_mixed_in_pieces() {
    let played = Played::new("256\n");
    let mut sink = played.sink(MINUTE);
    sink.feed(&[1; 1100], true).unwrap();
    assert_eq!(CALLS.take(), [(512, 3584), (512, 3584), (76, 532)]);
    assert_eq!(sink.counters(), Counters { given: 1100, bytes: 1100, dropped: 0, credited_bits: 7700, failures: 0 });
}

#[test]
fn a_kernel_since_2022_gets_one_dose_an_interval() {
    let played = Played::new("256\n").without_pollout();
    let mut sink = played.sink(MINUTE);
    assert_eq!(sink.era(), Era::Since2022);
    let start = Instant::now();
    assert_eq!(sink.wants(start), 64, "the first at once");
    sink.feed(&[1; 32], true).unwrap();
    assert_eq!(sink.wants(start), 32, "the rest of the dose is still wanted");
    sink.feed(&[1; 32], true).unwrap();
    assert_eq!(sink.wants(start), 0);
    assert_eq!(sink.next_wake(), Some(start + MINUTE));
    assert_eq!(sink.wants(start + MINUTE - Duration::from_millis(1)), 0);
    assert_eq!(sink.wants(start + MINUTE), 64);
}

#[test]
fn a_kernel_before_2022_is_fed_while_it_asks() {
    let played = Played::new("4096\n");
    let mut sink = played.sink(MINUTE);
    assert_eq!(sink.era(), Era::Before2022);
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(sink.wants(start), 512);
        sink.feed(&[1; 512], true).unwrap();
    }
}

#[test]
fn an_idle_kernel_before_2022_is_fed_each_minute() {
    let played = Played::new("4096\n").without_pollout();
    let mut sink = played.sink(60 * MINUTE);
    let start = Instant::now();
    assert_eq!(sink.wants(start), 64);
    sink.feed(&[1; 64], true).unwrap();
    assert_eq!(sink.wants(start), 0);
    let look = sink.next_wake().unwrap();
    assert_eq!(look, start + Duration::from_secs(1), "POLLOUT has to be looked for");
    assert_eq!(sink.wants(start + MINUTE - Duration::from_millis(1)), 0);
    assert_eq!(sink.next_wake(), Some(start + MINUTE));
    assert_eq!(sink.wants(start + MINUTE), 64);
}

#[test]
fn without_poolsize_the_older_rules_apply() {
    let played = Played::new("256\n").without_pollout();
    fs::remove_file(played.folder.path().join("poolsize")).unwrap();
    let mut sink = played.sink(MINUTE);
    assert_eq!(sink.era(), Era::Before2022);
    assert_eq!(sink.wants(Instant::now()), 64);
}

#[test]
fn without_the_privilege_nothing_is_credited() {
    let mut played = Played::new("256\n");
    let mut sink = played.sink(MINUTE);
    OUTCOME.set(Err(Errno::EPERM));
    sink.feed(b"mixed", true).unwrap();
    assert_eq!(sink.mode(), Mode::MixedOnly);
    assert_eq!(sink.counters(), Counters { given: 5, bytes: 5, dropped: 0, credited_bits: 0, failures: 0 });
    let mut written = [0; 16];
    let count = played.pipe.read(&mut written).unwrap();
    assert_eq!(&written[..count], b"mixed");
    OUTCOME.set(Ok(()));
    sink.feed(b"credited", true).unwrap();
    assert_eq!(sink.mode(), Mode::Credited);
}

#[test]
fn a_failure_is_reported_and_counted_then_a_pause() {
    let played = Played::new("256\n");
    READY.set(false);
    let mut sink = played.sink(MINUTE);
    let start = Instant::now();
    assert_eq!(sink.wants(start), 512);
    OUTCOME.set(Err(Errno::ENOTTY));
    let refused = sink.feed(&[1; 512], true).unwrap_err();
    assert!(refused.to_string().ends_with("or set enabled = false in [kernel]"), "{refused}");
    assert_eq!(sink.counters(), Counters { given: 512, bytes: 0, dropped: 512, credited_bits: 0, failures: 1 });
    assert_eq!(sink.wants(start), 0);
    let again = sink.next_wake().unwrap();
    assert_eq!(again, start + Duration::from_secs(1));
    OUTCOME.set(Ok(()));
    assert_eq!(sink.wants(again), 512);
    assert_eq!(sink.next_wake(), None, "a pause that is over must not keep the event loop awake");
}

#[test]
fn a_device_that_is_missing_is_named() {
    let host = Host { device: "/nowhere/random".into(), ..Host::default() };
    let refused = Kernel::open(&settings(MINUTE), host).err().unwrap();
    assert!(refused.to_string().starts_with("/nowhere/random: cannot open: "), "{refused}");
}

#[test]
fn this_machines_kernel_takes_entropy() {
    let mut sink = Kernel::open(&settings(MINUTE), Host::default()).unwrap();
    let wanted = sink.wants(Instant::now());
    assert!(wanted >= 64, "a kernel wants its first dose at once, and this one wants {wanted} bytes");
    sink.feed(&[0x5a; 64], true).unwrap();
    let (mode, credit) = if may_credit() { (Mode::Credited, 448) } else { (Mode::MixedOnly, 0) };
    assert_eq!(sink.mode(), mode);
    assert_eq!(sink.counters(), Counters { given: 64, bytes: 64, dropped: 0, credited_bits: credit, failures: 0 });
}

#[test]
fn an_unprivileged_user_gets_no_credit() {
    if !nix::unistd::geteuid().is_root() {
        // Then the test above has shown it already.
        assert!(!may_credit());
        return;
    }
    // A copy, because user 65534 may not enter the folder where tests are built.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let output = Command::new(&program)
        .args(["--exact", &format!("{module}::this_machines_kernel_takes_entropy")])
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Returns whether this process has CAP_SYS_ADMIN.
fn may_credit() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("CapEff");
    u64::from_str_radix(capabilities.trim(), 16).expect("a hexadecimal number") >> 21 & 1 == 1
}
