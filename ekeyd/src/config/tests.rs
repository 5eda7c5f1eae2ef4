//! The configuration as people write it, and as they get it wrong.

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
[egd]
listen = ["unix:/run/ekeyd/egd.sock"]      # unix:PATH | tcp:ADDR:PORT | tls:ADDR:PORT
pool-bytes = 1048576
max-clients = 10000
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("ekeyd.toml"), text)
}

/// The lines that a person reads.
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(config) => panic!("must be refused, and was read as {config:?}"),
        Err(error) => error.to_string().lines().map(ToOwned::to_owned).collect(),
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn the_file_of_the_manual_is_the_defaults_spelled_out() {
    assert_eq!(parse(SHOWN_IN_THE_MANUAL).unwrap(), Config::default());
}

#[test]
fn every_key_is_taken_over() {
    let config = parse(
        r#"
        keyring = "/k"
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
        [egd]
        listen = ["unix:/e", "tcp:127.0.0.1:8888", "tcp:[::1]:8888", "tls:[::1]:8889"]
        tls-certificate = "/server.pem"
        tls-key = "/server.key"
        tls-authority = "/authority.pem"
        tls-handshake-s = 7
        pool-bytes = 65_536
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
        [expand]
        listen = ["unix:/x"]
        reseed-interval-s = 5
        reseed-bytes = 65536
        max-clients = 7
        [egd-client]
        connect = ["tcp:keys.example.org:8888", "tls:[2001:db8::1]:8889", "unix:/e"]
        tls-certificate = "/client.pem"
        tls-key = "/client.key"
        tls-authority = "/authority.pem"
        request-bytes = 255
        reserve-bytes = 0
        timeout-s = 1
        longest-pause-s = 3600
        [file]
        path = "/f"
        max-bytes = 5
        [http]
        listen = "[::1]:9178"
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
    let due = Config {
        keyring: "/k".into(),
        control: "/c".into(),
        control_tcp: Some(1234),
        keys: Keys {
            discover: false,
            transport: Transport::Tty,
            paths: vec![key("/dev/ttyACM0", None), key("/run/key", Some("A/BvBlg3OTBJ+RFD"))],
            folders: vec![],
        },
        recovery: Recovery { silence: Duration::from_millis(500), usb_reset: false, port_power: true },
        health: Health { enabled: false, alpha: "2^-30".parse().unwrap(), good_blocks: 64 },
        kernel: Kernel { enabled: false, bits_per_byte: 8, interval: Duration::from_secs(16) },
        egd: Egd {
            listen: vec![
                Listen::unix("/e"),
                Listen::Tcp("127.0.0.1:8888".parse().unwrap()),
                Listen::Tcp("[::1]:8888".parse().unwrap()),
                Listen::Tls("[::1]:8889".parse().unwrap()),
            ],
            tls: Some(files("/server.pem", "/server.key")),
            handshake: Duration::from_secs(7),
            pool_bytes: 65_536,
            max_clients: 1,
            share_percent: 50,
            mix_offered: true,
            combine: true,
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
                Server::Unix("/e".into()),
            ],
            tls: Some(files("/client.pem", "/client.key")),
            request_bytes: 255,
            reserve_bytes: 0,
            timeout: Duration::from_secs(1),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(3600),
        }),
        file: Some(File { path: "/f".into(), max_bytes: Some(5) }),
        http: Some(Http { listen: "[::1]:9178".parse().unwrap() }),
        sandbox: Sandbox { enabled: false, user: RunAs::Named("entropy".to_owned()), pid_file: None },
    };
    assert_eq!(config, due);
}

#[test]
fn other_machines_may_look_only_where_the_file_says_so() {
    let http = parse("[http]\nlisten = \"[::]:9178\"\nallow-remote = true").unwrap().http;
    assert_eq!(http, Some(Http { listen: "[::]:9178".parse().unwrap() }));
    assert_eq!(parse("").unwrap().http, None, "off unless it is configured");
}

#[test]
fn standard_output_is_a_file() {
    let file = parse("[file]\npath = \"-\"").unwrap().file;
    assert_eq!(file, Some(File { path: "-".into(), max_bytes: None }));
}

#[test]
fn each_mistake_says_where_it_is_and_what_is_expected() {
    for (text, due) in [
        ("keyring = 5", "1:11: `keyring` is a number; expected an absolute path in quotes"),
        ("keyring = \"k\"", "1:11: `keyring`: `k` is a relative path; expected an absolute one, such as `/k`"),
        ("keyring = \"\"", "1:11: `keyring`: the path is empty; expected an absolute path"),
        ("keyring = \"/a\\u0000\"", "1:11: `keyring`: the path has a zero byte in it; expected an absolute path"),
        ("kernel = 1", "1:10: `kernel` is a number; expected a section `[kernel]`"),
        ("[[kernel]]", "1:1: `kernel` is a list; expected a section `[kernel]`"),
        ("[kernel]\nenabled = \"yes\"", "2:11: `enabled` is a text; expected true or false"),
        ("[kernel]\nbits-per-byte = 0", "2:17: `bits-per-byte` is 0; expected a whole number from 1 to 8"),
        ("[kernel]\nbits-per-byte = 9", "2:17: `bits-per-byte` is 9; expected a whole number from 1 to 8"),
        ("[kernel]\nbits-per-byte = -7", "2:17: `bits-per-byte` is -7; expected a whole number from 1 to 8"),
        (
            "[kernel]\nbits-per-byte = 7.0",
            "2:17: `bits-per-byte` is a number with a fraction; expected a whole number from 1 to 8",
        ),
        (
            "[kernel]\nbits-per-byte = 99999999999999999999999",
            "2:17: `bits-per-byte` is 99999999999999999999999; expected a whole number from 1 to 8",
        ),
        ("[kernel]\ninterval-s = 3601", "2:14: `interval-s` is 3601; expected a whole number from 1 to 3600"),
        ("[health]\nenabled = 1", "2:11: `enabled` is a number; expected true or false"),
        ("[health]\nalpha = 40", "2:9: `alpha` is a number; expected a false-alarm rate from \"2^-20\" to \"2^-60\""),
        (
            "[health]\nalpha = \"2^-19\"",
            "2:9: `alpha` is `2^-19`; expected a false-alarm rate from \"2^-20\" to \"2^-60\"",
        ),
        ("[health]\ngood-blocks = 63", "2:15: `good-blocks` is 63; expected a whole number from 64 to 100000"),
        ("[health]\ngood-block = 64", "2:1: unknown key `good-block` in [health]; did you mean `good-blocks`?"),
        ("[recovery]\nsilence-ms = 499", "2:14: `silence-ms` is 499; expected a whole number from 500 to 600000"),
        ("[egd]\npool-bytes = 16383", "2:14: `pool-bytes` is 16383; expected a whole number from 16384 to 67108864"),
        ("[egd]\nmax-clients = 0", "2:15: `max-clients` is 0; expected a whole number from 1 to 100000"),
        ("[egd]\nshare-percent = 0", "2:17: `share-percent` is 0; expected a whole number from 1 to 100"),
        ("[egd]\noffered = \"keep\"", "2:11: `offered` is `keep`; expected `ignore` or `mix`"),
        (
            "[egd]\nburst-bytes-per-peer = 512",
            "2:1: `burst-bytes-per-peer` says nothing without `bytes-per-s-per-peer`; give both",
        ),
        (
            "[egd]\nallow-networks = [\"10.0.0.1/8\"]",
            "2:19: `allow-networks`: `10.0.0.1/8` has bits behind its prefix; expected `10.0.0.0/8`, or only the address",
        ),
        (
            "[egd]\nallow-users = [-1]",
            "2:16: `allow-users`: -1 is no user or group; expected a name in quotes, or a number",
        ),
        (
            "[egd]\nallow-groups = [true]",
            "2:17: `allow-groups` is true or false; expected a name in quotes, or a number",
        ),
        ("[egd]\ncombine = 2", "2:11: `combine` is a number; expected true or false"),
        (
            "[egd]\nlisten = \"unix:/e\"",
            "2:10: `listen` is a text; expected a list such as [\"unix:/run/ekeyd/egd.sock\"]",
        ),
        (
            "[egd]\nlisten = [1]",
            "2:11: `listen` is a number; expected `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT` in quotes",
        ),
        (
            "[egd]\nlisten = [\"unix:e\"]",
            "2:11: `listen`: `e` is a relative path; expected an absolute one, such as `/e`",
        ),
        (
            "[egd]\nlisten = [\"tcp:localhost\"]",
            "2:11: `listen`: `tcp:localhost` has no address and port; expected for example `tcp:127.0.0.1:8888` or \
             `tcp:[::1]:8888`",
        ),
        (
            "[egd]\nlisten = [\"tls:127.0.0.1:8889\"]\ntls-certificate = \"/c\"\ntls-authority = \"/a\"",
            "1:2: `tls:127.0.0.1:8889` needs `tls-key` in [egd]; expected the path of a PEM file",
        ),
        (
            "[egd]\nlisten = [\"/e\"]",
            "2:11: `listen`: `/e` is no place to listen at; expected `unix:PATH`, `tcp:ADDR:PORT` or `tls:ADDR:PORT`",
        ),
        ("[egd]\nlisten = [\"unix:/e\", \"unix:/e\"]", "2:22: `listen`: `unix:/e` is there twice; leave one out"),
        ("[keys]\ntransport = \"serial\"", "2:13: `transport` is `serial`; expected `auto`, `tty` or `usb`"),
        ("[keys]\npaths = [7]", "2:10: `paths` is a number; expected a path, or { path = \"...\", serial = \"...\" }"),
        (
            "[keys]\npaths = [{ serial = \"A/BvBlg3OTBJ+RFD\" }]",
            "2:10: this entry of `paths` has no `path`; expected { path = \"...\", serial = \"...\" }",
        ),
        (
            "[keys]\npaths = [{ path = \"/k\", serial = \"short\" }]",
            "2:34: `serial` is `short`; expected the 16 characters on the key (base64)",
        ),
        (
            "[keys]\npaths = [{ path = \"/k\", seriel = \"\" }]",
            "2:25: unknown key `seriel` in an entry of `paths`; did you mean `serial`?",
        ),
        ("[file]\nmax-bytes = 1", "1:2: [file] has no `path`; expected an absolute path, or \"-\""),
        (
            "[http]",
            "1:2: [http] has no `listen`; expected an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"",
        ),
        (
            "[http]\nlisten = \"localhost\"",
            "2:10: `listen` is `localhost`; expected an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"",
        ),
        (
            "[http]\nlisten = \"127.0.0.1:0\"",
            "2:10: `listen` has port 0; expected an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"",
        ),
        (
            "[http]\nlisten = \"0.0.0.0:9178\"",
            "2:10: `listen` is 0.0.0.0:9178, which other machines reach, without a password and unencrypted; expected an \
             address of this machine only, or `allow-remote = true` beside it",
        ),
        ("[kernel]\nbits-per-bite = 7", "2:1: unknown key `bits-per-bite` in [kernel]; did you mean `bits-per-byte`?"),
        ("[kernal]\nenabled = true", "1:2: unknown key `kernal` in the top of the file; did you mean `kernel`?"),
        ("pool-bytes = 5000", "1:1: unknown key `pool-bytes` in the top of the file; it belongs in [egd]"),
        (
            "[kernel]\ncolour = 1",
            "2:1: unknown key `colour` in [kernel]; expected one of enabled, bits-per-byte, interval-s",
        ),
    ] {
        assert_eq!(mistakes(text), [format!("ekeyd.toml:{due}")], "for:\n{text}");
    }
}

#[test]
fn a_socket_path_that_is_too_long_is_refused() {
    let text = format!("control = \"/{}\"", "c".repeat(107));
    assert_eq!(mistakes(&text), ["ekeyd.toml:1:11: `control`: the socket's path has 108 bytes; expected at most 107"]);
    assert!(parse(&format!("control = \"/{}\"", "c".repeat(106))).is_ok());
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let seen = mistakes("[kernel]\nbits-per-byte = 9\ninterval-s = 0\n[egd]\nmax-clients = \"many\"\n[colour]\n");
    let places: Vec<&str> = seen.iter().filter_map(|line| line.get(..15)).collect();
    assert_eq!(places, ["ekeyd.toml:2:17", "ekeyd.toml:3:14", "ekeyd.toml:5:15", "ekeyd.toml:6:2:"]);
}

#[test]
fn a_line_that_is_no_toml_is_one_mistake_and_hides_no_other() {
    let seen = mistakes("[kernel]\nbits-per-byte = \ninterval-s = 0\nenabled = tru\n");
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert!(seen[0].starts_with("ekeyd.toml:2:17: this is no TOML: "), "{}", seen[0]);
    assert!(seen[1].starts_with("ekeyd.toml:3:14: `interval-s` is 0"), "{}", seen[1]);
    assert!(seen[2].starts_with("ekeyd.toml:4:11: this is no TOML: "), "{}", seen[2]);
}

#[test]
fn a_key_that_is_there_twice_is_a_mistake() {
    let seen = mistakes("[kernel]\nenabled = true\nenabled = false\n");
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(seen[0].starts_with("ekeyd.toml:3:1: this is no TOML: duplicate key"), "{}", seen[0]);
}

#[test]
fn a_clash_with_a_place_that_the_file_does_not_name_is_told_where_the_file_names_the_other() {
    for (text, due) in [
        ("# first\nkeyring = \"/run/ekeyd/control.sock\"\n", "ekeyd.toml:2:1: "),
        ("# first\n[file]\npath = \"/etc/entropykey/keyring\"\n", "ekeyd.toml:3:8: "),
    ] {
        let seen = mistakes(text);
        assert!(seen.len() == 1 && seen[0].starts_with(due), "{seen:?} of {text:?}, due is {due}");
    }
}

#[test]
fn a_value_that_the_parser_made_up_is_no_mistake_of_its_own() {
    let seen = mistakes("# first\n[recovery]\nusb-reset = = \"tty\"\nsilence-ms =\n\n= 5\n");
    assert!(seen.iter().all(|mistake| mistake.contains(": this is no TOML: ")), "{seen:#?}");
}

#[test]
fn columns_count_characters() {
    let seen = mistakes("[keys]\npaths = [\"/dev/schlüssel\", 7]");
    assert!(seen[0].starts_with("ekeyd.toml:2:28: "), "{seen:?}");
}

#[test]
fn hostile_text_is_refused_and_shown_without_control_characters() {
    let seen = mistakes("\"\\u001b[31m\" = 1\n[keys]\ntransport = \"\\u001b[31m\"");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(!seen.join("").contains('\x1b'), "{seen:?}");
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(parse(&deep).is_err());
}

#[test]
fn a_file_is_loaded_and_named_in_its_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ekeyd.toml");
    std::fs::write(&path, SHOWN_IN_THE_MANUAL).unwrap();
    assert_eq!(Config::load(&path).unwrap(), Config::default());
    std::fs::write(&path, "x = 1").unwrap();
    let refused = Config::load(&path).unwrap_err().to_string();
    assert!(refused.starts_with(&format!("{}:1:1: unknown key `x`", path.display())), "{refused}");
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ekeyd.toml");
    let refused = Config::load(&path).unwrap_err();
    assert!(matches!(refused, ConfigError::Unreadable { .. }), "{refused}");
    let refused = Config::load(folder.path()).unwrap_err();
    assert!(matches!(refused, ConfigError::NotAFile { .. }), "{refused}");
    std::fs::write(&path, b"# one\n# two \xff\n").unwrap();
    let refused = Config::load(&path).unwrap_err().to_string();
    assert!(refused.ends_with(":2:7: this is no UTF-8; save the file as UTF-8"), "{refused}");
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let refused = Config::load(&path).unwrap_err();
    assert!(matches!(refused, ConfigError::TooLarge { .. }), "{refused}");
}
