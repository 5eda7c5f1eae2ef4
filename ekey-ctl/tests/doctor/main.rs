//! Runs `ekey-ctl doctor` on machines made of files with a scripted daemon, and on this machine.

mod machine;
#[path = "../../../ekey-control/tests/sample/mod.rs"]
mod sample;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use ekey_control::status::{IdleKey, KernelStatus};
use ekey_control::{GREETING, Reply, Status};
use ekey_proto::session::State;
use machine::{KEY, Machine, SYS_ADMIN};
use sample::{SERIAL, all_states, key, status};
use tempfile::TempDir;

const NOWHERE: &str = "/nowhere/control.sock";

/// A daemon that answers every line with one status.
struct Daemon {
    socket: PathBuf,
    _folder: TempDir,
}

fn daemon(status: &Status) -> Daemon {
    let folder = TempDir::new().expect("a folder");
    let socket = folder.path().join("control.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let reply = Reply::lines([status.to_json().expect("JSON")]).to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            let _ = stream.write_all(GREETING.as_bytes());
            for _ in lines.map_while(Result::ok) {
                let _ = stream.write_all(reply.as_bytes());
            }
        }
    });
    Daemon { socket, _folder: folder }
}

/// Returns a healthy machine and the status of its daemon.
fn all_well() -> (Machine, Status) {
    let status = well();
    let machine = Machine::new().with_key(SERIAL).with_daemon(status.pid);
    machine.daemon_is_owner(status.pid);
    (machine, status)
}

fn well() -> Status {
    let mut status = status(vec![key(State::Running)]);
    status.not_random = false;
    status.keyring.path = "/etc/entropykey/keyring".to_owned();
    status.keyring.problem = None;
    status.idle_keys.clear();
    status.kernel = status.kernel.map(|kernel| KernelStatus {
        ready: true,
        privileged: true,
        mixed_bytes: 64,
        problem: None,
        ..kernel
    });
    status
}

#[test]
fn a_healthy_machine_has_nothing_to_do_on_one_screen() {
    let (machine, status) = all_well();
    let daemon = daemon(&status);
    let findings = machine.examined(&daemon.socket);
    assert_eq!((findings.todo(), findings.code), (vec![], Some(0)), "{:#}", findings.json);
    for topic in ["daemon", "kernel", "feeding", "capability", "watchdog", "keyring", "driver", "modems", "others"] {
        findings.shows(topic, "ok", &[]);
    }
    for topic in ["key", "access", "suspend", "port"] {
        findings.shows(topic, "ok", &[]);
    }
    let output = machine.run(&daemon.socket, &[]);
    let screen = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(screen.lines().count() <= 24, "more than a screen:\n{screen}");
    assert!(screen.ends_with("Nothing to do.\n"), "{screen}");
}

#[test]
fn a_missing_daemon_and_key_are_reported() {
    let findings = Machine::new().examined(Path::new(NOWHERE));
    assert_eq!((findings.todo(), findings.code), (vec!["daemon", "key"], Some(1)), "{:#}", findings.json);
    findings.shows("daemon", "todo", &["ekeyd", "systemctl start"]);
    findings.shows("key", "todo", &["20df:0001", "plug one in"]);
}

#[test]
fn an_empty_machine_is_examined_without_a_crash() {
    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
    let output = command.args(["--socket", NOWHERE, "doctor", "--root"]).arg(folder.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("not known"), "{output:?}");
}

#[test]
fn the_doctor_examines_this_machine() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
    let output = command.args(["--socket", NOWHERE, "doctor"]).output().expect("it runs");
    let screen = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "there is no daemon at {NOWHERE}:\n{screen}");
    assert!(screen.contains("or give its socket with --socket"), "a pipe gets whole lines:\n{screen}");
}

#[test]
fn each_fault_of_the_machine_is_named_with_advice() {
    type Change = fn(&Machine);
    let wrong: [(Change, &str, &[&str]); 12] = [
        (|m| m.write("proc/sys/kernel/random/entropy_avail", "17"), "kernel", &["NOT READY", "17 of 256"]),
        (|m| m.mode("etc/entropykey/keyring", 0o644), "keyring", &["0644", "chmod 600"]),
        (|m| m.remove("etc/entropykey/keyring"), "keyring", &["there is none", "ekey-ctl rekey"]),
        (|m| m.remove("etc/entropykey/ekeyd.toml"), "config", &["ekeyd.toml", "ekeyd.conf", "copy"]),
        (|m| m.write("lib/modules/6.1.0-56-amd64/modules.alias", "alias x cdc_acm"), "driver", &["quirk", "usb"]),
        (|m| m.write(&format!("{KEY}/power/control"), "auto"), "suspend", &["sleep", "echo on >/sys/bus/usb"]),
        (|m| m.write(&format!("{KEY}/authorized"), "0"), "key", &["echo 1 >/sys/bus/usb", "authorized"]),
        (
            |m| {
                m.write(&format!("{KEY}/authorized"), "0");
                m.process(9, "usbguard-daemon");
            },
            "key",
            &["USBGuard", "usbguard allow-device", "20df:0001"],
        ),
        (|m| m.write(&format!("{KEY}/serial"), "two words"), "key", &["no serial number", "plug it in again"]),
        (|m| m.link(&format!("{KEY}/1-1.2:1.1/driver"), "/x/usbfs"), "key", &["usbfs", "claimed"]),
        (|m| m.remove("dev/ttyACM0"), "access", &["/dev/ttyACM0", "udev"]),
        (
            |m| {
                m.process(9, "picocom");
                m.link("proc/9/fd/3", "/dev/ttyACM0");
            },
            "others",
            &["picocom", "pid 9", "/dev/ttyACM0"],
        ),
    ];
    for (change, topic, words) in wrong {
        let machine = Machine::new().with_key(SERIAL);
        change(&machine);
        machine.examined(Path::new(NOWHERE)).shows(topic, "todo", words);
    }
}

#[test]
fn a_udev_rule_keeps_modem_manager_off_the_key() {
    let machine = Machine::new().with_key(SERIAL);
    machine.process(8, "ModemManager");
    machine.examined(Path::new(NOWHERE)).shows("modems", "ok", &["leaves the key alone"]);
    machine.remove("run/udev/data/c189:3");
    machine.examined(Path::new(NOWHERE)).shows("modems", "todo", &["1-1.2", "60-ekey.rules", "ID_MM_DEVICE_IGNORE"]);
}

#[test]
fn an_old_kernel_is_known_by_its_pool_size() {
    let machine = Machine::new();
    machine.write("proc/sys/kernel/random/poolsize", "4096");
    machine.remove("lib/modules");
    machine.write("proc/sys/kernel/osrelease", "3.16.7");
    let findings = machine.examined(Path::new(NOWHERE));
    findings.shows("kernel", "ok", &["before 2022", "256 of 4096"]);
    findings.shows("driver", "todo", &["3.16.7", "3.18"]);
    machine.write("proc/sys/kernel/osrelease", "3.18.0");
    machine.examined(Path::new(NOWHERE)).shows("driver", "ok", &["by its version"]);
}

#[test]
fn the_daemons_user_must_be_allowed_to_use_the_key() {
    let (machine, status) = all_well();
    let daemon = daemon(&status);
    // Not the owner of the files: first in their group, then in none.
    machine.daemon_may(status.pid, SYS_ADMIN, machine.group());
    machine.examined(&daemon.socket).shows("access", "ok", &["entropy may use /dev/ttyACM0"]);
    machine.daemon_may(status.pid, SYS_ADMIN, machine.group() + 1);
    machine.examined(&daemon.socket).shows("access", "todo", &["/dev/ttyACM0", "0660", "60-ekey.rules"]);
    machine.examined(&daemon.socket).shows("keyring", "todo", &["chown entropy /etc/entropykey/keyring"]);
}

#[test]
fn only_a_configured_keyring_is_to_be_changed() {
    let (machine, mut status) = all_well();
    machine.write("root/victim", "");
    machine.mode("root/victim", 0o644);
    status.keyring.path = "/root/victim".to_owned();
    let findings = machine.examined(&daemon(&status).socket);
    findings.shows("keyring", "note", &["/root/victim", "0644", "not /etc/entropykey/keyring"]);
    assert!(!findings.of("keyring").1.contains("chmod"), "{:?}", findings.of("keyring"));
    machine.write("etc/entropykey/ekeyd.toml", "keyring = \"/root/victim\"\n");
    machine.examined(&daemon(&status).socket).shows("keyring", "todo", &["chmod 600 /root/victim"]);
}

#[test]
fn a_daemon_without_the_right_to_credit_is_reported() {
    let (machine, status) = all_well();
    machine.daemon_may(status.pid, "0000000000000000", machine.group());
    let daemon = daemon(&status);
    machine.examined(&daemon.socket).shows("capability", "todo", &["entropy", "AmbientCapabilities=CAP_SYS_ADMIN"]);
}

#[test]
fn the_daemons_own_problems_are_passed_on() {
    let (machine, mut status) = all_well();
    status.keys = vec![key(State::Running), key(State::Silent)];
    status.keyring.problem = Some("the keyring is torn".to_owned());
    status.kernel =
        status.kernel.map(|kernel| KernelStatus { problem: Some("the device is gone".to_owned()), ..kernel });
    status.idle_keys = vec![IdleKey { serial: None, port: "1-1.2".into(), path: "/x".into(), why: "set aside".into() }];
    let findings = machine.examined(&daemon(&status).socket);
    findings.shows("daemon", "ok", &["1 of 2 keys running"]);
    findings.shows("state", "todo", &["->"]);
    findings.shows("keyring", "todo", &["the keyring is torn"]);
    findings.shows("feeding", "todo", &["the device is gone"]);
    findings.shows("key", "todo", &["not driven", "set aside"]);
    assert_eq!(findings.code, Some(1));
}

#[test]
fn a_key_in_any_state_but_running_is_reported() {
    let machine = Machine::new();
    for state in all_states() {
        let mut status = well();
        let running = state.is_running();
        status.keys = vec![key(state)];
        let findings = machine.examined(&daemon(&status).socket);
        let told_on =
            findings.json["checks"].as_array().is_some_and(|all| all.iter().any(|one| one["topic"] == "state"));
        assert_eq!(told_on, !running, "{:#}", findings.json);
    }
}

#[test]
fn a_daemon_with_keys_elsewhere_needs_none_on_usb() {
    let status = well();
    let machine = Machine::new().with_daemon(status.pid);
    machine.daemon_is_owner(status.pid);
    let findings = machine.examined(&daemon(&status).socket);
    findings.shows("key", "note", &["elsewhere"]);
    assert_eq!(findings.code, Some(0), "{:#}", findings.json);
}

#[test]
fn another_daemon_is_mentioned() {
    let (machine, status) = all_well();
    machine.process(77, "ekeyd");
    machine.examined(&daemon(&status).socket).shows("others", "note", &["ekeyd (pid 77)", "next to this daemon"]);
}

#[test]
fn the_configuration_that_the_daemon_reads_is_checked() {
    let (machine, status) = all_well();
    machine.write(&format!("proc/{}/cmdline", status.pid), "ekeyd\0run\0--config\0/srv/other.toml\0");
    let (_, text) = machine.examined(&daemon(&status).socket).of("config");
    assert!(text.contains("/srv/other.toml"), "{text}");
    machine.write(&format!("proc/{}/cmdline", status.pid), "ekeyd\0demo\0");
    machine.examined(&daemon(&status).socket).shows("config", "note", &["demonstration"]);
}
