//! Real shells complete the tool's command line, typed as by a person: a key sequence goes in, and the arguments that the tool
//! then gets are what counts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ekey_tests::software_key::SERIAL;
use ekey_tests::terminal::Terminal;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, SoftwareKey, await_until, binaries, original};

/// Typed, with TAB as `\t`; then the arguments. Every kind of value is here, verbs and options are added.
const VALUES: [(&str, &str); 20] = [
    ("reset 1 --level so\t", "reset 1 --level soft"),
    ("reset 1 --level reo\t", "reset 1 --level reopen"),
    ("reset 1 --level u\t", "reset 1 --level usb"),
    ("rese\t1 --lev\tpo\t", "reset 1 --level port"),
    ("reset --level=us\t", "reset --level=usb"),
    ("plot x --range 1\t", "plot x --range 10m"),
    ("plot x --range=2\t", "plot x --range=24h"),
    ("test x --alpha 2^-4\t", "test x --alpha 2^-40"),
    ("completions b\t", "completions bash"),
    ("completions z\t", "completions zsh"),
    ("completions f\t", "completions fish"),
    ("stats Nw\t", "stats NwBvBlg3OTBJORFD"),
    ("remove Nw\t", "remove NwBvBlg3OTBJORFD"),
    ("rekey Nw\t", "rekey NwBvBlg3OTBJORFD"),
    ("keyring remove Nw\t", "keyring remove NwBvBlg3OTBJORFD"),
    ("keyring add Nw\t--fil\tafil\t", "keyring add NwBvBlg3OTBJORFD --file afile"),
    ("capacity --clients 500:tl\t", "capacity --clients 500:tls"),
    ("capture afil\t--bytes 6\t", "capture afile --bytes 64k"),
    ("test afil\t", "test afile"),
    ("--socket afil\tlis\t", "--socket afile list"),
];

#[test]
fn bash_completes_every_verb_and_value() {
    let scene = Scene::make();
    let rc = format!("PS1='ready> '\n. {}\n", scene.script("bash").display());
    scene.check(bash(&scene, &rc));
}

#[test]
fn bash_completion_loads_the_script_by_itself() {
    let scene = Scene::make();
    let framework = original::shell("usr/share/bash-completion/bash_completion");
    fs::create_dir_all(scene.scratch.path("user/completions")).expect("a folder can be made");
    fs::copy(scene.script("bash"), scene.scratch.path("user/completions/ekey-ctl")).expect("it can be copied");
    let rc = format!(
        "PS1='ready> '\nBASH_COMPLETION_USER_DIR={}\n. {}\n",
        scene.scratch.path("user").display(),
        framework.display()
    );
    scene.check(bash(&scene, &rc));
}

#[test]
fn zsh_completes_every_verb_and_value() {
    let scene = Scene::make();
    let zsh = original::shell("bin/zsh");
    let functions = original::shell("usr/share/zsh/functions");
    let own = scene.scratch.path("functions");
    fs::create_dir(&own).expect("a folder can be made");
    fs::copy(scene.script("zsh"), own.join("_ekey-ctl")).expect("it can be copied");
    let rc = format!(
        "PS1='ready> '\nfpath=({} {1}/**/*(/) {1})\nautoload -Uz compinit\ncompinit -u -D\n",
        own.display(),
        functions.display()
    );
    let modules = original::shell("usr/lib/x86_64-linux-gnu/zsh/5.9");
    let _ = scene.scratch.write(".zshenv", &format!("module_path=({})\n", modules.display()), 0o644);
    let _ = scene.scratch.write(".zshrc", &rc, 0o644);
    let mut command = scene.command(zsh);
    command.arg("-i");
    scene.check(command);
}

#[test]
fn fish_completes_every_verb_and_value() {
    let scene = Scene::make();
    let fish = original::shell("usr/bin/fish");
    let folder = scene.scratch.path("fish/completions");
    fs::create_dir_all(&folder).expect("a folder can be made");
    fs::copy(scene.script("fish"), folder.join("ekey-ctl.fish")).expect("it can be copied");
    let _ = scene.scratch.write("fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n", 0o644);
    let mut command = scene.command(fish);
    command.env("LD_LIBRARY_PATH", original::shell("usr/lib/x86_64-linux-gnu")).arg("-i");
    scene.check(command);
}

fn bash(scene: &Scene, rc: &str) -> Command {
    let mut command = scene.command("bash".into());
    command.arg("--rcfile").arg(scene.scratch.write("bashrc", rc, 0o644)).arg("-i");
    command
}

/// A daemon with a key, and a folder whose `ekey-ctl` writes down its arguments unless the shell's script asks it.
struct Scene {
    scratch: Scratch,
    daemon: Daemon,
    _key: SoftwareKey,
}

impl Scene {
    fn make() -> Self {
        let scratch = Scratch::make();
        let plan = KeyPlan::named("key").rate(126);
        let key = plan.plug_in(&scratch);
        let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
        daemon.await_state(&scratch, "running");
        let real = binaries::built("ekey-ctl");
        let (real, args) = (real.display(), scratch.path("args"));
        let wrapper = format!(
            "#!/bin/sh\n[ \"$1\" != complete ] || exec {real} \"$@\"\nprintf '%s\\n' \"$*\" >>{}\n",
            args.display()
        );
        let _ = scratch.write("ekey-ctl", &wrapper, 0o755);
        let _ = scratch.write("afile", "", 0o644);
        Self { scratch, daemon, _key: key }
    }

    fn script(&self, shell: &str) -> PathBuf {
        let output = binaries::command("ekey-ctl").args(["completions", shell]).output().expect("ekey-ctl can be run");
        assert!(output.status.success(), "{output:?}");
        self.scratch.write(&format!("script.{shell}"), &String::from_utf8_lossy(&output.stdout), 0o644)
    }

    fn command(&self, shell: PathBuf) -> Command {
        let folder = self.scratch.folder();
        // A shell must own its terminal.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(shell)
            .env_clear()
            .current_dir(folder)
            .env("EKEYD_SOCKET", &self.daemon.control)
            .env("LC_ALL", "C.UTF-8");
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        for name in ["HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(name, folder);
        }
        command
    }

    /// Asks the tool what may follow these words.
    fn offered(&self, words: &[&str]) -> Vec<String> {
        let mut command = binaries::command("ekey-ctl");
        let output = command.args(["complete", "bash", "--"]).args(words).output().expect("ekey-ctl can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Types each line into the shell, and compares what the tool gets.
    fn check(&self, shell: Command) {
        let mut lines: Vec<(String, String)> =
            VALUES.iter().map(|(typed, args)| ((*typed).into(), (*args).into())).collect();
        for verb in self.offered(&[""]).iter().filter(|word| !word.starts_with('-')) {
            lines.push((short(verb, &self.offered(&[""])), verb.clone()));
            let under = self.offered(&[verb, ""]);
            for word in under.iter().filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase())) {
                lines.push((format!("{verb} {}", short(word, &under)), format!("{verb} {word}")));
            }
            let options = self.offered(&[verb, "--"]);
            for option in &options {
                lines.push((format!("{verb} {}", short(option, &options)), format!("{verb} {option}")));
            }
        }
        assert!(lines.len() > 100, "{lines:?}");
        let mut terminal = Terminal::start(shell, 200, 50);
        terminal.await_shown("ready> ");
        for (at, (typed, expected)) in lines.iter().enumerate() {
            terminal.press(format!("ekey-ctl {typed}\r").as_bytes());
            let seen = await_until(&format!("{typed:?} to run; the screen: {:?}", tail(&terminal)), || {
                let seen = fs::read_to_string(self.scratch.path("args")).unwrap_or_default();
                seen.lines().nth(at).map(str::to_owned)
            });
            assert_eq!(&seen, expected, "after {typed:?}; the screen: {}", tail(&terminal));
        }
        assert!(lines.iter().any(|(_, args)| args.contains(SERIAL)), "a key by its serial number");
    }
}

/// Returns the shortest beginning of a word that names it alone, and a TAB.
fn short(word: &str, all: &[String]) -> String {
    let unique = |length: &usize| all.iter().filter(|other| other.starts_with(&word[..*length])).count() == 1;
    let length = (1..=word.len()).find(unique).unwrap_or(word.len());
    format!("{}\t", &word[..length])
}

fn tail(terminal: &Terminal) -> String {
    let shown = terminal.shown();
    shown.chars().skip(shown.chars().count().saturating_sub(600)).collect()
}
