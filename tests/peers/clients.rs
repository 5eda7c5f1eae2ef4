//! Programs that people use with an EGD server, unchanged, with our daemon: Perl's Crypt::Random::Seed, Postfix, PyPI's egd,
//! stunnel at both ends, monit and monitoring-plugins.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use ekey_tests::await_until::DEADLINE;
use ekey_tests::blocks::{Account, read};
use ekey_tests::clients::{self, Postfix, stunnel};
use ekey_tests::http::Observed;
use ekey_tests::ports::free_port;
use ekey_tests::serving::{ours, ours_with};
use ekey_tests::tls::{Certificates, TlsServer};
use ekey_tests::{Finished, KeyPlan, Program, Scratch, SoftwareKey, await_until, binaries, tree};
use nix::unistd::geteuid;

/// A case of `tests/cases`.
fn case(name: &str) -> std::path::PathBuf {
    tree::root().join("tests/cases").join(name)
}

#[test]
fn perl_seeds_itself_a_hundred_times() {
    if !geteuid().is_root() {
        return println!("only root can put the socket where the module looks");
    }
    let run = Scratch::make();
    let socket = run.path("egd-pool");
    let place = format!("unix:{}", socket.display());
    let (scratch, key, _daemon) = ours_with(&KeyPlan::named("key").rate(2000), |daemon| daemon.listen(&place));
    let script = scratch.write(
        "seed.pl",
        "use Crypt::Random::Seed;\n\
         my $source = Crypt::Random::Seed->new(Only => ['EGD']) or die 'it finds no EGD server';\n\
         print unpack('H*', $source->random_bytes(255)), \"\\n\" for 1 .. 100;\n",
        0o644,
    );
    let finished = Program::run("perl", clients::perl(&script, run.folder()), &scratch);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let seeds = hex_lines(&finished.stdout);
    assert_eq!((seeds.len(), seeds.iter().all(|seed| seed.len() == 255)), (100, true), "whole seeds");
    are_the_keys(&key, &seeds);
}

#[test]
fn no_first_read_is_short() {
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let mut command = Command::new("perl");
    command.arg(case("one-read.pl")).arg(&daemon.egd);
    let finished = Program::run("one-read", command, &scratch);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn the_client_of_pypi_gets_each_byte_once() {
    let place = format!("127.0.0.1:{}", free_port());
    let (scratch, key, daemon) =
        ours_with(&KeyPlan::named("key").rate(2000), |daemon| daemon.listen(&format!("tcp:{place}")));
    // A single byte has no place of its own in the key's log.
    let lines = "for path in sys.argv[1:]:
    for count in (64, 255, 1000):
        got = egd.get_random_bytes(count, path)
        assert len(got) == count, (path, count, len(got))
        print(got.encode('latin-1').hex())
    assert len(egd.get_random_bytes(1, path)) == 1
    assert len(egd.get_random_bytes(255, path, blocking=False)) <= 255
";
    let command = clients::python(lines, &[&daemon.egd.display().to_string(), &place]);
    let finished = Program::run("python", command, &scratch);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    are_the_keys(&key, &hex_lines(&finished.stdout));
}

#[test]
fn postfix_seeds_itself_from_egd() {
    if !geteuid().is_root() {
        return println!("only root can run Postfix");
    }
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let folder = Scratch::make();
    let mut postfix = Postfix::start(&folder, &daemon.egd);
    postfix.await_line("tls_prng_egd_read: got 255 bytes from EGD server");
    await_until("the bytes in the books", || {
        (daemon.status(&scratch).count("/egd/0/served_bytes") >= 255).then_some(())
    });
}

#[test]
fn egd_passes_through_stunnel_at_both_ends() {
    let port = free_port();
    let (scratch, key, _daemon) =
        ours_with(&KeyPlan::named("key").rate(2000), |daemon| daemon.listen(&format!("tcp:127.0.0.1:{port}")));
    let made = Certificates::make(&scratch, "tls");
    let server = format!("connect = 127.0.0.1:{port}\n{}", stunnel_files(&made, "server"));
    let (_server, tls_port) = stunnel("server", &scratch, &server);
    let client = format!("client = yes\nconnect = 127.0.0.1:{tls_port}\n{}", stunnel_files(&made, "client"));
    let (_client, near) = stunnel("client", &scratch, &format!("{client}checkHost = localhost\n"));
    are_the_keys(&key, &[take(near)]);
}

#[test]
fn stunnel_is_a_client_of_our_tls_listener() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |daemon| daemon);
    let files = stunnel_files(&server.certificates, "client");
    let lines = format!("client = yes\nconnect = 127.0.0.1:{}\n{files}checkHost = localhost\n", server.port);
    let (_client, near) = stunnel("client", &server.scratch, &lines);
    are_the_keys(&server.key, &[take(near)]);
}

#[test]
fn monit_finds_the_daemon_and_misses_a_dead_one() {
    let scratch = Scratch::make();
    let (port, pid_file) = (free_port(), scratch.path("ekeyd.pid"));
    let text = format!(
        "Daemonise(false)\nUnixControlSocket {:?}\nKeyring {:?}\nEGDTCPSocket({port})\n",
        scratch.path("control"),
        scratch.write("keyring", "# none\n", 0o600)
    );
    let mut command = binaries::command("ekeyd");
    command.arg("-f").arg(scratch.write("ekeyd.conf", &text, 0o644)).arg("-p").arg(&pid_file);
    let mut daemon = Program::spawn("ekeyd", command, &scratch);
    let pid: u32 =
        daemon.await_while_running("its pid file", || fs::read_to_string(&pid_file).ok()?.trim_end().parse().ok());

    let own = ["pidfile", "idfile", "statefile"].map(|name| format!("set {name} {}\n", scratch.path(name).display()));
    let case = fs::read_to_string(case("monitrc")).expect("the case is there");
    let case = case.replace("/var/run/ekeyd.pid", &pid_file.display().to_string()).replace("8888", &port.to_string());
    let monitrc = scratch.write("monitrc", &(own.concat() + &case), 0o600);
    let cycle = |name: &str| {
        let mut command = clients::command("usr/bin/monit");
        command.arg("-c").arg(&monitrc).args(["-v", "validate"]);
        Program::run(name, command, &scratch).words()
    };
    let words = cycle("monit");
    assert!(words.contains(&format!("'ekeyd' process is running with pid {pid}")), "{words}");
    assert!(words.contains(&format!("connection succeeded to [127.0.0.1]:{port}")), "{words}");
    daemon.kill();
    let words = cycle("monit-again");
    assert!(words.contains("'ekeyd' process is not running"), "{words}");
}

#[test]
fn monitoring_plugins_see_a_daemon_and_its_end() {
    let scratch = Scratch::make();
    let port = free_port();
    let mut observed = Observed::start(&scratch, &KeyPlan::named("key").rate(126), |daemon| {
        daemon.listen(&format!("tcp:127.0.0.1:{port}"))
    });
    observed.daemon.await_state(&scratch, "running");
    let (config, page) = (observed.daemon.config.display().to_string(), observed.address.port().to_string());
    let port = port.to_string();
    let checks: BTreeMap<&str, Vec<&str>> = [
        ("the process", vec!["check_procs", "-c", "1:1", "-C", "ekeyd", "-a", &config]),
        ("the port", vec!["check_tcp", "-H", "127.0.0.1", "-p", &port]),
        ("the page", vec!["check_http", "-H", "127.0.0.1", "-p", &page, "-u", "/", "-e", "200"]),
        ("the metrics", vec!["check_http", "-H", "127.0.0.1", "-p", &page, "-u", "/metrics", "-s", "ekeyd_key_state"]),
    ]
    .into();
    let run = |what: &str, check: &[&str]| -> Finished {
        let mut command = clients::command(&format!("usr/lib/nagios/plugins/{}", check[0]));
        command.args(&check[1..]);
        // A busy machine may take longer than their 10 s.
        command.args(["-t", &DEADLINE.as_secs().to_string()]);
        Program::run(&what.replace(' ', "-"), command, &scratch)
    };
    for (what, check) in &checks {
        let said = run(what, check);
        assert_eq!(said.code, Some(0), "{what}: {said:?}");
    }
    observed.daemon.program.kill();
    for (what, check) in &checks {
        let said = run(what, check);
        assert_eq!(said.code, Some(2), "critical, {what}: {said:?}");
    }
}

fn stunnel_files(made: &Certificates, end: &str) -> String {
    let path = |name: &str| made.path(name).display().to_string();
    format!(
        "cert = {}\nkey = {}\nCAfile = {}\nverifyChain = yes\n",
        path(&format!("{end}.pem")),
        path(&format!("{end}.key")),
        path("authority.pem")
    )
}

/// Takes 2,550 bytes in ten blocking requests.
fn take(port: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("stunnel takes a client");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    let mut bytes = vec![0; 2550];
    for answer in bytes.chunks_mut(255) {
        stream.write_all(&[0x02, 0xff]).expect("stunnel reads");
        stream.read_exact(answer).expect("the whole answer");
    }
    bytes
}

fn hex_lines(text: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// Checks that the key has sent these bytes, and that none is there twice.
fn are_the_keys(key: &SoftwareKey, answers: &[Vec<u8>]) {
    await_until("all bytes in the key's log", || {
        let mut account = Account::of(&[read(&key.plain_log)]);
        answers.iter().all(|answer| account.book(answer).is_ok()).then_some(())
    });
}
