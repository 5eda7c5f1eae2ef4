//! Runs the tool against a daemon that was taken over and names files and nodes of others. With `--config`, every user gets what
//! root gets without it.

#[path = "../../ekey-control/tests/sample/mod.rs"]
mod sample;
mod scripted;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ekey_control::original::list_lines;
use ekey_control::{KeyState, KeyStatus, Reply};
use ekey_proto::session::State;
use sample::{SERIAL, all_states, key, status};
use scripted::{Daemon, serve};
use tempfile::TempDir;

const KEY: &str = "+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
const MASTER_KEY: &str = "/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8mh";

/// A machine with a configuration of root, files of others, and a daemon that lies about both.
struct Scene {
    folder: TempDir,
    config: PathBuf,
    /// The configured keyring and the configured node.
    keyring: PathBuf,
    node: PathBuf,
}

impl Scene {
    fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["root", "victim", "attacker"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        fs::set_permissions(at("attacker"), fs::Permissions::from_mode(0o777)).expect("its own");
        let (config, keyring, node) = (at("root/ekeyd.toml"), at("root/keyring"), at("root/key"));
        let text = format!("keyring = {keyring:?}\n[keys]\npaths = [{node:?}]\n");
        let scene = Self { config, keyring, node, folder };
        scene.write("root/ekeyd.toml", &text, 0o644);
        scene.write("root/key", "", 0o600);
        scene.write("root/ltk", KEY, 0o600);
        scene.write("root/card", MASTER_KEY, 0o600);
        scene.write("victim/keyring", &format!("{SERIAL} {KEY}\n"), 0o600);
        symlink(scene.at("victim/keyring"), scene.at("attacker/link")).expect("a link");
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.at(name), text).expect("a file");
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).expect("its own");
    }

    /// Runs the tool with the configuration named.
    fn run(&self, daemon: &Daemon, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
        command.env_remove("EKEYD_SOCKET").env("HOME", self.at("root")).current_dir(self.at("root"));
        command.args(arguments).arg("--socket").arg(&daemon.socket).arg("--config").arg(&self.config);
        command.output().expect("to run ekey-ctl")
    }

    /// Returns every file with its owner, number and content.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let (path, found) = (entry.path(), entry.path().symlink_metadata().expect("a file"));
                let content = if found.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
                if found.is_dir() {
                    folders.push(path.clone());
                }
                let text = String::from_utf8_lossy(&content).into_owned();
                files.push(format!("{} {} {:o} {} {text}", path.display(), found.uid(), found.mode(), found.ino()));
            }
        }
        files.sort();
        files
    }
}

/// Runs a daemon that says that this is its keyring and this its key's node.
fn lying(keyring: &Path, node: &Path) -> Daemon {
    lying_in(State::Running, keyring, node)
}

fn lying_in(state: impl Into<KeyState>, keyring: &Path, node: &Path) -> Daemon {
    let path = node.display().to_string();
    let mut said = status(vec![KeyStatus { path, ..key(state) }]);
    said.keyring.path = keyring.display().to_string();
    serve(move |line| {
        let reply = match ekey_control::Command::parse(line) {
            Ok(Some(ekey_control::Command::Status)) => Reply::lines([said.to_json().expect("JSON")]),
            Ok(Some(ekey_control::Command::ListEntropyKeys)) => Reply::lines(list_lines(&said.keys)),
            _ => Reply::ok(),
        };
        Some(reply.to_string())
    })
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const VERBS: [(&[&str], i32); 4] = [
    (&["keyring", "add", SERIAL, "--file", "ltk"], 4),
    (&["keyring", "remove", SERIAL], 4),
    (&["keyring", "list"], 4),
    (&["rekey", "--master-file", "card"], 1),
];

#[test]
fn root_writes_no_keyring_that_the_daemon_names() {
    let scene = Scene::make();
    let before = scene.files();
    for name in ["victim/new", "victim/keyring", "attacker/link", "attacker/keyring", "root/ltk"] {
        let theirs = scene.at(name);
        let daemon = lying(&theirs, &scene.node);
        for (verb, code) in VERBS {
            let output = scene.run(&daemon, verb);
            let said = err(&output);
            assert_eq!(output.status.code(), Some(code), "{verb:?} of {name}: {said}");
            for path in [&theirs, &scene.keyring, &scene.config] {
                assert!(said.contains(path.to_str().expect("UTF-8")), "{said}");
            }
            assert!(said.contains("--keyring"), "{said}");
            assert_eq!(scene.files(), before, "{verb:?} of {name}");
        }
    }
}

#[test]
fn a_keyring_that_root_names_is_the_only_one_written() {
    let scene = Scene::make();
    let daemon = lying(&scene.at("victim/keyring"), &scene.node);
    let before = scene.files();
    let named = scene.at("root/named").display().to_string();
    let output = scene.run(&daemon, &["keyring", "add", SERIAL, "--file", "ltk", "--keyring", &named]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(fs::read_to_string(&named).expect("it was made").contains(KEY));
    fs::remove_file(&named).expect("its own");
    assert_eq!(scene.files(), before);
}

#[test]
fn root_opens_no_node_that_the_daemon_names() {
    let scene = Scene::make();
    let victim = scene.at("victim/socket");
    let listener = UnixListener::bind(&victim).expect("a socket");
    listener.set_nonblocking(true).expect("a socket");
    let before = scene.files();
    let states = all_states().into_iter().map(|state| (state, victim.clone()));
    let others = ["victim/keyring", "attacker/nowhere"].map(|name| (State::Running.into(), scene.at(name)));
    for (state, theirs) in states.chain(others) {
        let daemon = lying_in(state, &scene.keyring, &theirs);
        let output = scene.run(&daemon, &["rekey", "--master-file", "card"]);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for path in [&theirs, &scene.node] {
            assert!(said.contains(path.to_str().expect("UTF-8")), "{said}");
        }
        assert!(said.contains("--device") && said.contains("nothing was changed"), "{said}");
        assert!(listener.accept().is_err(), "it opened the node");
        assert_eq!(scene.files(), before);
    }
}

#[test]
fn root_needs_no_flag_to_distrust_the_daemon() {
    if !nix::unistd::geteuid().is_root() {
        // Other users follow the daemon: they can give away only what is theirs.
        return;
    }
    let scene = Scene::make();
    let before = scene.files();
    let daemon = lying(&scene.at("victim/new"), &scene.at("victim/keyring"));
    for (verb, code) in VERBS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ekey-ctl"));
        command.current_dir(scene.at("root")).args(verb).arg("--socket").arg(&daemon.socket);
        let output = command.output().expect("to run ekey-ctl");
        assert_eq!(output.status.code(), Some(code), "{verb:?}: {}", err(&output));
        assert!(err(&output).contains("victim"), "{verb:?}: {}", err(&output));
        assert_eq!(scene.files(), before, "{verb:?}");
    }
}

#[test]
fn a_configuration_that_others_can_change_is_refused() {
    let scene = Scene::make();
    let daemon = lying(&scene.keyring, &scene.node);
    fs::set_permissions(&scene.config, fs::Permissions::from_mode(0o666)).expect("its own");
    let output = scene.run(&daemon, &["keyring", "list"]);
    if nix::unistd::geteuid().is_root() {
        assert!(err(&output).contains("chmod go-w"), "{}", err(&output));
    }
    assert_eq!(output.status.code(), Some(4), "no keyring either: {}", err(&output));
}
