//! `ekeyd check` reads the TLS files: it names each mistake with its file and remedy, and never shows any of a private
//! key.

use ekey_tests::tls::{Certificates, TlsServer};
use ekey_tests::{KeyPlan, Program, Scratch, binaries};

/// `EX_CONFIG` of sysexits(3).
const EXIT_CONFIG: i32 = 78;

#[test]
fn every_mistake_in_tls_files_has_a_remedy() {
    let scratch = Scratch::make();
    let certificates = Certificates::make(&scratch, "tls");
    certificates.client_for("expired", -1);
    certificates.shell(
        "cp client.key expired.key; cp server.pem pair.pem; cp client.key pair.key
         cp server.pem open.pem; cp server.key open.key; chmod 644 open.key
         cp server.pem locked.pem; openssl pkey -in server.key -aes256 -passout pass:x -out locked.key
         cp server.key swapped.pem; cp server.pem swapped.key; chmod 600 swapped.key
         mkdir folder.pem; cp server.key folder.key
         printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n' >damaged.pem; cp server.key damaged.key
         openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -keyout weak.key -out weak.pem 2>/dev/null",
    );
    for (name, file, words) in [
        ("missing", "missing.pem", "cannot read"),
        ("expired", "expired.pem", "the certificate expired on 20"),
        ("pair", "pair.pem", "does not match the private key"),
        ("open", "open.key", "has mode 0644, so other users can read it; chmod 600"),
        ("locked", "locked.key", "not encrypted"),
        ("swapped", "swapped.pem", "holds no certificate"),
        ("folder", "folder.pem", "not a regular file"),
        ("damaged", "damaged.pem", "holds a damaged certificate"),
        ("weak", "weak.key", "RSA of 2048 bits or more"),
    ] {
        for section in ["[egd]\nlisten = [\"tls:127.0.0.1:1\"]", "[egd-client]\nconnect = \"tls:localhost:1\""] {
            let (code, said) = check(&scratch, &format!("{section}\n{}", certificates.lines(name)));
            assert_eq!(code, Some(EXIT_CONFIG), "{name}: {said}");
            assert!(said.contains(&format!("tls/{file}: ")) && said.contains(words), "{name} is named as:\n{said}");
            assert_eq!(said.lines().count(), 1, "one line a mistake:\n{said}");
        }
    }
    let good = format!("[egd]\nlisten = [\"tls:127.0.0.1:1\"]\n{}", certificates.lines("server"));
    assert_eq!(check(&scratch, &good).0, Some(0));
    let unused = format!("[egd]\n{}", certificates.lines("missing"));
    assert_eq!(check(&scratch, &unused).0, Some(0), "files that nothing uses are not read");
}

#[test]
fn a_daemon_with_bad_tls_files_does_not_start() {
    let scratch = Scratch::make();
    let certificates = Certificates::make(&scratch, "tls");
    certificates.shell("cp client.key server.key");
    let mut daemon = ekey_tests::DaemonPlan::default()
        .listen("tls:127.0.0.1:1")
        .egd_lines(&certificates.lines("server"))
        .spawn(&scratch);
    let ended = daemon.program.wait();
    let words = daemon.program.stderr();
    assert!(!ended.success() && words.contains("belong together"), "{ended}: {words}");
}

#[test]
fn the_status_warns_of_expiring_certificates() {
    for (days, expected) in [(10, "ends on 20"), (-1, "the certificate expired on 20")] {
        let server = TlsServer::start(&KeyPlan::named("key").rate(1000), |plan| plan);
        let renewed = format!(
            "openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days {days} \
             -extfile server.ext -out server.pem"
        );
        server.certificates.shell(&renewed);
        // The daemon reads it at the start; SIGHUP would refuse an expired one and keep the good one.
        let TlsServer { daemon, key, certificates, port, scratch } = server;
        drop(daemon);
        let daemon = ekey_tests::DaemonPlan::default()
            .key(&KeyPlan::named("key"), &key)
            .egd()
            .listen(&format!("tls:127.0.0.1:{port}"))
            .egd_lines(&certificates.lines("server"))
            .start(&scratch);
        let screen = daemon.ctl(&scratch, &["status"]).stdout.replace('\n', " ");
        assert!(screen.contains(expected), "for {days} days the screen is:\n{screen}");
        let doctor = daemon.ctl(&scratch, &["doctor"]).stdout.replace('\n', " ");
        assert!(doctor.contains("certificate"), "for {days} days the doctor says:\n{doctor}");
    }
}

fn check(scratch: &Scratch, text: &str) -> (Option<i32>, String) {
    let config = scratch.write("checked.toml", text, 0o644);
    let mut command = binaries::command("ekeyd");
    command.arg("check").arg(config);
    let finished = Program::run("ekeyd-check", command, scratch);
    (finished.code, finished.stderr)
}
