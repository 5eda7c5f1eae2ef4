//! The cases of `tests/cases` that need only our own programs: what people have, and what is right.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::peer::NOBODY;
use ekey_tests::ports::free_port;
use ekey_tests::serving::running;
use ekey_tests::software_key::Plug;
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, await_until, binaries, tree};
use nix::unistd::geteuid;

/// The unit: its user is not in the group `www-data`, and may not give files away.
const UNIT: &str = "[Service]\nUser=ekeyd\nAmbientCapabilities=CAP_SYS_ADMIN\nProtectSystem=strict\n";

#[test]
fn a_comment_inside_a_statement_is_skipped() {
    let scratch = Scratch::make();
    let port = free_port();
    let text = here("comment.conf", &scratch, &[("8888", &port.to_string())]);
    let mut daemon = start(&text, &scratch);
    daemon.await_while_running("EGD on 127.0.0.1", || TcpStream::connect(("127.0.0.1", port)).ok());
    daemon.await_while_running("the control socket", || UnixStream::connect(scratch.path("run/ekeyd.sock")).ok());
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "on 127.0.0.1 only");
}

#[test]
fn a_star_and_a_host_name_are_taken() {
    for (name, also) in [("star.conf", true), ("localhost.conf", false)] {
        let scratch = Scratch::make();
        let port = free_port();
        let mut text = here(name, &scratch, &[("8888", &port.to_string())]);
        text.push_str(&format!("UnixControlSocket {:?}\n", scratch.path("control")));
        let mut daemon = start(&text, &scratch);
        daemon.await_while_running("EGD on 127.0.0.1", || TcpStream::connect(("127.0.0.1", port)).ok());
        assert_eq!(TcpStream::connect(("127.0.0.2", port)).is_ok(), also, "{name} on another address");
    }
}

#[test]
fn all_control_sockets_answer() {
    let scratch = Scratch::make();
    let ports = [free_port(), free_port()];
    let numbers = ports.map(|port| port.to_string());
    let text = here("control-sockets.conf", &scratch, &[("1234", &numbers[0]), ("1235", &numbers[1])]);
    let mut daemon = start(&text, &scratch);
    for name in ["run/one.sock", "run/two.sock"] {
        daemon.await_while_running(name, || UnixStream::connect(scratch.path(name)).ok());
        let mut command = binaries::command("ekey-ctl");
        command.args(["list", "--socket"]).arg(scratch.path(name));
        let listed = Program::run("list", command, &scratch);
        assert!(!listed.words().contains("no daemon"), "{listed:?}");
    }
    for port in ports {
        daemon.await_while_running("the control port", || TcpStream::connect(("127.0.0.1", port)).ok());
    }
}

#[test]
fn a_mode_without_quotes_is_octal() {
    let scratch = Scratch::make();
    let mut text = here("mode.conf", &scratch, &[]);
    text.push_str(&format!("UnixControlSocket {:?}\n", scratch.path("control")));
    let mut daemon = start(&text, &scratch);
    daemon.await_while_running("the socket with its mode", || {
        let found = fs::metadata(scratch.path("run/egd.sock")).ok()?;
        (found.permissions().mode() & 0o777 == 0o660).then_some(())
    });
}

#[test]
fn a_low_port_without_the_right_says_what_to_do() {
    let Some(port) = low_port() else { return println!("here any user may take port 777, or this is not root") };
    let text = |scratch: &Scratch| here("low-port.conf", scratch, &[("777", &port.to_string())]);
    let scratch = Scratch::make();
    let refused = as_nobody(&text(&scratch), &scratch);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for word in [&format!(":{port}"), "below 1024", "CAP_NET_BIND_SERVICE", "systemctl edit ekeyd"] {
        assert!(refused.words().contains(word), "{word} is not in {refused:?}");
    }
    assert!(!refused.words().contains("name a place"), "{refused:?}");

    let mut given = Command::new("setpriv");
    given.args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups"]);
    given.args(["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]);
    given.arg(binaries::built("ekeyd")).args(["run", "--config"]).arg(open_to_nobody(&text(&scratch), &scratch));
    let mut daemon = Program::spawn("with-the-right", given, &scratch);
    daemon.await_while_running("EGD on the low port", || TcpStream::connect(("127.0.0.1", port)).ok());
}

#[test]
fn an_owner_that_cannot_be_set_says_what_to_do() {
    if !geteuid().is_root() {
        return println!("only root can become another user");
    }
    let scratch = Scratch::make();
    let text = here("owner.conf", &scratch, &[]);
    let refused = as_nobody(&text, &scratch);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for word in ["root:www-data", "allow-groups", "member of the group"] {
        assert!(refused.words().contains(word), "{word} is not in {refused:?}");
    }
    assert!(!refused.words().contains("name a place"), "{refused:?}");

    // As root, and without an owner as that user.
    let mut daemon = start(&text, &scratch);
    daemon.await_while_running("EGD", || EgdClient::connect(&scratch.path("run/ekeyd/egd.sock")).ok());
    daemon.kill();
    fs::remove_file(scratch.path("run/ekeyd/egd.sock")).expect("a killed daemon leaves its socket");
    fs::remove_file(scratch.path("run/ekeyd.sock")).expect("and this one");
    let ownerless = text.replace(", \"root\", \"www-data\"", "");
    let mut command = binaries::command("ekeyd");
    command.args(["run", "--config"]).arg(open_to_nobody(&ownerless, &scratch)).uid(NOBODY).gid(NOBODY);
    let mut daemon = Program::spawn("ownerless", command, &scratch);
    daemon.await_while_running("EGD", || EgdClient::connect(&scratch.path("run/ekeyd/egd.sock")).ok());
}

#[test]
fn check_warns_of_what_the_units_user_may_not_do() {
    if !geteuid().is_root() {
        return println!("only root can give the program another /etc");
    }
    let scratch = Scratch::make();
    let etc = etc_with_the_unit(&scratch);
    let check = |file: &str, etc: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\""]).arg(etc);
        command.arg(binaries::built("ekeyd")).arg("check").arg(tree::root().join("tests/cases").join(file));
        Program::run(file, command, &scratch)
    };
    for (file, words) in [
        ("owner.conf", &["ekeyd may not give the socket to root:www-data", "allow-groups"][..]),
        ("low-port.conf", &["127.0.0.1:777", "CAP_NET_BIND_SERVICE"]),
        ("mode.conf", &["/run/egd.sock", "ReadWritePaths="]),
        ("comment.conf", &[]),
    ] {
        let said = check(file, &etc);
        assert_eq!(said.code, Some(0), "{file}: {said:?}");
        let warnings: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), usize::from(!words.is_empty()), "{file}: {said:?}");
        assert!(words.iter().all(|word| warnings.concat().contains(word)), "{file}: {said:?}");
    }
    let drop_ins = etc.join("systemd/system/ekeyd.service.d");
    fs::create_dir(&drop_ins).expect("a scratch folder can be made");
    fs::write(drop_ins.join("port.conf"), "[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n")
        .expect("it can be written");
    assert!(!check("low-port.conf", &etc).stdout.contains("warning: "), "the right is given");
}

#[test]
fn the_client_works_under_each_of_its_names() {
    for name in ["egd-linux", "ekey-egd-linux", "ekeyd-egd-linux"] {
        let scratch = Scratch::make();
        let server = EgdServer::start(Manner::Serves);
        let (program, pid_file) = (scratch.path(name), scratch.path("pid"));
        // A copy, not a link, as people who rename it have.
        fs::copy(binaries::built("ekeyd"), &program).expect("a program can be copied");
        let mut command = Command::new("sh");
        // In its own shell: a file that this process has just written may be busy.
        command.args(["-c", "exec \"$@\"", "sh"]).arg(&program).args(["-H", "localhost", "-p"]);
        command.arg(server.port().to_string()).args(["-r", "10", "-b", "2", "-D"]).arg(&pid_file);
        command.arg("-C").arg(scratch.path("control"));
        let finished = Program::run(name, command, &scratch);
        assert_eq!(finished.code, Some(0), "{name}: {finished:?}");
        let pid = await_until("its pid file", || fs::read_to_string(&pid_file).ok()?.trim_end().parse().ok());
        await_until("its requests", || (!server.sent().is_empty()).then_some(()));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("it runs");
        await_until("its end", || (!pid_file.exists()).then_some(()));
    }
}

#[test]
fn a_key_under_two_names_counts_once() {
    for plug in [Plug::Unix, Plug::Pty] {
        let scratch = Scratch::make();
        let plan = KeyPlan::named("key").plug(plug).rate(126);
        let key = plan.plug_in(&scratch);
        let [link, folder] = ["link", "keys"].map(|name| scratch.path(name));
        symlink(&key.path, &link).expect("a link can be made");
        fs::create_dir(&folder).expect("a folder can be made");
        symlink(&link, folder.join("again")).expect("a link can be made");
        let keyring = scratch.write("keyring", &plan.keyring_line(), 0o600);
        let text = format!(
            "UnixControlSocket {:?}\nKeyring {keyring:?}\nAddEntropyKey {:?}\nAddEntropyKey {link:?}\nAddEntropyKeys {folder:?}\n",
            scratch.path("control"),
            key.path
        );
        let mut daemon = start(&text, &scratch);
        let listed = daemon.await_while_running("the key to run", || {
            let mut command = binaries::command("ekey-ctl");
            command.args(["status", "--json", "--socket"]).arg(scratch.path("control"));
            let said = Program::run("status", command, &scratch).stdout;
            said.contains("\"running\"").then_some(said)
        });
        let status: serde_json::Value = serde_json::from_str(&listed).expect("it is JSON");
        assert_eq!(status["keys"].as_array().map(Vec::len), Some(1), "{plug:?}: {listed}");
    }
}

#[test]
fn a_second_name_of_a_key_is_not_added() {
    let (scratch, key, daemon) = running(&KeyPlan::named("key").rate(126), |daemon: DaemonPlan| daemon);
    let link = scratch.path("link");
    symlink(&key.path, &link).expect("a link can be made");
    let added = daemon.ctl(&scratch, &["add", &link.display().to_string()]);
    assert_ne!(added.code, Some(0), "{added:?}");
    assert_eq!(daemon.status(&scratch).keys(), 1);
}

#[test]
fn the_guide_says_what_qemu_and_libvirt_need() {
    let text = fs::read_to_string(tree::root().join("docs/guests.md")).expect("the document is there");
    for words in ["reconnect=1", "<reconnect enabled='yes' timeout='1'/>", "'udp'"] {
        assert!(text.contains(words), "docs/guests.md lacks {words}");
    }
}

/// Returns a case's text with the scratch folder in place of the machine's folders, and these replacements.
fn here(name: &str, scratch: &Scratch, replaced: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(tree::root().join("tests/cases").join(name)).expect("the case is there");
    let text = replaced.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let root = scratch.folder().display().to_string();
    let _ = scratch.write("keyring", "# none\n", 0o600);
    fs::create_dir_all(scratch.path("run")).expect("a scratch folder can be made");
    text.replace("/var/run/", "/run/")
        .replace("\"/run/", &format!("\"{root}/run/"))
        .replace("/etc/entropykey/keyring", &format!("{root}/keyring"))
}

/// Starts the daemon in the foreground.
fn start(text: &str, scratch: &Scratch) -> Program {
    let mut command = binaries::command("ekeyd");
    command.args(["run", "--config"]).arg(scratch.write("ekeyd.conf", text, 0o644));
    command.env("STATE_DIRECTORY", scratch.path("state"));
    Program::spawn("ekeyd", command, scratch)
}

/// Runs the daemon as a user without rights, to its end.
fn as_nobody(text: &str, scratch: &Scratch) -> Finished {
    let mut command = binaries::command("ekeyd");
    command.args(["run", "--config"]).arg(open_to_nobody(text, scratch)).uid(NOBODY).gid(NOBODY);
    Program::run("as-nobody", command, scratch)
}

/// Writes a configuration for the user without rights, and opens the scratch folder to it.
fn open_to_nobody(text: &str, scratch: &Scratch) -> std::path::PathBuf {
    for folder in [scratch.folder().to_owned(), scratch.path("run"), scratch.path("run/ekeyd")] {
        fs::create_dir_all(&folder).expect("a scratch folder can be made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("its mode can be set");
    }
    scratch.write("nobody.conf", text, 0o644)
}

/// Returns a free port that only root may take. `None` if this process is not root, or any user may take it.
fn low_port() -> Option<u16> {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?;
    let is_low = geteuid().is_root() && first.trim() == "1024";
    (600..1024).rev().find(|port| is_low && TcpListener::bind(("127.0.0.1", *port)).is_ok())
}

/// Makes an /etc of a machine with systemd's unit and its user.
fn etc_with_the_unit(scratch: &Scratch) -> std::path::PathBuf {
    let etc = scratch.path("etc");
    fs::create_dir_all(etc.join("systemd/system")).expect("a scratch folder can be made");
    for (name, text) in [
        ("passwd", "root:x:0:0::/:/bin/sh\nekeyd:x:990:990::/:/bin/false\n"),
        ("group", "root:x:0:\nekeyd:x:990:\nwww-data:x:33:\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\n"),
        ("systemd/system/ekeyd.service", UNIT),
    ] {
        fs::write(etc.join(name), text).expect("a scratch file can be written");
    }
    etc
}
