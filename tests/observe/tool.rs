//! The tool's live verbs with a real daemon: `top` at a real terminal, `watch`, `plot`; the widths of a terminal.

use std::fs;
use std::process::Command;

use ekey_tests::terminal::Terminal;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Program, Scratch, SoftwareKey, await_until, binaries};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn start(scratch: &Scratch) -> (Daemon, SoftwareKey) {
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).egd().start(scratch);
    daemon.await_state(scratch, "running");
    (daemon, key)
}

/// `ekey-ctl top` at a terminal of 90 by 30.
fn top(daemon: &Daemon) -> Terminal {
    let mut command = binaries::command("ekey-ctl");
    command.args(["top", "--socket"]).arg(&daemon.control).env("LC_ALL", "C.UTF-8");
    Terminal::start(command, 90, 30)
}

fn ends_restored(top: &mut Terminal, how: &str) {
    let code = await_until(&format!("the end after {how}"), || top.child.try_wait().ok().flatten());
    assert_eq!(code.code(), Some(0), "after {how}");
    assert_eq!(top.settings(), top.before, "the terminal after {how}");
    top.await_shown("\u{1b}[?25h\u{1b}[?1049l");
}

#[test]
fn top_restores_the_terminal_however_it_ends() {
    let scratch = Scratch::make();
    let (daemon, _key) = start(&scratch);
    for (how, key, signal) in [
        ("q", Some(b'q'), None),
        ("^C", Some(3), None),
        ("SIGTERM", None, Some(Signal::SIGTERM)),
        ("SIGHUP", None, Some(Signal::SIGHUP)),
        ("SIGINT", None, Some(Signal::SIGINT)),
    ] {
        let mut top = top(&daemon);
        top.await_shown("q or ^C ends");
        assert!(top.shown().starts_with("\u{1b}[?1049h\u{1b}[?25l"), "{:?}", top.shown());
        assert_ne!(top.settings(), top.before, "keys are to be read as they are pressed");
        top.await_shown("All is well: 1 key running.");
        if let Some(key) = key {
            top.press(&[b'x', key]);
        }
        if let Some(signal) = signal {
            kill(Pid::from_raw(i32::try_from(top.child.id()).expect("it fits")), signal).expect("it runs");
        }
        ends_restored(&mut top, how);
    }
}

#[test]
fn top_survives_the_daemon() {
    let scratch = Scratch::make();
    let (mut daemon, _key) = start(&scratch);
    let mut top = top(&daemon);
    top.await_shown("All is well");
    daemon.program.kill();
    top.await_shown("Trying again every second.");
    top.press(b"q");
    ends_restored(&mut top, "the daemon's end");
    let finished = daemon.ctl(&scratch, &["top"]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
}

#[test]
fn top_without_a_terminal_prints_plain_text_once() {
    let scratch = Scratch::make();
    let (daemon, _key) = start(&scratch);
    let shown = await_until("a step of history", || {
        let finished = daemon.ctl(&scratch, &["top"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished
            .stdout
            .lines()
            .any(|line| line.starts_with("Supply ") && line.contains("kB/s"))
            .then_some(finished.stdout)
    });
    assert!(shown.contains("All is well: 1 key running.") && !shown.contains('\u{1b}'), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80) && shown.lines().count() < 24, "{shown}");
}

#[test]
fn watch_reports_a_change_in_words_and_in_json() {
    let scratch = Scratch::make();
    let (daemon, mut key) = start(&scratch);
    let watch = |name: &str, arguments: &[&str]| {
        let mut command = binaries::command("ekey-ctl");
        command.arg("watch").args(arguments).args(["--changes", "3", "--socket"]).arg(&daemon.control);
        Program::spawn(name, command, &scratch)
    };
    let [mut words, mut json] = [watch("words", &[]), watch("json", &["--json"])];
    for program in [&words, &json] {
        await_until("the bytes at the start", || (program.stdout().lines().count() == 2).then_some(()));
    }
    key.program.kill();
    for program in [&mut words, &mut json] {
        await_until("the end after the third change", || program.ended());
    }
    let told = words.stdout();
    assert!(told.lines().nth(1).is_some_and(|line| line.contains("Z  key 1 (NwBvBlg3OTBJORFD): running")), "{told}");
    let changes: Vec<Value> =
        json.stdout().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!((&changes[0]["what"], &changes[2]["what"]), (&"daemon".into(), &"state".into()), "{changes:?}");
    assert_eq!((&changes[2]["from"], &changes[2]["key"]), (&"running".into(), &1.into()), "{changes:?}");
    assert_ne!(changes[2]["to"], "running", "{changes:?}");
}

#[test]
fn plot_draws_the_history_and_never_overwrites() {
    let scratch = Scratch::make();
    let (daemon, _key) = start(&scratch);
    let file = scratch.path("history.svg");
    let name = file.to_str().expect("a path");
    let plot = |arguments: &[&str]| daemon.ctl(&scratch, &[&["plot"], arguments].concat());
    assert_eq!(plot(&[name]).code, Some(0));
    let check = "import sys, xml.etree.ElementTree as tree; root = tree.parse(sys.argv[1]).getroot();\
                 print(root.tag, sum(1 for e in root.iter() if e.tag.endswith('}text')))";
    let output = Command::new("python3").args(["-c", check, name]).output().expect("python3 can be run");
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(seen.starts_with("{http://www.w3.org/2000/svg}svg "), "{output:?}");

    fs::write(&file, "precious").expect("it can be written");
    let refused = plot(&[name]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).expect("it exists"), "precious");
    assert_eq!(plot(&[name, "--force", "--range", "24h"]).code, Some(0));
    let text = fs::read_to_string(&file).expect("it exists");
    assert!(text.contains("last 24 hours") && text.contains("NwBvBlg3OTBJORFD"), "{text:.300}");
    let printed = plot(&["-"]);
    assert!(printed.stdout.starts_with("<svg ") && printed.stdout.ends_with("</svg>\n"), "{printed:?}");
}

#[test]
fn status_doctor_and_capacity_fit_their_terminal() {
    let scratch = Scratch::make();
    let (daemon, _key) = start(&scratch);
    for columns in [60, 80, 132] {
        for verb in [&["status"][..], &["doctor"], &["capacity"], &["capacity", "--clients", "5:tls"]] {
            let mut command = binaries::command("ekey-ctl");
            command.args(verb).arg("--socket").arg(&daemon.control).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
            let mut terminal = Terminal::start(command, columns, 50);
            await_until("the end", || terminal.child.try_wait().ok().flatten());
            let last = if verb[0] == "capacity" { "clients" } else { "sandbox" };
            terminal.await_shown(last);
            let screen = terminal.shown();
            for line in screen.lines().filter(|line| line.contains(' ')) {
                let is_one_word = !line.trim().contains(' ');
                let width = line.trim_end().chars().count();
                assert!(width <= usize::from(columns) || is_one_word, "{verb:?} at {columns}: {line:?}");
            }
        }
    }
}

#[test]
fn a_dumb_terminal_gets_no_colour() {
    let scratch = Scratch::make();
    let (daemon, _key) = start(&scratch);
    for (name, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        for verb in ["status", "top"] {
            if (name, verb) == ("NO_COLOR", "top") {
                continue;
            }
            let mut command = binaries::command("ekey-ctl");
            command.arg(verb).arg("--socket").arg(&daemon.control).env(name, value);
            let mut terminal = Terminal::start(command, 80, 24);
            await_until("the end", || terminal.child.try_wait().ok().flatten());
            terminal.await_shown("All is well");
            assert!(!terminal.shown().contains('\u{1b}'), "{name} {verb}: {:?}", terminal.shown());
        }
    }
}
