//! Correct and wrong configurations. `mistakes.txt` has the messages.

use std::path::Path;
use std::time::Duration;

use super::*;

const SHOWN_IN_THE_MANUAL: &str = r#"
keyring = "/etc/entropykey/keyring"
control = "/run/ekeyd/control.sock"       # mode 0660; /run/ekeyd.sock is a link to it
[keys]
discover  = true                           # every 20df:0001 that appears
transport = "auto"                         # auto | tty | usb
paths     = []                             # also these: a tty, a unix socket
[recovery]
silence-ms = 3000
usb-reset  = true
port-power = false
[kernel]
enabled = true
bits-per-byte = 7
interval-s = 60
[pool]
bytes = 1048576
[egd]
listen = ["unix:/run/ekeyd/egd.sock"]      # unix:PATH | tcp:ADDR:PORT | tls:ADDR:PORT
max-clients = 10000
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("ekeyd.toml"), text)
}

/// Returns the lines that a person reads.
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(config) => panic!("must be refused, and was read as {config:?}"),
        Err(error) => error.to_string().lines().map(ToOwned::to_owned).collect(),
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn the_manuals_file_means_the_defaults() {
    assert_eq!(parse(SHOWN_IN_THE_MANUAL).unwrap(), Config::default());
}

#[test]
fn every_key_reaches_its_field() {
    let config = parse(
        r#"
        keyring = "/k"
        state-dir = "/v"
        control = "/c"
        control-tcp = 1234
        [keys]
        discover = false
        transport = "tty"
        paths = ["/dev/ttyACM0", { path = "/run/key", serial = "A/BvBlg3OTBJ+RFD" }]
        [recovery]
        silence-ms = 500
        usb-reset = false
        port-power = true
        [health]
        enabled = false
        alpha = "2^-30"
        good-blocks = 64
        [kernel]
        enabled = false
        bits-per-byte = 8
        interval-s = 0x10
        [pool]
        bytes = 65_536
        [egd]
        listen = ["unix:/e", { path = "/socket", mode = "0640", owner = "root", group = "root" }, "tcp:127.0.0.1:8888", "tcp:[::1]:8888", "tls:[::1]:8889"]
        tls-certificate = "/server.pem"
        tls-key = "/server.key"
        tls-authority = "/authority.pem"
        tls-handshake-s = 7
        max-clients = 1
        share-percent = 50
        offered = "mix"
        idle-timeout-s = 300
        clients-per-peer = 20
        bytes-per-s-per-peer = 512
        burst-bytes-per-peer = 4096
        allow-networks = ["127.0.0.0/8", "::1"]
        allow-users = ["root", 64055]
        allow-groups = ["kvm"]
        combine = true
        clone-safe = false
        [expand]
        listen = ["unix:/x"]
        reseed-interval-s = 5
        reseed-bytes = 65536
        max-clients = 7
        [egd-client]
        connect = ["tcp:keys.example.org:8888", "tls:[2001:db8::1]:8889", "unix:/s"]
        tls-certificate = "/client.pem"
        tls-key = "/client.key"
        tls-authority = "/authority.pem"
        credit = "all"
        request-bytes = 255
        reserve-bytes = 0
        timeout-s = 1
        longest-pause-s = 3600
        [file]
        path = "/f"
        max-bytes = 5
        [http]
        listen = "[::1]:9178"
        names = ["Keys.example.org."]
        [sandbox]
        enabled = false
        user = "entropy"
        "#,
    )
    .unwrap();
    let key = |path: &str, serial: Option<&str>| KeyPath { path: path.into(), serial: serial.map(ToOwned::to_owned) };
    let files = |certificate: &str, key: &str| Tls {
        certificate: certificate.into(),
        key: key.into(),
        authority: "/authority.pem".into(),
    };
    let expected = Config {
        keyring: "/k".into(),
        state_dir: Some("/v".into()),
        control: vec!["/c".into()],
        control_tcp: vec![1234],
        daemonise: true,
        keys: Keys {
            discover: false,
            transport: Transport::Tty,
            paths: vec![key("/dev/ttyACM0", None), key("/run/key", Some("A/BvBlg3OTBJ+RFD"))],
            folders: vec![],
        },
        recovery: Recovery { silence: Duration::from_millis(500), usb_reset: false, port_power: true },
        health: Health { enabled: false, alpha: "2^-30".parse().unwrap(), good_blocks: 64 },
        kernel: Kernel { enabled: false, bits_per_byte: 8, interval: Duration::from_secs(16) },
        pool: Pool { bytes: 65_536 },
        egd: Egd {
            listen: vec![
                Listen::unix("/e"),
                Listen::Unix {
                    path: "/socket".into(),
                    mode: Some(0o640),
                    user: Some("root".to_owned()),
                    group: Some("root".to_owned()),
                },
                Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
                Listen::Tcp("[::1]:8888".parse().unwrap()),
                Listen::Tls("[::1]:8889".parse().unwrap()),
            ],
            tls: Some(files("/server.pem", "/server.key")),
            handshake: Duration::from_secs(7),
            max_clients: 1,
            share_percent: 50,
            mix_offered: true,
            combine: true,
            clone_safe: Some(false),
            limits: Limits {
                idle: Some(Duration::from_secs(300)),
                clients_per_peer: Some(20),
                rate_per_peer: Some(ekey_egd::Rate { bytes_per_s: 512, burst_bytes: 4096 }),
                networks: ["127.0.0.0/8", "::1"].map(|network| Network::parse(network).unwrap()).to_vec(),
                users: vec![Principal::Name("root".to_owned()), Principal::Id(64055)],
                groups: vec![Principal::Name("kvm".to_owned())],
            },
        },
        expand: Some(Expand {
            listen: vec![Listen::unix("/x")],
            reseed_interval: Duration::from_secs(5),
            reseed_bytes: 65_536,
            max_clients: 7,
        }),
        egd_client: Some(EgdClient {
            connect: vec![
                Server::Tcp { host: "keys.example.org".to_owned(), port: 8888 },
                Server::Tls { host: "2001:db8::1".to_owned(), port: 8889 },
                Server::Unix("/s".into()),
            ],
            tls: Some(files("/client.pem", "/client.key")),
            credit: Credit::All,
            request_bytes: 255,
            reserve_bytes: 0,
            timeout: Duration::from_secs(1),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(3600),
        }),
        file: Some(File { path: "/f".into(), max_bytes: Some(5) }),
        http: Some(Http { listen: "[::1]:9178".parse().unwrap(), names: vec!["keys.example.org".to_owned()] }),
        sandbox: Sandbox { enabled: false, user: RunAs::Named("entropy".to_owned()), pid_file: None },
    };
    assert_eq!(config, expected);
}

#[test]
fn the_page_is_remote_only_if_the_file_says_so() {
    let http = parse("[http]\nlisten = \"[::]:9178\"\nallow-remote = true").unwrap().http;
    assert_eq!(http, Some(Http { listen: "[::]:9178".parse().unwrap(), names: Vec::new() }));
    assert_eq!(parse("").unwrap().http, None, "off unless it is configured");
}

#[test]
fn by_default_only_bytes_over_tls_are_credited() {
    let servers = ["tls:h:1", "tcp:h:1", "tcp:127.0.0.1:1", "unix:/s"].map(|place| Server::parse(place).unwrap());
    let credited = |line: &str| {
        let text = format!("[egd-client]\nconnect = \"tcp:h:1\"\n{line}");
        let credit = parse(&text).unwrap().egd_client.unwrap().credit;
        servers.each_ref().map(|server| credit.covers(server))
    };
    assert_eq!(credited(""), [true, false, false, false]);
    assert_eq!(credited("credit = \"tls\""), [true, false, false, false]);
    assert_eq!(credited("credit = \"none\""), [false; 4]);
    assert_eq!(credited("credit = \"all\""), [true; 4]);
    let error = parse("[egd-client]\nconnect = \"tcp:h:1\"\ncredit = true").unwrap_err().to_string();
    assert!(error.contains("`none`, `tls` or `all`"), "{error}");
}

#[test]
fn the_pools_old_name_means_the_same() {
    let [old, new] = ["[egd]\npool-bytes = 65536", "[pool]\nbytes = 65536"].map(|text| parse(text).unwrap());
    assert_eq!((old.pool.bytes, &old), (65_536, &new));
}

#[test]
fn a_dash_is_the_standard_output() {
    let file = parse("[file]\npath = \"-\"").unwrap().file;
    assert_eq!(file, Some(File { path: "-".into(), max_bytes: None }));
}

/// Every section with its keys, as reading `text` asks for them.
fn known(text: &str) -> Vec<(String, Vec<&'static str>)> {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut top = Table::top(error::Source::new(Path::new("ekeyd.toml"), text), &document);
    Config::read(&mut top);
    top.known()
}

#[test]
fn every_key_is_asked_for_whatever_the_file_has() {
    let full = "[expand]\nlisten = [\"unix:/x\"]\n[egd-client]\nconnect = \"unix:/s\"\n[file]\npath = \"-\"\n\
                [http]\nlisten = \"127.0.0.1:1\"\n";
    assert_eq!(known(""), known(full));
    assert_eq!(known(""), known("keys = 1\nhttp = []\n[egd]\nlisten = 1\n[file]\n[egd-client]\n[expand]\n"));
}

#[test]
fn the_manual_page_names_every_section_and_key() {
    let page = include_str!("../../../packaging/man/ekeyd.toml.5");
    let bold =
        |word: &str| page.lines().any(|line| line == format!(".B {word}") || line.starts_with(&format!(".BR {word} ")));
    let headings: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix(".SH ")).map(str::to_lowercase).collect();
    for (section, keys) in known("") {
        assert!(headings.contains(&section), "{section} has no heading");
        for key in keys.iter().filter(|key| !headings.contains(&format!("[{key}]"))) {
            assert!(bold(key), "`{key}` of {section} is missing");
        }
    }
}

/// Returns the example with every option set: a `#` without a space after it is removed.
fn example_in_full() -> String {
    let lines = include_str!("../../ekeyd.toml").lines();
    lines
        .map(|line| {
            line.strip_prefix('#').filter(|line| !line.starts_with([' ', '#'])).unwrap_or(line).to_owned() + "\n"
        })
        .collect()
}

#[test]
fn the_example_shows_every_key_once() {
    let example = example_in_full();
    for (section, keys) in known("").into_iter().skip(1) {
        let body = example.split(&format!("\n{section}\n")).nth(1).unwrap_or_else(|| panic!("{section} is missing"));
        let body = body.split("\n[").next().unwrap();
        for key in keys {
            let lines = body.lines().filter(|line| line.split(" = ").next() == Some(key));
            assert_eq!(lines.count(), 1, "`{key}` of {section}");
        }
    }
}

#[test]
fn the_example_shows_the_defaults() {
    assert_eq!(parse(include_str!("../../ekeyd.toml")).unwrap(), Config::default());
    // These sections are off by default, and one key is required: the others must stand at their defaults.
    for (section, required) in [("expand", "listen"), ("egd-client", "connect"), ("http", "listen")] {
        let example = example_in_full();
        let body = example.split(&format!("\n[{section}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
        let lines: Vec<&str> = body
            .lines()
            .filter(|line| line.contains(" = ") && !line.starts_with('#') && !line.starts_with("tls-"))
            .collect();
        let least = lines.iter().find(|line| line.starts_with(required)).unwrap();
        let read = |lines: &str| parse(&format!("[{section}]\n{lines}\n")).unwrap();
        assert_eq!(read(&lines.join("\n")), read(least), "{section}");
    }
}

#[test]
fn mistakes_read_as_in_the_golden_file() {
    let golden = include_str!("mistakes.txt");
    // A new section must not change what is said of the others.
    let sections = known("").swap_remove(0).1.join(", ");
    let mut cases = golden.split("\n--- ");
    let mut seen = cases.next().unwrap().to_owned();
    let mut differences = String::new();
    for case in cases {
        let (file, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("\n>>>\n").unwrap();
        let mistakes: String = match Config::parse_noting(Path::new(file), text) {
            Ok((_, notes)) => notes.iter().map(|note| format!("{note}\n")).collect(),
            Err(error) => format!("{error}\n"),
        };
        let mistakes = mistakes.replace(&sections, "{every section}");
        if mistakes != expected {
            differences.push_str(&format!("of\n{text}\nexpected\n{expected}and got\n{mistakes}\n"));
        }
        seen.push_str(&format!("\n--- {file}\n{text}\n>>>\n{mistakes}"));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/mistakes.txt"), &seen).unwrap();
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn a_socket_path_has_at_most_107_bytes() {
    let text = format!("control = \"/{}\"", "c".repeat(107));
    assert_eq!(mistakes(&text), ["ekeyd.toml:1:11: `control`: the socket's path has 108 bytes; expected at most 107"]);
    assert!(parse(&format!("control = \"/{}\"", "c".repeat(106))).is_ok());
}

#[test]
fn a_value_the_parser_made_up_is_not_reported() {
    let seen = mistakes("# first\n[recovery]\nusb-reset = = \"tty\"\nsilence-ms =\n\n= 5\n");
    assert!(seen.iter().all(|mistake| mistake.contains(": not TOML: ")), "{seen:#?}");
}

#[test]
fn hostile_text_is_shown_without_control_codes() {
    let seen = mistakes("\"\\u001b[31m\" = 1\n[keys]\ntransport = \"\\u001b[31m\"");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(!seen.join("").contains('\x1b'), "{seen:?}");
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(parse(&deep).is_err());
}

#[test]
fn mistakes_name_the_file_that_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ekeyd.toml");
    std::fs::write(&path, SHOWN_IN_THE_MANUAL).unwrap();
    assert_eq!(Config::load(&path).unwrap(), (Config::default(), Vec::new()));
    std::fs::write(&path, "x = 1").unwrap();
    let refused = Config::load(&path).unwrap_err().to_string();
    assert!(refused.starts_with(&format!("{}:1:1: unknown key `x`", path.display())), "{refused}");
}

#[test]
fn an_unreadable_file_never_means_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ekeyd.toml");
    let refused = Config::load(&path).unwrap_err();
    assert!(matches!(refused, ConfigError::Unreadable { .. }), "{refused}");
    let refused = Config::load(folder.path()).unwrap_err();
    assert!(matches!(refused, ConfigError::NotAFile { .. }), "{refused}");
    std::fs::write(&path, b"# one\n# two \xff\n").unwrap();
    let refused = Config::load(&path).unwrap_err().to_string();
    assert!(refused.ends_with(":2:7: not UTF-8; save the file as UTF-8"), "{refused}");
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let refused = Config::load(&path).unwrap_err();
    assert!(matches!(refused, ConfigError::TooLarge { .. }), "{refused}");
}
