//! `ekeyd check` accepts every configuration that `ekey-ctl config convert` writes.

use ekey_tests::{Finished, Program, Scratch, binaries};

const EVERYTHING: &str = "TCPControlSocket \"1234\"\nUnixControlSocket \"/var/run/ekeyd.sock\"\n\
    Keyring \"/etc/entropykey/keyring\"\nDaemonise(true)\nSetOutputToKernel(7)\nSetOutputToFile \"/tmp/entropy\"\n\
    EGDTCPSocket(8888)\nEGDTCPSocket(8888, \"127.0.0.1\")\nEGDTCPSocket(\"8889\", \"::1\")\nEGDUnixSocket \"/etc/entropy\"\n\
    EGDUnixSocket(\"/etc/entropy2\", \"0660\", \"root\", \"daemon\")\nAddEntropyKeys \"/dev/entropykey\"\n\
    AddEntropyKeys(\"/my \\\"own\\\" keys\\n\")\nAddEntropyKey \"/dev/cuaU0\"\nAddEntropyKey(\"/dev/a\\\\b\", \"A/BvBlg3OTBJ+RFD\")\n";

#[test]
fn every_converted_statement_passes_the_check() {
    for text in [EVERYTHING, "-- nothing\n", "AddEntropyKeys \"/dev/entropykey\"\nSetOutputToKernel(8)\n"] {
        let scratch = Scratch::make();
        let original = scratch.write("ekeyd.conf", text, 0o644);
        let converted = convert(&scratch, &original.display().to_string());
        assert_eq!(converted.code, Some(0), "{converted:?}");
        let path = scratch.write("ekeyd.toml", &converted.stdout, 0o644);
        let mut command = binaries::command("ekeyd");
        command.arg("check").arg(path);
        let checked = Program::run("ekeyd-check", command, &scratch);
        assert_eq!(checked.code, Some(0), "{checked:?} of:\n{}", converted.stdout);
    }
}

#[test]
fn a_mistake_is_located_and_nothing_is_written() {
    let scratch = Scratch::make();
    let original = scratch.write("ekeyd.conf", "Keyring \"/k\"\n  SetOutputToMoon(7)\n", 0o644);
    let converted = convert(&scratch, &original.display().to_string());
    assert_eq!((converted.code, converted.stdout.as_str()), (Some(4), ""), "{converted:?}");
    let place = format!("{}:2:3:", original.display());
    assert!(converted.stderr.contains(&place), "{place} is not in {converted:?}");
}

fn convert(scratch: &Scratch, file: &str) -> Finished {
    let mut command = binaries::command("ekey-ctl");
    command.args(["config", "convert", file]);
    Program::run("ekey-ctl", command, scratch)
}
