//! The sandbox's list against what a daemon that does everything really calls, as strace records it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use ekey_tests::control::ControlClient;
use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::ports::free_port;
use ekey_tests::software_key::{LONG_TERM_KEY, Plug, SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL};
use ekey_tests::tls::{Certificates, TlsClient};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Program, Scratch, await_until, binaries, blocks, http, original};
use nix::sys::signal::Signal;

/// What the list is for, and this test cannot cause: another C library, rare events, and a real key on USB, which the
/// tests in a guest have.
const NOT_HERE: [&str; 3] = ["only on other machines", "only sometimes", "a key on USB"];
/// What the C library tries first, and does without.
const REFUSED_IN_SILENCE: [&str; 2] = ["clone3", "NETLINK_ROUTE"];

#[test]
fn the_sandbox_allows_what_is_used_and_no_more() {
    let scratch = Scratch::make();
    let record = scratch.path("record");
    let config = does_everything(&scratch, &recorder(&scratch, &record));
    let record = await_until("the whole record", || {
        let record = fs::read_to_string(&record).ok()?;
        record.contains("+++ exited with 0 +++").then_some(record)
    });
    let calls = confined(&record);

    let mut command = binaries::command("ekeyd");
    command.args(["check", "--sandbox"]).arg(config);
    let listed = Program::run("check", command, &scratch).stdout;
    let (_, listed) = listed.split_once("# system calls of all other threads").expect("the list of calls");
    let listed = listed.lines().skip(1).filter(|line| !NOT_HERE.iter().any(|elsewhere| line.contains(elsewhere)));
    let unused: Vec<&str> = listed.filter(|line| !is_used(line, &calls)).collect();
    assert!(unused.is_empty(), "allowed, and this daemon did not use it:\n{}", unused.join("\n"));

    let refused = |call: &&&str| call.contains("ENOSYS") && !REFUSED_IN_SILENCE.iter().any(|word| call.contains(word));
    let refused: Vec<_> = calls.iter().filter(refused).collect();
    assert!(refused.is_empty(), "used, and the sandbox refuses it: {refused:#?}");
}

/// Returns the calls after the filters were installed, without the process's number.
fn confined(record: &str) -> Vec<&str> {
    let calls: Vec<&str> = record.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start())).collect();
    let filtered = calls.iter().rposition(|call| call.starts_with("seccomp(")).expect("a filter was installed");
    calls[filtered + 1..].to_vec()
}

/// Returns whether one of the calls has the name and the arguments of this line of the list.
fn is_used(line: &str, calls: &[&str]) -> bool {
    let (name, rest) = line.split_once(' ').expect("a name and arguments");
    let arguments = rest.trim_start().split("  ").next().unwrap_or_default();
    let named = calls.iter().filter(|call| call.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')));
    let mut named = named.filter(|call| !call.contains("ENOSYS"));
    if arguments == "any" || arguments.contains("without ") {
        return named.next().is_some();
    }
    named.any(|call| {
        // strace distinguishes two numbers of some options.
        let words = call.split(|c: char| !c.is_alphanumeric() && c != '_').map(|word| word.trim_end_matches("_OLD"));
        let words: Vec<&str> = words.collect();
        arguments.split(' ').all(|word| words.contains(&word))
    })
}

/// Writes a program that runs the daemon under strace, as a child of its own so that signals reach the daemon.
fn recorder(scratch: &Scratch, record: &std::path::Path) -> PathBuf {
    let strace = original::file("usr/bin/strace");
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH={} exec {} -D -f -s 0 -E LD_LIBRARY_PATH -E NOTIFY_SOCKET={} -E WATCHDOG_USEC=200000 -o {} {} \"$@\"\n",
        original::library_folder().display(),
        strace.display(),
        scratch.path("notify").display(),
        record.display(),
        binaries::built("ekeyd").display()
    );
    let program = scratch.write("recorder", &text, 0o755);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    program
}

/// Runs a daemon with every kind of key, source, output and client, reloads it, and stops it. Returns its configuration.
fn does_everything(scratch: &Scratch, program: &std::path::Path) -> PathBuf {
    let manager = UnixDatagram::bind(scratch.path("notify")).expect("a socket");
    // Messages that stay unread would stop the daemon.
    std::thread::spawn(move || while manager.recv(&mut [0; 256]).is_ok() {});
    let certificates = Certificates::make(scratch, "tls");
    let server = EgdServer::start(Manner::Serves);
    let [tcp, tls, page] = [(); 3].map(|()| free_port());
    let socket = KeyPlan::named("socket").identity(SERIAL, LONG_TERM_KEY);
    let pty = KeyPlan::named("pty").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).plug(Plug::Pty);
    let keys = [&socket, &pty].map(|plan| plan.plug_in(scratch));
    let output = scratch.path("entropy");
    let expand = scratch.path("expand.sock");
    // The resolver asks a name server for the first name.
    let servers =
        ["tcp:nowhere.invalid:8888".to_owned(), "tcp:[::1]:1".to_owned(), format!("tcp:localhost:{}", server.port())];
    let daemon = DaemonPlan::default()
        .program(program)
        .key(&socket, &keys[0])
        .key(&pty, &keys[1])
        .egd()
        .listen(&format!("tcp:127.0.0.1:{tcp}"))
        .listen(&format!("tls:127.0.0.1:{tls}"))
        .egd_lines(&format!("{}clients-per-peer = 20\n", certificates.lines("server")))
        .file(&output, None)
        .uncredited_kernel("enabled = true\ninterval-s = 1")
        .fetch_from(&servers, "")
        .extra(&format!("[http]\nlisten = \"127.0.0.1:{page}\"\n[expand]\nlisten = [\"unix:{}\"]\n", expand.display()));
    let mut daemon = daemon.start(scratch);
    daemon.await_blocks(&output, 64);
    await_until("the server's bytes", || (server.sent().len() > 255).then_some(()));
    serves(&daemon, &expand, [tcp, tls, page], &certificates);
    await_until("bytes in the kernel", || (daemon.status(scratch).count("/kernel/mixed_bytes") > 0).then_some(()));
    let mut control = ControlClient::connect(&daemon.control).expect("it greets");
    let path = keys[1].path.display().to_string();
    for statement in [format!("RemoveEntropyKey(\"{path}\")"), format!("AddEntropyKey(\"{path}\")")] {
        let reply = control.say(&statement).expect("an answer");
        assert!(reply.ok(), "{reply:?}");
    }
    let before = blocks::blocks_in(&output);
    daemon.program.signal(Signal::SIGHUP);
    daemon.await_blocks(&output, before + 64);
    daemon.program.signal(Signal::SIGTERM);
    assert_eq!(daemon.program.wait().code(), Some(0), "{}", daemon.program.stderr());
    daemon.config.clone()
}

/// Has each listener of the daemon serve a client.
fn serves(daemon: &Daemon, expand: &std::path::Path, [tcp, tls, page]: [u16; 3], certificates: &Certificates) {
    for socket in [&*daemon.egd, expand] {
        let mut client = EgdClient::connect(socket).expect("it listens");
        assert_eq!(client.take(64).expect("bytes").len(), 64);
    }
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", tcp)).expect("it listens");
    stream.write_all(&[2, 64]).and_then(|()| stream.read_exact(&mut [0; 64])).expect("bytes by TCP");
    let files = ["client.pem", "client.key"].map(|name| certificates.path(name));
    let client = TlsClient::connect(tls, &certificates.path("authority.pem"), &files, &[]);
    assert_eq!(client.take(64).expect("bytes by TLS").len(), 64);
    let address = ([127, 0, 0, 1], page).into();
    for path in ["/", "/metrics", "/status.json", "/history.json"] {
        assert_eq!(http::get(address, path, "").code, 200, "{path}");
    }
}
