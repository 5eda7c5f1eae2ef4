//! The hotplug script for systems without systemd, with programs that only record that they were called.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ekey_tests::{Scratch, await_until, tree};

const KEY: [(&str, &str); 3] = [("ACTION", "add"), ("PRODUCT", "20df/1/100"), ("DEVPATH", "/devices/usb1/1-1")];

#[test]
fn plugging_in_starts_a_daemon_if_none_answers() {
    let machine = Machine::new(3);
    machine.event(&KEY);
    await_until("the daemon to be started", || (machine.calls() == "ekeyd run\n").then_some(()));
}

#[test]
fn a_daemon_that_answers_is_left_alone() {
    for answer in [0, 4] {
        let machine = Machine::new(answer);
        machine.event(&KEY);
        assert_eq!(machine.calls(), "", "`ekey-ctl list` ended with {answer}");
    }
}

#[test]
fn other_devices_and_other_events_start_nothing() {
    let machine = Machine::new(3);
    for event in [
        &[("ACTION", "remove"), ("PRODUCT", "20df/1/100")][..],
        &[("ACTION", "add"), ("PRODUCT", "20df/10/100")],
        &[("ACTION", "add"), ("PRODUCT", "1d6b/2/606")],
        &[("ACTION", "add")],
        &[],
    ] {
        machine.event(event);
        assert_eq!(machine.calls(), "", "{event:?}");
    }
}

#[test]
fn the_systems_own_init_script_goes_first() {
    let machine = Machine::new(3);
    machine.program("etc/init.d/ekeyd", "echo init.d \"$@\" >>$CALLS");
    machine.event(&KEY);
    assert_eq!(machine.calls(), "init.d start\n");
    let machine = Machine::new(3);
    machine.program("bin/rc-service", "[ \"$1\" = --exists ] || echo rc-service \"$@\" >>$CALLS");
    machine.event(&KEY);
    assert_eq!(machine.calls(), "rc-service --quiet --ifstopped ekeyd start\n");
}

#[test]
fn the_key_is_kept_awake() {
    let machine = Machine::new(0);
    let switch = machine.scratch.path("sys/devices/usb1/1-1/power/control");
    fs::create_dir_all(switch.parent().expect("a folder")).expect("a folder");
    fs::write(&switch, "auto\n").expect("a file");
    machine.event(&KEY);
    assert_eq!(fs::read_to_string(switch).expect("it exists"), "on\n");
}

/// Programs and files for the script, in a folder.
struct Machine {
    scratch: Scratch,
}

impl Machine {
    /// Makes one where `ekey-ctl` exits with `answer`.
    fn new(answer: i32) -> Self {
        let machine = Self { scratch: Scratch::make() };
        machine.program("bin/ekey-ctl", &format!("exit {answer}"));
        machine.program("bin/ekeyd", "echo ekeyd \"$@\" >>$CALLS");
        machine.program("bin/logger", "cat >/dev/null");
        machine
    }

    fn program(&self, path: &str, script: &str) {
        let folder = self.scratch.path(path);
        fs::create_dir_all(folder.parent().expect("it is in a folder")).expect("a folder");
        let _ = self.scratch.write(path, &format!("#!/bin/sh\n{script}\n"), 0o755);
    }

    /// Runs the script as the kernel's helper would, and checks that it prints nothing.
    #[track_caller]
    fn event(&self, environment: &[(&str, &str)]) {
        let path = format!("{}:/usr/bin:/bin", self.scratch.path("bin").display());
        let script = tree::root().join("udev/ekeyd-hotplug");
        let mut command = Command::new(script);
        command.env_clear().env("PATH", path).env("EKEYD_ROOT", self.scratch.folder()).env("CALLS", self.calls_file());
        let output = command.envs(environment.iter().copied()).output().expect("the script runs");
        assert!(output.status.success(), "{output:?}");
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0), "{output:?}");
    }

    fn calls_file(&self) -> PathBuf {
        self.scratch.path("calls")
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.calls_file()).unwrap_or_default()
    }
}
