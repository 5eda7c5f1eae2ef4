//! `ekeyd demo`, watched by the command that it prints, which is the README's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ekey_tests::document::{Block, blocks_of};
use ekey_tests::{Finished, Program, Scratch, await_until, binaries};

/// Where the daemon has its control socket unless configured otherwise.
const DEFAULT_SOCKET: &str = "/run/ekeyd/control.sock";
/// What cargo puts before a program's own arguments.
const CARGO: &str = "cargo run --release -p ekey-ctl -- ";

#[test]
fn the_tool_finds_the_demo_as_the_readme_says() {
    let scratch = Scratch::make();
    let mut demo = start(&scratch, &[]);
    let printed = printed(&scratch, &mut demo);
    let folder = scratch.path("run/ekeyd-demo");
    if Path::new(DEFAULT_SOCKET).exists() {
        assert!(printed.contains("--socket"), "with a daemon on this machine: {printed}");
        return;
    }
    let readme: Vec<String> = blocks_of("README.md").iter().flat_map(Block::steps).map(|step| step.command).collect();
    assert!(readme.contains(&printed), "the demo prints `{printed}`, which README.md does not show: {readme:#?}");

    let arguments: Vec<&str> = printed.strip_prefix(CARGO).expect("run by cargo").split(' ').collect();
    await_until("a running key", || (ctl(&scratch, &arguments).code == Some(0)).then_some(()));
    let found = ctl(&scratch, &arguments);
    assert!(found.stdout.contains("NOT RANDOM") && found.stdout.contains("1 key running"), "{found:?}");
    assert!(found.stderr.contains(&folder.join("control.sock").display().to_string()), "it does not say so: {found:?}");
    // What changes files of this machine does not follow it, and neither does a socket that the person names.
    assert_eq!(ctl(&scratch, &["keyring", "reload"]).code, Some(3));
    assert_eq!(ctl(&scratch, &["status", "--socket", "/run/ekeyd/another.sock"]).code, Some(3));

    // Others could have put a socket of theirs there.
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("the test's own folder");
    assert_eq!(ctl(&scratch, &arguments).code, Some(3), "a folder that all can write to");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("the test's own folder");
    // Only root can give a folder away.
    if std::os::unix::fs::chown(&folder, Some(65534), None).is_ok() {
        assert_eq!(ctl(&scratch, &arguments).code, Some(3), "another user's folder");
    }
    drop(demo);
}

#[test]
fn a_demo_elsewhere_prints_its_socket() {
    let scratch = Scratch::make();
    let folder = scratch.path("elsewhere");
    let mut demo = start(&scratch, &["--dir", &folder.display().to_string()]);
    let socket = folder.join("control.sock");
    assert_eq!(printed(&scratch, &mut demo), format!("{CARGO}status --socket {}", socket.display()));
    await_until("its socket", || socket.exists().then_some(()));
}

/// Starts a demonstration as `cargo run` would, with an own folder for this user's sockets.
fn start(scratch: &Scratch, arguments: &[&str]) -> Program {
    fs::create_dir(scratch.path("run")).expect("a folder in the scratch folder");
    let mut command = binaries::command("ekeyd");
    // The default port of the page may be another test's.
    command
        .args(["demo", "--http", "127.0.0.1:0"])
        .args(arguments)
        .env("CARGO", "cargo")
        .env("XDG_RUNTIME_DIR", scratch.path("run"));
    Program::spawn("demo", command, scratch)
}

/// Waits for the command that the demonstration prints, and returns it.
fn printed(scratch: &Scratch, demo: &mut Program) -> String {
    let stdout = scratch.path("demo.stdout");
    demo.await_while_running("the demo's command", || {
        let said = fs::read_to_string(&stdout).ok()?;
        said.lines().find_map(|line| Some(format!("cargo {}", line.strip_prefix("  cargo ")?)))
    })
}

fn ctl(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let mut command = binaries::command("ekey-ctl");
    command.args(arguments).env_remove("EKEYD_SOCKET").env("XDG_RUNTIME_DIR", scratch.path("run"));
    Program::run("ekey-ctl", command, scratch)
}
