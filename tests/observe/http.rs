//! HTTP from outside: what the daemon answers, what it refuses, and that no client can block it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use ekey_tests::floods::unread_pages;
use ekey_tests::http::Observed;
use ekey_tests::ports::free_port;
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, http};
use serde_json::Value;

fn start(scratch: &Scratch) -> Observed {
    Observed::start(scratch, &KeyPlan::named("key").rate(126), |plan| plan)
}

#[test]
fn http_and_control_socket_give_the_same_status() {
    let scratch = Scratch::make();
    let mut running = start(&scratch);
    running.daemon.await_state(&scratch, "running");
    let answer = http::get(running.address, "/status.json", "");
    assert_eq!(answer.code, 200, "{answer:?}");
    let json: Value = serde_json::from_str(&answer.body).expect("it is JSON");
    assert_eq!(json["keys"][0]["state"]["name"], "running");
    assert_eq!(json["advice"], Value::Array(Vec::new()));
    let seen =
        json.as_object().expect("an object").keys().filter(|name| *name != "advice").cloned().collect::<Vec<_>>();
    let other = running.daemon.ctl(&scratch, &["status", "--json"]).stdout;
    let other: Value = serde_json::from_str(&other).expect("it is JSON");
    assert_eq!(seen, other.as_object().expect("an object").keys().cloned().collect::<Vec<_>>());
}

#[test]
fn the_history_fills_with_what_the_key_gives() {
    let scratch = Scratch::make();
    let mut running = start(&scratch);
    running.daemon.await_state(&scratch, "running");
    // 126 frames of 32 bytes a second are 4032 bytes. The first step begins with the key, and on a busy machine a step
    // may have less and the next one more.
    let usual = |rate: &Value| rate.as_u64().is_some_and(|rate| (3200..=4800).contains(&rate));
    let (fine, at) = await_until("a step of history with the rate of the key", || {
        let answer = http::get(running.address, "/history.json", "");
        let json: Value = serde_json::from_str(&answer.body).expect("it is JSON");
        let at = json["fine"]["rate_bytes_per_s"].as_array()?.iter().skip(1).position(usual)? + 1;
        Some((json["fine"].clone(), at))
    });
    assert_eq!(fine["step_s"], 5);
    assert!(fine["temperature_decikelvin"][at].as_u64().is_some_and(|value| value > 2700), "{fine}");
    assert!(fine["pool_bytes"][at].as_u64() > fine["pool_bytes"][at - 1].as_u64(), "{fine}");
}

#[test]
fn bad_requests_are_refused_and_serving_continues() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n", "a".repeat(9000));
    for (request, code) in [
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        ("DELETE /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 413),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("EKEYD/1\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: localhost\n\n", 200),
        ("GET /status.json HTTP/1.0\r\n\r\n", 200),
        (&long, 431),
    ] {
        let answer = http::send(running.address, request.as_bytes());
        let answer = answer.unwrap_or_else(|error| panic!("{error} to {request:.80}"));
        assert_eq!(answer.code, code, "{request:.80}: {answer:?}");
        assert!(answer.head.contains("\r\nConnection: close\r\n"), "{answer:?}");
    }
    let head = http::send(running.address, b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an answer");
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    let two = b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = http::send(running.address, two).expect("an answer");
    assert_eq!(answer.body.matches("HTTP/1.1").count(), 0, "one request a connection");
}

#[test]
fn others_reach_the_page_by_configured_names_only() {
    let scratch = Scratch::make();
    let port = free_port();
    let section =
        format!("[http]\nlisten = \"0.0.0.0:{port}\"\nallow-remote = true\nnames = [\"keys.example.org\", \"box\"]\n");
    let _daemon = DaemonPlan::default().extra(&section).start(&scratch);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    await_until("HTTP", || http::connect(address).ok());
    for (host, code) in [
        (format!("keys.example.org:{port}"), 200),
        ("BOX".to_owned(), 200),
        (address.to_string(), 200),
        ("192.0.2.1".to_owned(), 200),
        (format!("[2001:db8::1]:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("keys.example.org.evil.example".to_owned(), 421),
        ("localhost".to_owned(), 421),
        (String::new(), 421),
    ] {
        for path in ["/", "/status.json", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let answer = http::send(address, request.as_bytes()).expect("an answer");
            assert_eq!(answer.code, code, "{path} of {host}: {answer:?}");
        }
    }
}

#[test]
fn silent_and_slow_clients_are_disconnected() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut idle: Vec<TcpStream> =
        (0..200).map(|_| http::connect(running.address).expect("a connection is taken")).collect();
    let mut slow = http::connect(running.address).expect("a connection is taken");
    slow.write_all(b"GET / HT").expect("it takes the beginning");
    for _ in 0..20 {
        assert_eq!(http::get(running.address, "/metrics", "").code, 200);
    }
    let answer = http::answer(&mut slow).expect("an answer");
    assert_eq!(answer.code, 408, "{answer:?}");
    let mut left = [0];
    let open = idle.iter_mut().filter_map(|stream| stream.read(&mut left).ok()).filter(|count| *count > 0).count();
    assert!(open <= 32, "{open} of 200 idle connections stayed open or got an answer");
}

#[test]
fn clients_that_do_not_read_delay_no_other() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let deaf = unread_pages(running.address);
    assert_eq!(http::get(running.address, "/", "").code, 200);
    assert!(deaf.len() > 32, "only {} connections were taken", deaf.len());
}

#[test]
fn without_its_section_http_does_not_listen() {
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().start(&scratch);
    let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", daemon.program.id())).expect("it is Linux");
    let Ok(of_daemon) = std::fs::read_dir(format!("/proc/{}/fd", daemon.program.id())) else {
        return println!("only root may see which sockets are the daemon's");
    };
    let inodes: Vec<String> = of_daemon
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok()?.to_str()?.strip_prefix("socket:[").map(str::to_owned))
        .map(|inode| inode.trim_end_matches(']').to_owned())
        .collect();
    let listening = sockets.lines().filter(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(3) == Some(&"0A") && columns.get(9).is_some_and(|inode| inodes.iter().any(|own| own == inode))
    });
    assert_eq!(listening.count(), 0, "an open TCP port that is not configured");
}
