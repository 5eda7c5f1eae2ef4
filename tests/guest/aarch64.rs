//! The static programs on a 64-bit ARM: a real kernel of that architecture, a key on each kind of link, every output,
//! and the sandbox, whose lists of system calls differ there.
//!
//! `packaging/test` builds the programs, fetches the guest, and runs these tests; `tests/run` does not.

use std::fmt::Write as _;

use ekey_tests::blocks::{self, Account};
use ekey_tests::guest::{Booted, Guest, arm64_file};
use ekey_tests::software_key::{KeyPlan, LONG_TERM_KEY, Plug, SECOND_SERIAL, SERIAL};
use ekey_tests::{Scratch, binaries};

const USB_SERIAL: &str = "M/1A+2B3C4D5E6F7";
const CONFIG: &str = r#"[keys]
paths = ["/run/sim/unix", "/run/sim/pty"]
transport = "tty"
[kernel]
interval-s = 1
[egd]
listen = ["unix:/run/ekeyd/egd.sock", "tcp:127.0.0.1:8888"]
clone-safe = false
[file]
path = "/var/lib/ekeyd/entropy"
max-bytes = 65536
[http]
listen = "127.0.0.1:9178"
"#;
/// Asks by EGD for 16 times 255 bytes.
const ASK: &str =
    "for n in $(seq 16); do printf '\\002\\377'; done >/root/ask; nc 127.0.0.1 8888 </root/ask >/share/egd";
const ASKED: usize = 16 * 255;
/// Prints every refusal of the sandbox: each leaves a line with the number of the call.
const REFUSED: &str = "dmesg | grep type=1326";

#[test]
#[ignore = "needs the static programs for aarch64: run packaging/test"]
fn keys_on_every_link_serve_and_no_call_is_refused() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("usb").identity(USB_SERIAL, LONG_TERM_KEY).plug(Plug::UsbRedir).rate(126);
    let key = plan.plug_in(&scratch);
    let mut guest = with_programs(Guest::aarch64().module("cdc-acm")).boot();
    assert_eq!(guest.check("uname -m").trim(), "aarch64");
    guest.check("ekeyd check /etc/entropykey/ekeyd.toml");
    // Does what udev would do.
    guest.check("mdev -d");
    guest.plug("key", &key.path);
    guest.await_sh("[ \"$(stat -c %G /dev/ttyACM0)\" = ekeyd ]");
    plug_in(&mut guest, "unix", SERIAL);
    plug_in(&mut guest, "pty", SECOND_SERIAL);
    start(&mut guest);
    guest.await_sh(&running(3));

    // Each served byte was sent by one of the keys, and none comes twice.
    guest.check(ASK);
    guest.await_sh("[ $(stat -c %s /var/lib/ekeyd/entropy) = 65536 ]");
    guest.check("cp /var/lib/ekeyd/entropy /share/file");
    let logs = [guest.shared("unix.plain"), guest.shared("pty.plain"), key.plain_log.clone()];
    let mut account = Account::of(&logs.map(|log| blocks::read(&log)));
    for (name, expected) in [("egd", ASKED), ("file", 65_536)] {
        let served = blocks::read(&guest.shared(name));
        assert_eq!(served.len(), expected, "{name}");
        account.book(&served).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
    guest.await_sh("ekey-ctl status --json | grep '\"credited_bits\":[1-9]'");
    guest.check("wget -q -O - http://127.0.0.1:9178/metrics | grep '^ekeyd_'");

    let doctor = guest.sh("ekey-ctl doctor").text;
    println!("{doctor}");
    for line in
        ["CAP_SYS_ADMIN held (ekeyd)", "calls filtered, landlock", "CAP_SYS_ADMIN in 1 of ", "3 of 3 keys running"]
    {
        assert!(doctor.contains(line), "the doctor does not say `{line}`:\n{doctor}");
    }
    // The kernel's counts agree.
    let threads = guest.check("cat /proc/$(cat /run/pid)/task/*/status");
    let with = |line: &str| threads.lines().filter(|other| *other == line).count();
    assert!(with("Seccomp:\t2") >= 5, "{threads}");
    for line in ["Seccomp:\t0", "NoNewPrivs:\t0", "Uid:\t0\t0\t0\t0"] {
        assert_eq!(with(line), 0, "{line}: {threads}");
    }

    changes(&mut guest, &key.path);
    end(&mut guest);

    // Over USB without the kernel's driver.
    guest.check("sed -i 's/\"tty\"/\"usb\"/' /etc/entropykey/ekeyd.toml");
    start(&mut guest);
    guest.await_sh(&running(3));
    guest.check("ekey-ctl status --json | grep '\"transport\":\"usb\"'");
    guest.await_sh(&format!("ekey-ctl reset '{USB_SERIAL}' --level usb"));
    guest.await_sh(&running(3));
    end(&mut guest);

    let refused = guest.sh(REFUSED);
    assert_eq!(refused.code, 1, "the sandbox refuses calls that the daemon makes:\n{}", refused.text);
    guest.power_off();
}

#[test]
#[ignore = "needs the static programs for aarch64: run packaging/test"]
fn the_sandbox_refuses_every_other_call() {
    let libraries = "usr/lib/aarch64-linux-gnu";
    let guest = with_programs(Guest::aarch64())
        .file("/usr/bin/gdb", &arm64_file("usr/bin/gdb"))
        .file(&format!("/{libraries}"), &arm64_file(libraries))
        .link("/usr/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu/ld-linux-aarch64.so.1")
        .text("/tmp/readable", "to everybody\n", 0o644);
    let mut guest = guest.boot();
    guest.check("sed -i 's|, \"/run/sim/pty\"||' /etc/entropykey/ekeyd.toml");
    plug_in(&mut guest, "unix", SERIAL);
    start(&mut guest);
    guest.await_sh(&running(1));
    for (call, expected) in [
        (Call { name: "getpid", number: 172, arguments: "" }, 1..=i64::MAX),
        (Call { name: "openat of what it may read", number: 56, arguments: "-100 $path 0" }, 0..=i64::MAX),
        (Call { name: "openat of another file", number: 56, arguments: "-100 $other 0" }, -EACCES..=-EACCES),
        (Call { name: "mkdirat", number: 34, arguments: "-100 $path 511" }, -ENOSYS..=-ENOSYS),
        (Call { name: "socket of AF_PACKET", number: 198, arguments: "17 3 0" }, -ENOSYS..=-ENOSYS),
        (Call { name: "ioctl TIOCSTI", number: 29, arguments: "2 0x5412 $path" }, -ENOSYS..=-ENOSYS),
        (Call { name: "mmap to write and execute", number: 222, arguments: "0 4096 6 0x22 -1 0" }, -ENOSYS..=-ENOSYS),
    ] {
        let result = call.make(&mut guest);
        println!("{}: {result}", call.name);
        assert!(expected.contains(&result), "{} gave {result}, expected {expected:?}", call.name);
    }
    // The kernel has logged each refusal, and the daemon still runs.
    for number in [34, 198, 29, 222] {
        guest.check(&format!("{REFUSED} | grep 'syscall={number} '"));
    }
    guest.await_sh(&running(1));

    let execve = Call { name: "execve", number: 221, arguments: "$path 0 0" };
    let said = execve.gdb(&mut guest);
    println!("execve: {}", said.lines().last().unwrap_or_default());
    guest.await_sh("[ -s /run/exit ]");
    assert_eq!(guest.check("cat /run/exit").trim(), (128 + SIGSYS).to_string(), "the daemon's end");
    guest.power_off();
}

const EACCES: i64 = 13;
const ENOSYS: i64 = 38;
const SIGSYS: i64 = 31;

/// A system call that a debugger makes from the daemon's first thread, which waits for events.
struct Call {
    name: &'static str,
    /// The number on aarch64, from asm-generic/unistd.h.
    number: i64,
    /// `$path` is `/etc/passwd`, which the daemon may read; `$other` is a file that all users may read but the daemon
    /// may not.
    arguments: &'static str,
}

impl Call {
    /// Makes the call and returns the kernel's answer; a negative number is an error.
    fn make(&self, guest: &mut Booted) -> i64 {
        let said = self.gdb(guest);
        let answer = said.lines().find_map(|line| line.strip_prefix("answer ")?.trim().parse().ok());
        answer.unwrap_or_else(|| panic!("{} was not made: {said}", self.name))
    }

    /// Returns what gdb prints. The thread has just returned from `svc`, so that instruction is the one before its program
    /// counter.
    fn gdb(&self, guest: &mut Booted) -> String {
        let mut script = String::from("set $back = $pc\n");
        let registers = ["x0", "x1", "x2", "x3", "x4", "x5", "x8"];
        for register in registers {
            let _ = writeln!(script, "set $saved_{register} = ${register}");
        }
        for (name, below, path) in [("path", 512, "/etc/passwd"), ("other", 1024, "/tmp/readable")] {
            let _ = writeln!(script, "set ${name} = $sp - {below}");
            for (at, byte) in path.bytes().chain([0]).enumerate() {
                let _ = writeln!(script, "set {{char}}(${name} + {at}) = {byte}");
            }
        }
        for (register, value) in registers.iter().zip(self.arguments.split_whitespace()) {
            let _ = writeln!(script, "set ${register} = {value}");
        }
        let _ =
            writeln!(script, "set $x8 = {}\nset $pc = $back - 4\nstepi\nprintf \"answer %ld\\n\", $x0", self.number);
        for register in registers {
            let _ = writeln!(script, "set ${register} = $saved_{register}");
        }
        script.push_str("set $pc = $back\n");
        std::fs::write(guest.shared("call"), script).expect("the shared folder can be written");
        guest.sh("gdb -q -batch -nx -p $(cat /run/pid) -x /share/call").text
    }
}

/// Puts the daemon through a reload, resets, and keys that vanish and return.
fn changes(guest: &mut Booted, usb: &std::path::Path) {
    guest.check("kill -HUP $(cat /run/pid)");
    guest.await_sh("grep 'the keyring was read again' /share/ekeyd.log");
    guest.check("ekey-ctl keyring reload");
    for (serial, level) in [(SERIAL, "soft"), (SECOND_SERIAL, "reopen"), (USB_SERIAL, "usb")] {
        // An emulated machine may need longer than the twelve seconds that the tool waits for an answer.
        guest.await_sh(&format!("ekey-ctl reset '{serial}' --level {level}"));
        guest.await_sh(&running(3));
    }
    guest.check(&format!("ekey-ctl remove '{SERIAL}' && ekey-ctl list"));
    guest.await_sh(&running(2));
    guest.check("ekey-ctl add /run/sim/unix");
    guest.await_sh(&running(3));

    // One key vanishes, another is unplugged.
    guest.check("kill $(cat /run/unix.pid)");
    guest.unplug("key");
    guest.await_sh("[ ! -e /dev/ttyACM0 ]");
    guest.await_sh(&running(1));
    plug_in(guest, "unix", SERIAL);
    guest.plug("key", usb);
    guest.await_sh(&running(3));
}

/// Makes a guest with the static programs, their user, and a keyring of three keys.
fn with_programs(guest: Guest) -> Guest {
    let tree = binaries::target_folder().join("static/aarch64");
    let keyring = [SERIAL, SECOND_SERIAL, USB_SERIAL].iter().fold(String::new(), |mut text, serial| {
        let _ = writeln!(text, "{serial} {LONG_TERM_KEY}");
        text
    });
    ["ekeyd", "ekey-ctl", "ekey-sim"]
        .into_iter()
        .fold(guest, |guest, name| guest.file(&format!("/usr/bin/{name}"), &tree.join(name)))
        .text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nekeyd:x:990:990::/nonexistent:/bin/false\n", 0o644)
        .text("/etc/group", "root:x:0:\nekeyd:x:990:\n", 0o644)
        .text(
            "/etc/mdev.conf",
            "null|u?random root:root 666\nttyACM[0-9] root:ekeyd 660\n$PRODUCT=20df/1/.* root:ekeyd 660\n",
            0o644,
        )
        .text("/etc/entropykey/ekeyd.toml", CONFIG, 0o644)
        .text("/etc/entropykey/keyring", &keyring, 0o600)
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600)
}

/// Plugs in a software key that runs in the guest, at `/run/sim/KIND`, with its log at `/share/KIND.plain`.
fn plug_in(guest: &mut Booted, kind: &str, serial: &str) {
    let key =
        format!("--{kind} /run/sim/{kind} --serial '{serial}' --ltk-file /root/ltk --plain-log /share/{kind}.plain");
    guest.check(&format!(
        "mkdir -p /run/sim; umask 0; ekey-sim {key} >>/share/{kind}.sim 2>&1 & echo $! >/run/{kind}.pid"
    ));
    guest.await_sh(&format!("[ -e /run/sim/{kind} ] && chmod a+rw /run/sim/{kind}"));
}

fn start(guest: &mut Booted) {
    guest.check("ifconfig lo up; mkdir -p /run/ekeyd /var/lib/ekeyd; chown ekeyd /var/lib/ekeyd");
    guest.check("(ekeyd run >>/share/ekeyd.log 2>&1 & echo $! >/run/pid; wait $!; echo $? >/run/exit) &");
}

/// Ends the daemon as a service manager does, and checks that it exits in good order.
fn end(guest: &mut Booted) {
    guest.check("rm -f /run/exit; kill $(cat /run/pid)");
    guest.await_sh("[ -s /run/exit ]");
    let log = std::fs::read_to_string(guest.shared("ekeyd.log")).unwrap_or_default();
    assert_eq!(guest.check("cat /run/exit").trim(), "0", "{log}");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}

/// Returns a shell command that succeeds when `count` keys run and prints their states until then.
fn running(count: usize) -> String {
    format!(
        "[ $(ekey-ctl status --json | grep -o '\"name\":\"running\"' | wc -l) = {count} ] || {{ ekey-ctl list; tail /share/ekeyd.log; false; }}"
    )
}
