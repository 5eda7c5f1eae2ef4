//! The attacks on an installed daemon in a guest: what a local user, a network client, a user who may plant files, and
//! a lying key try, and what each achieves. Writes the table to `target/attacks.md`; for the Debian package, which
//! `packaging/test` builds, to `target/attacks-package.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ekey_tests::guest::package::installed_package;
use ekey_tests::guest::{Booted, Guest, installed, plug_in_software_key};
use ekey_tests::software_key::SECOND_SERIAL;
use ekey_tests::tree;

const CONFIG: &str = "control-tcp = 9177\n[keys]\npaths = [\"/run/sim/key\"]\n\
                      [egd]\nlisten = [\"unix:/run/ekeyd/egd.sock\", \"tcp:127.0.0.1:8888\"]\n\
                      [http]\nlisten = \"127.0.0.1:9178\"\n";
const CONTROL: &str = "/run/ekeyd/control.sock";
const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";
/// A member of the group that may use keys and sockets.
const MEMBER: &str = "setpriv --reuid=member --regid=member --init-groups";
const READING: [&str; 4] = ["ListEntropyKeys", "StatEntropyKey(1)", "Status", "History"];
/// What a hostile key can flood with, as `ekey-sim --flood` names it.
const FLOODS: [&str; 4] = ["all", "badness", "generators-bad", "all:200"];
const CHANGING: [&str; 6] = [
    "AddEntropyKey(\"/dev/null\")",
    "AddEntropyKeys(\"/dev\")",
    "RemoveEntropyKey(1)",
    "ResetEntropyKey(1, \"usb\")",
    "Keyring(\"/etc/passwd\")",
    "Shutdown",
];

/// A guest under attack, and the rows of the table so far.
struct Siege {
    guest: Booted,
    rows: String,
    broken: Vec<String>,
}

#[test]
fn every_attack_on_the_unit_fails() {
    let mut guest = installed(equipped(), CONFIG);
    guest.check("systemctl start --no-block ekeyd");
    besiege(guest, "attacks.md");
}

#[test]
#[ignore = "needs a package: run packaging/test"]
fn every_attack_on_the_package_fails() {
    // The package starts the service for the key that its configuration names.
    besiege(installed_package(equipped(), CONFIG), "attacks-package.md");
}

/// Adds the attacker's program, a member of the daemon's group, and a file that only root may touch.
fn equipped() -> Guest {
    let member = "u member -\nm member ekeyd\n";
    Guest::systemd()
        .file("/usr/bin/attacker", Path::new(env!("CARGO_BIN_EXE_attacker")))
        .text("/usr/lib/sysusers.d/zz-member.conf", member, 0o644)
        .text("/root/victim", "root's own\n", 0o600)
}

/// Runs every attack and writes the table to the file `table` in the target folder.
fn besiege(mut guest: Booted, table: &str) {
    plug_in_software_key(&mut guest, "");
    guest.await_sh("[ \"$(systemctl is-active ekeyd)\" = active ]");
    guest.await_sh("ekey-ctl status --json >/root/status && grep '\"name\":\"running\"' /root/status");
    let mut siege = Siege { guest, rows: String::new(), broken: Vec::new() };
    let parts: [fn(&mut Siege); 8] = [
        Siege::users,
        Siege::members,
        Siege::listeners,
        Siege::network,
        Siege::keys,
        Siege::files,
        Siege::hostile_services,
        Siege::started_by_root,
    ];
    for part in parts {
        part(&mut siege);
    }
    siege.end(table);
}

impl Siege {
    /// Attacks as local users, inside and outside the group.
    fn users(&mut self) {
        let statements =
            READING.iter().chain(&CHANGING).map(|words| format!("'{words}'")).collect::<Vec<_>>().join(" ");
        let places = [CONTROL, "/run/ekeyd.sock"].map(|socket| ("another user sends each statement", socket));
        for (attack, socket) in places {
            self.is_refused(&format!("{attack} at {socket}"), &format!("{NOBODY} attacker say {socket} {statements}"));
        }
        self.is_refused("another user asks for entropy", &format!("{NOBODY} attacker ask unix:/run/ekeyd/egd.sock"));
        let before = self.daemon();
        let said = self.sh(&format!("{MEMBER} attacker say {CONTROL} {statements}"));
        for (words, may) in READING.iter().map(|words| (words, true)).chain(CHANGING.iter().map(|words| (words, false)))
        {
            let answer = said.lines().find_map(|line| line.strip_prefix(&format!("{words}\t"))).unwrap_or("no answer");
            let held =
                if may { answer.starts_with("OK") } else { answer.contains("only root and the daemon's own user") };
            self.row(&format!("a group member sends `{words}`"), answer, held);
        }
        let after = self.daemon();
        self.row("… and after all of that", &format!("{before}, then {after}"), before == after);
        for (attack, command) in [
            ("another user removes the control socket", format!("rm {CONTROL}")),
            ("another user replaces it by a file", format!("touch /tmp/x; mv -f /tmp/x {CONTROL}")),
            ("another user makes a folder of ours in /run first", "mkdir /run/ekeyd-next".to_owned()),
            ("another user reads the keyring", "cat /etc/entropykey/keyring".to_owned()),
            ("another user plants a file next to the keyring", "touch /etc/entropykey/.keyring.1-0.new".to_owned()),
            ("another user ends the daemon", "kill -TERM $PID".to_owned()),
            ("another user reads the daemon's memory", "head -c1 /proc/$PID/mem".to_owned()),
        ] {
            self.is_refused(attack, &format!("{NOBODY} sh -c \"{command}\""));
        }
        let ekeyd = "setpriv --reuid=ekeyd --regid=ekeyd --clear-groups sh -c";
        for file in ["environ", "maps", "mem"] {
            let attack = format!("another program of the user ekeyd reads the daemon's {file}");
            self.is_refused(&attack, &format!("{ekeyd} \"head -c1 /proc/$PID/{file}\""));
        }
    }

    /// Attacks as a member of the group, who may connect: by holding every place, and by filling the log.
    fn members(&mut self) {
        for (place, address) in
            [("control socket", "unix:/run/ekeyd/control.sock"), ("control port", "tcp:127.0.0.1:9177")]
        {
            self.sh(&format!(
                "rm -f /tmp/held; ({MEMBER} attacker hold {address} 300 >/tmp/held 2>&1 & echo $! >/tmp/holder)"
            ));
            self.guest.await_sh("grep -E 'held|failed' /tmp/held");
            let said = self.sh("timeout 300 ekey-ctl list >/dev/null && echo root is served; kill $(cat /tmp/holder)");
            self.row(
                &format!("a group member holds 300 connections to the {place}"),
                said.trim(),
                said.contains("is served"),
            );
        }
        let before = self.log_lines();
        let noise = "for n in $(seq 300); do attacker say /run/ekeyd/control.sock 'Shutdown' 'Nonsense(' 'RemoveEntropyKey(9)'; done";
        self.sh(&format!("{MEMBER} sh -c \"{noise}\" >/dev/null; attacker hold unix:/run/ekeyd/control.sock 400 >/dev/null & sleep 5; kill $!"));
        let written = self.log_lines().saturating_sub(before);
        self.row("a group member sends 900 statements to fill the log", &format!("{written} lines"), written <= 10);
    }

    /// Attacks from the network, and by a program in the place of the unit's daemon.
    fn network(&mut self) {
        for (host, expected) in
            [("127.0.0.1:9178", " 200 "), ("attacker.example", " 421 "), ("127.0.0.1.attacker.example:9178", " 421 ")]
        {
            let said = self.sh(&format!("attacker get tcp:127.0.0.1:9178 {host}"));
            self.row(&format!("a browser asks for the page as {host}"), said.trim(), said.contains(expected));
        }
        // A service that the unit's own settings confine, and that is the attacker. Another machine's address is one of this
        // machine's here, so that a datagram would arrive.
        let folder = "/run/systemd/system/taken.service";
        self.sh(&format!(
            "mkdir -p {folder}.d /run/systemd/network; \
             printf '[Match]\\nName=lo\\n[Network]\\nAddress=192.0.2.1/32\\n' >/run/systemd/network/lo.network; \
             systemctl restart systemd-networkd; \
             grep -vE '^(Exec|Type|Watchdog|Restart|RuntimeDirectory|StateDirectory|Notify)' \
             $(systemctl show -P FragmentPath ekeyd) >{folder}"
        ));
        let mut send = |unit: &str, address: &str| {
            self.sh(&format!(
                "printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/attacker send {address}\\n' >{folder}.d/run.conf; \
                 printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/attacker send {address}\\n' \
                 >/run/systemd/system/free.service; systemctl daemon-reload; systemctl start {unit} 2>/dev/null; \
                 journalctl --sync; journalctl -u {unit} -o cat | grep -E '^(sent|failed)' | tail -n 1"
            ))
        };
        let free = send("free", "192.0.2.1:53");
        let taken = send("taken", "192.0.2.1:53");
        let result = format!("without the unit's settings: {}; with them: {}", free.trim(), taken.trim());
        let held = free.contains("sent") && taken.contains("not permitted");
        self.row("a program in the daemon's place sends a datagram to another machine", &result, held);
    }

    /// Attacks every listener with too much, too slowly and too often.
    fn listeners(&mut self) {
        let (unix, tcp, http) = ("unix:/run/ekeyd/egd.sock", "tcp:127.0.0.1:8888", "tcp:127.0.0.1:9178");
        for (what, address, words) in [
            ("a line of 1 MB at the control socket", "unix:/run/ekeyd/control.sock", "A"),
            ("a header of 1 MB by HTTP", http, "GET / HTTP/1.1\\r\\nX: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("1 MB of offers at the EGD socket", unix, "\u{3}AA"),
            ("1 MB of requests by EGD over TCP, no answer read", tcp, "\u{2}z"),
        ] {
            let said = self.sh(&format!("attacker flood {address} 1048576 '{words}'"));
            self.serves_on(what, said.trim());
        }
        for (what, address, count, held_most) in [
            ("200 connections that send one byte, at the control socket", "unix:/run/ekeyd/control.sock", 200, 200),
            ("200 connections that send one byte, by HTTP", http, 200, 200),
            ("500 connections that send one byte, by EGD over TCP", tcp, 500, 500),
        ] {
            self.sh(&format!(
                "rm -f /tmp/held; (attacker hold {address} {count} >/tmp/held 2>&1 & echo $! >/tmp/holder)"
            ));
            let said = self.guest.await_sh("grep -E 'held|failed' /tmp/held");
            let others = self.others_are_served(address);
            self.sh("kill $(cat /tmp/holder)");
            let back = self.guest.await_sh("ekey-ctl list >/dev/null && echo all are served afterwards");
            let result = format!("{}; {others}; {}", said.trim(), back.trim());
            let count: u32 = said.trim().rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(u32::MAX);
            self.row(what, &result, count <= held_most && !others.contains("NOT"));
        }
    }

    /// Attacks as a key that lies.
    fn keys(&mut self) {
        let run = "systemd-run --quiet --unit sim -p RuntimeDirectory=sim -p UMask=0 \
                   ekey-sim --unix /run/sim/key --serial NwBvBlg3OTBJORFD --ltk-file /root/ltk";
        for (what, arguments) in [
            ("a key whose serial changes on every second reset", "--rate 126 --fault wrong-serial:2"),
            ("a key that claims 2^32 of everything, and a nonce of 4095 bytes", "--rate 126 --fault boast:2"),
            ("a key that floods with frames that verify", "--rate 0"),
        ] {
            self.sh(&format!("systemctl stop sim; systemctl reset-failed sim; {run} {arguments}"));
            self.guest.await_sh("ekey-ctl status --json | grep '\"name\":\"running\"'");
            let reset = "ekey-ctl reset 1 --level soft; sleep 0.5";
            let state = "ekey-ctl status --json | grep -o '\"state\":{\"name\":\"[a-z-]*' | cut -d '\"' -f 6";
            let state = self.sh(&format!("{reset}; {reset}; {state}"));
            self.serves_on(what, &format!("state {}", state.trim()));
        }
        for kind in FLOODS {
            self.sh(&format!("systemctl stop sim; systemctl reset-failed sim; {run} --flood {kind}"));
            self.guest.await_sh("ekey-ctl status --json | grep -E '\"bytes_read\":[1-9][0-9]{4}'");
            let before = self.log_lines();
            self.sh("sleep 10");
            let lines = self.log_lines().saturating_sub(before);
            let what = format!("a key floods with frames that verify: {kind}");
            self.row(&what, &format!("{lines} lines in the log"), lines <= 10);
            self.serves_on("… and stops the daemon", "counted");
        }
        self.sh("systemctl stop sim; mkdir -p /run/sim; (umask 0; attacker babble /run/sim/key >/tmp/babble 2>&1 & echo $! >/tmp/babbler)");
        self.guest.await_sh("ekey-ctl status --json | grep -E '\"mac_failures\":[1-9]'");
        self.serves_on("a key that floods with frames that do not verify", "counted, dropped");
        self.sh("kill $(cat /tmp/babbler); systemctl stop ekeyd");
    }

    /// Plants links and pipes where the daemon writes; root starts this daemon without systemd.
    fn files(&mut self) {
        for (what, plant) in [
            ("a symbolic link to root's file", "ln -s /root/victim"),
            ("a hard link to root's file", "ln /root/victim"),
            ("a pipe", "mkfifo -m 666"),
        ] {
            for (place, lines) in [
                ("the control socket", "control = \"/trap/place\"\n[egd]\nlisten = []\n"),
                ("the EGD socket", "control = \"/trap/c\"\n[egd]\nlisten = [\"unix:/trap/place\"]\n"),
            ] {
                self.trap(plant, lines);
                let said = self.sh("timeout 300 ekeyd run --config /trap/ekeyd.toml 2>&1; echo exit $?");
                let held = said.contains("exit 1") && self.victim_is_whole();
                self.row(&format!("{what} in place of {place}"), last_words(&said), held);
            }
            self.trap(plant, "control = \"/trap/c\"\n[egd]\nlisten = []\n[file]\npath = \"/trap/place\"\n");
            let said = self.while_it_runs("ekey-ctl status --socket /trap/c --json | grep -o '\"file\":{[^}]*}'");
            let held = said.contains("\"written_bytes\":0") && self.victim_is_whole();
            self.row(&format!("{what} in place of the file output"), stopped(&said), held);
        }
        for (what, plant) in [("a symbolic link", "ln -s"), ("a hard link", "ln")] {
            self.trap("true", "keyring = \"/trap/keyring\"\ncontrol = \"/trap/c\"\n[egd]\nlisten = []\n");
            self.sh(&format!("{plant} /root/victim /trap/keyring"));
            let said = self.while_it_runs("ekey-ctl status --socket /trap/c --json | grep -o '\"keyring\":{[^}]*}'");
            let held = said.contains("\"keys\":0") && self.victim_is_whole();
            self.row(&format!("{what} to root's file in place of the keyring"), "not given away, not read", held);
        }
        self.trap("true", "");
        let plant = "for n in $(seq $$ $(($$ + 200))); do ln -s /root/victim /trap/.keyring.$n-0.new; done";
        let add =
            format!("ekey-ctl keyring add {SECOND_SERIAL} --file /root/ltk --keyring /trap/keyring --socket /trap/c");
        let said = self.sh(&format!("{plant}; {add}; stat -c '%F' /trap/keyring"));
        let held = said.contains("regular file") && self.victim_is_whole();
        self.row("symbolic links where a new keyring is written", "the next free name is taken", held);
        self.sh("cp /usr/sbin/ekeyd /usr/sbin/ekeyd-egd-linux");
        for (what, plant) in
            [("a symbolic link", "ln -s /root/victim"), ("a hard link", "ln /root/victim"), ("a pipe", "mkfifo")]
        {
            self.trap(plant, "");
            let said = self.sh("timeout 300 ekeyd-egd-linux -r 5 -p 9 -C /trap/c -D /trap/place 2>&1; echo exit $?");
            let held = said.contains("exit 1") && self.victim_is_whole();
            self.row(&format!("{what} in place of the pid file"), last_words(&said), held);
        }
    }

    /// Services that the daemon or root's tool talks to, and that lie.
    fn hostile_services(&mut self) {
        self.trap("true", "");
        let config = "control = \"/trap/c\"\n[kernel]\nenabled = false\n[egd]\nlisten = [\"unix:/trap/e\"]\n\
                      [egd-client]\nconnect = [\"unix:/trap/z\"]\n";
        self.trap("true", config);
        self.sh("(umask 0; attacker zeros /trap/z >/dev/null 2>&1 & echo $! >/tmp/zeros)");
        let said = self.while_it_runs(
            "for n in $(seq 100); do ekey-ctl status --socket /trap/c --json | grep -q '\"fetched_bytes\":[1-9]' && break; sleep 0.1; done; \
             timeout 5 attacker ask unix:/trap/e; echo ended with $?; ekey-ctl status --socket /trap/c",
        );
        self.sh("kill $(cat /tmp/zeros)");
        let held = said.contains("ended with 124") && !said.contains("16 bytes") && !said.contains("All is well");
        self.row("an EGD server whose every byte is zero", if held { "nothing of it is served" } else { &said }, held);
        // A daemon that was taken over, and root's tool.
        self.sh("sed 's,/etc/entropykey/keyring,/trap/given,g; s,/run/sim/key,/trap/node,g' /root/status >/root/lie");
        self.trap("mkfifo", "");
        self.sh("mv /trap/place /trap/node; (umask 0; attacker pose /trap/c /root/lie >/dev/null 2>&1 & echo $! >/tmp/pose)");
        self.guest.await_sh("[ -S /trap/c ]");
        for (what, command) in [
            ("adds a long-term key", format!("ekey-ctl keyring add {SECOND_SERIAL} --file /root/ltk --socket /trap/c")),
            ("removes one", format!("ekey-ctl keyring remove {SECOND_SERIAL} --socket /trap/c")),
            ("sets a new one", "ekey-ctl rekey NwBvBlg3OTBJORFD --master-file /root/ltk --socket /trap/c".to_owned()),
        ] {
            let said = self.sh(&format!("timeout 300 {command} </dev/null 2>&1; echo exit $?; ls /trap"));
            let held = !said.contains("exit 0") && !said.lines().any(|line| line == "given");
            let words = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
            self.row(&format!("a false daemon names another keyring and node while root's tool {what}"), &words, held);
        }
        self.sh("kill $(cat /tmp/pose)");
        self.sh("cp /root/ltk /root/open; chmod 644 /root/open");
        let said = self.sh(&format!("ekey-ctl keyring add {SECOND_SERIAL} --file /root/open 2>&1; echo exit $?"));
        let held = !said.contains("exit 0") && said.contains("/root/open");
        self.row("a long-term key in a file that others can read is used", last_words(&said), held);
        // A socket's place, swapped while root makes the socket.
        let swap = "(setpriv --reuid=ekeyd --regid=ekeyd --clear-groups attacker swap /trap/c /root/victim & echo $! >/tmp/swap)";
        for (what, lines) in [
            ("the control socket", "control = \"/trap/c\"\n[egd]\nlisten = []\n"),
            ("the EGD socket", "control = \"/run/other\"\n[egd]\nlisten = [\"unix:/trap/c\"]\n"),
        ] {
            self.trap("true", lines);
            self.sh(&format!("{swap}; for n in $(seq 25); do timeout -s KILL 0.4 ekeyd run --config /trap/ekeyd.toml >/dev/null 2>&1; done; kill $(cat /tmp/swap)"));
            let held = self.victim_is_whole();
            self.row(
                &format!("a link is put in place of {what} while root makes it, 25 times"),
                "root's file is whole",
                held,
            );
        }
    }

    /// Checks in the kernel's account that root's daemon has dropped its rights.
    fn started_by_root(&mut self) {
        self.trap("true", "keyring = \"/trap/keyring\"\ncontrol = \"/trap/c\"\n[egd]\nlisten = []\n");
        self.sh("echo '# none' >/trap/keyring; chmod 600 /trap/keyring");
        let fields =
            "grep -hE '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$(cat /trap/pid)/task/*/status | sort | uniq -c";
        let said = self.while_it_runs(&format!("{fields}; stat -c 'keyring of %U' /trap/keyring; id -u ekeyd"));
        let number = said.lines().last().unwrap_or_default().to_owned();
        let all = |expected: &str| {
            said.lines().filter(|line| line.contains(expected.split(':').next().unwrap_or(expected))).count() == 1
        };
        let one_credits = said.lines().any(|line| line.trim() == "1 CapEff:\t0000000000200000")
            && said.lines().filter(|line| line.contains("CapEff")).count() == 2
            && said.contains("CapEff:\t0000000000000000");
        let held = one_credits
            && said.contains(&format!("Uid:\t{number}\t{number}\t{number}\t{number}"))
            && [("Uid:"), ("NoNewPrivs:"), ("Seccomp:"), ("CapBnd:")].iter().all(|name| all(name))
            && said.contains("NoNewPrivs:\t1")
            && said.contains("Seccomp:\t2")
            && said.contains("CapBnd:\t0000000000000000")
            && said.contains("keyring of ekeyd");
        let result = "user ekeyd, every thread filtered, CAP_SYS_ADMIN in the one that credits the kernel";
        self.row("a daemon started by root without systemd is taken over", if held { result } else { &said }, held);
        let read = "ekey-ctl keyring reload --help >/dev/null; attacker say /trap/c 'Keyring(\"/var/lib/x\")' 'Keyring(\"/root/victim\")'";
        let said = self.while_it_runs(read);
        let held = said.contains("[sandbox]");
        self.row("… and reads a file that its configuration does not name", last_words(&said), held);
    }

    fn end(self, file: &str) {
        let Self { guest, rows, broken } = self;
        let (kernel, text) = ("Linux 6.1 of Debian 12", &rows);
        let table =
            format!("| attack | result | held |\n|---|---|---|\n{text}\n{} attacks, {kernel}.\n", rows.lines().count());
        println!("{table}");
        let target = tree::root().join("target");
        fs::create_dir_all(&target).and_then(|()| fs::write(target.join(file), table)).expect("target/ can be written");
        assert!(broken.is_empty(), "not held:\n{}", broken.join("\n"));
        guest.power_off();
    }

    /// Returns the daemon's process id, keys and keyring, which no attack may change.
    fn daemon(&mut self) -> String {
        let words = "echo $(systemctl show -P MainPID ekeyd) $(ekey-ctl status --json | grep -o '\"keyring\":{[^}]*}') \
                     $(ekey-ctl list --json | grep -o '\"path\"' | wc -l)";
        self.sh(words).trim().replace('"', "")
    }

    /// Returns how many lines the daemon has logged.
    fn log_lines(&mut self) -> u64 {
        self.sh("journalctl --sync; journalctl -u ekeyd -o cat | wc -l").trim().parse().unwrap_or(u64::MAX)
    }

    fn is_refused(&mut self, attack: &str, command: &str) {
        let said = self.guest.sh(&format!("PID=$(systemctl show -P MainPID ekeyd); {command}"));
        let words = last_words(&said.text).to_owned();
        let refusals = ["denied", "not permitted", "Permission", "Operation not"];
        self.row(attack, &words, said.code != 0 && refusals.iter().any(|refusal| words.contains(refusal)));
    }

    /// Checks that the same daemon still answers.
    fn serves_on(&mut self, attack: &str, result: &str) {
        let said = self.sh("timeout 300 ekey-ctl list >/dev/null; echo $? $(systemctl show -P NRestarts ekeyd)");
        self.row(attack, &format!("{result}; still serves"), said.trim() == "0 0");
    }

    fn others_are_served(&mut self, address: &str) -> String {
        let others = [
            ("unix:/run/ekeyd/control.sock", "timeout 300 ekey-ctl list >/dev/null", "control"),
            ("unix:/run/ekeyd/egd.sock", "timeout 300 attacker ask unix:/run/ekeyd/egd.sock >/dev/null", "EGD"),
        ];
        let mut served = Vec::new();
        for (own, command, name) in others.iter().filter(|(own, ..)| *own != address) {
            let _ = own;
            let word = if self.guest.sh(command).code == 0 { "served" } else { "NOT served" };
            served.push(format!("{name} {word}"));
        }
        format!("meanwhile {}", served.join(", "))
    }

    /// Plants something in a folder of the user ekeyd, and writes the configuration of a daemon there.
    fn trap(&mut self, plant: &str, lines: &str) {
        let place = if plant == "true" { "" } else { "/trap/place" };
        self.sh(&format!("rm -rf /trap; mkdir /trap; chown ekeyd: /trap; {plant} {place}"));
        let config = format!("{lines}{}", if lines.contains("[keys]") { "" } else { "[keys]\ndiscover = false\n" });
        self.sh(&format!("cat >/trap/ekeyd.toml <<'END'\n{config}END"));
    }

    /// Starts that daemon as root, waits until it answers, runs a command, and ends it.
    fn while_it_runs(&mut self, command: &str) -> String {
        let start = "ekeyd run --config /trap/ekeyd.toml >/trap/log 2>&1 & echo $! >/trap/pid";
        let wait = "for n in $(seq 3000); do ekey-ctl list --socket /trap/c >/dev/null 2>&1; [ $? = 3 ] || break; sleep 0.1; done";
        let end = "kill $(cat /trap/pid); wait";
        self.sh(&format!("{start}\n{wait}\n{command}\n{end}"))
    }

    fn victim_is_whole(&mut self) -> bool {
        self.sh("cat /root/victim; stat -c '%U %a' /root/victim") == "root's own\nroot 600\n"
    }

    fn sh(&mut self, command: &str) -> String {
        self.guest.sh(command).text
    }

    fn row(&mut self, attack: &str, result: &str, held: bool) {
        let result: String = result.trim().replace(['|', '\n'], " ").chars().take(160).collect();
        let word = if held { "yes" } else { "NO" };
        let _ = writeln!(self.rows, "| {attack} | {result} | {word} |");
        if !held {
            self.broken.push(format!("{attack}: {result}"));
        }
    }
}

fn last_words(said: &str) -> &str {
    said.lines().rfind(|line| !line.starts_with("exit ") && !line.trim().is_empty()).unwrap_or("nothing")
}

fn stopped(said: &str) -> &str {
    let reason = said.split("\"stopped\":").nth(1).unwrap_or(said).trim_end_matches(['}', '\n']);
    if reason == "null" { "waits for a reader, and serves meanwhile" } else { reason }
}
