//! The file sink with files, pipes, and what goes wrong with them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::*;

const AMPLE: Duration = Duration::from_secs(30);

struct Running {
    sink: FileSink,
    woken: mpsc::Receiver<()>,
}

impl Running {
    fn start(path: &Path, max_bytes: Option<u64>) -> Self {
        let (wake, woken) = mpsc::channel();
        let wake = move || {
            let _ = wake.send(());
        };
        Self { sink: FileSink::start(path, max_bytes, Box::new(wake)).expect("a thread"), woken }
    }

    /// Waits until there is room or the sink has stopped; gives the room.
    fn ready(&self) -> usize {
        loop {
            let room = self.sink.room();
            if room > 0 || self.sink.state().stopped.is_some() {
                return room;
            }
            self.woken.recv_timeout(AMPLE).expect("the sink must say when there is room, or that it has stopped");
        }
    }

    /// Hands over all of `bytes` as there is room, or as much as is taken before it stops.
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.ready();
            if room == 0 {
                return;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()).min(1000));
            self.sink.send(Batch::new(now.to_vec()));
            bytes = later;
        }
    }

    /// Waits until it has stopped by itself; gives why.
    fn reason(&self) -> String {
        loop {
            if let Some(reason) = self.sink.state().stopped {
                return reason;
            }
            self.woken.recv_timeout(AMPLE).expect("the sink must say that it has stopped");
        }
    }
}

fn sample(count: usize) -> Vec<u8> {
    (0_u8..=250).cycle().take(count).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn pipe_in(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    path
}

#[test]
fn what_is_handed_over_is_in_the_file_after_stopping() {
    let folder = folder();
    let path = folder.path().join("entropy");
    let mut running = Running::start(&path, None);
    let expected = sample(300_000);
    running.send(&expected);
    assert_eq!(
        running.sink.stop(AMPLE),
        FileState { given: 300_000, written: 300_000, waiting: 0, dropped: 0, stopped: None }
    );
    assert!(fs::read(&path).unwrap() == expected, "the file differs from what was sent");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_is_there_is_appended_to() {
    let folder = folder();
    let path = folder.path().join("entropy");
    fs::write(&path, "before").unwrap();
    let mut running = Running::start(&path, None);
    running.send(b" after");
    assert_eq!(running.sink.stop(AMPLE).written, 6);
    assert_eq!(fs::read(&path).unwrap(), b"before after");
}

#[test]
fn the_limit_counts_what_the_file_held() {
    let folder = folder();
    let path = folder.path().join("entropy");
    fs::write(&path, "12345").unwrap();
    let mut running = Running::start(&path, Some(2503));
    running.send(&sample(10_000));
    assert_eq!(running.reason(), "the limit max-bytes is reached");
    assert_eq!(running.sink.room(), 0);
    assert_eq!(running.sink.stop(AMPLE).written, 2498);
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len(), 2503);
    assert!(content[5..] == sample(2498), "the file differs from what was sent");
}

#[test]
fn a_file_that_is_full_already_takes_nothing() {
    let folder = folder();
    let path = folder.path().join("entropy");
    fs::write(&path, "12345").unwrap();
    let running = Running::start(&path, Some(4));
    assert_eq!(running.reason(), "the limit max-bytes is reached");
    assert_eq!(running.sink.stop(AMPLE).written, 0);
    assert_eq!(fs::read(&path).unwrap(), b"12345");
}

#[test]
fn a_full_disk_stops_it_for_good_and_says_what_to_do() {
    let mut running = Running::start(Path::new("/dev/full"), None);
    running.send(&sample(5000));
    let reason = running.reason();
    assert!(reason.starts_with("/dev/full: "), "{reason}");
    assert!(reason.ends_with("make room on the disk, or set max-bytes in [file]"), "{reason}");
    assert_eq!(running.sink.room(), 0);
    let state = running.sink.stop(AMPLE);
    assert_eq!((state.written, state.waiting, state.stopped), (0, 0, Some(reason)));
    assert_eq!(state.dropped, state.given, "what was given before the disk was seen to be full");
}

#[test]
fn folders_and_sockets_are_refused() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, expected) in [
        (folder.path().to_owned(), "this is a folder; name a regular file or a pipe in [file]"),
        (socket, "this is a socket; name a regular file or a pipe in [file]"),
        (folder.path().join("missing/entropy"), "create the folder, or name another path in [file]"),
    ] {
        let reason = Running::start(&path, None).reason();
        assert!(reason.ends_with(expected), "{reason} should end with: {expected}");
    }
}

#[test]
fn a_pipe_without_a_reader_blocks_nothing() {
    let folder = folder();
    let running = Running::start(&pipe_in(&folder), None);
    assert_eq!(running.sink.room(), 0, "nothing is taken before there is a reader");
    let state = running.sink.stop(AMPLE);
    assert_eq!((state.written, state.stopped), (0, None));
}

#[test]
fn a_pipe_is_written_to_once_it_has_a_reader() {
    let folder = folder();
    let path = pipe_in(&folder);
    let mut running = Running::start(&path, None);
    let expected = sample(200_000);
    let reader = thread::spawn({
        let path = path.clone();
        move || fs::read(path).unwrap()
    });
    running.send(&expected);
    assert_eq!(running.sink.stop(AMPLE).written, 200_000);
    assert!(reader.join().unwrap() == expected, "the reader got something else");
}

#[test]
fn a_reader_that_leaves_stops_it_for_good() {
    let folder = folder();
    let path = pipe_in(&folder);
    let mut running = Running::start(&path, None);
    let mut reader = fs::File::open(&path).unwrap();
    running.send(b"read this");
    reader.read_exact(&mut [0; 9]).unwrap();
    drop(reader);
    running.send(&sample(1_000_000));
    let reason = running.reason();
    assert!(reason.ends_with("start the program that reads the pipe"), "{reason}");
    assert_eq!(running.sink.stop(AMPLE).written, 9);
}

#[test]
fn a_reader_that_stalls_blocks_nothing() {
    let folder = folder();
    let path = pipe_in(&folder);
    let mut running = Running::start(&path, None);
    let mut reader = fs::File::open(&path).unwrap();
    let mut sent = 0_u64;
    let deadline = Instant::now() + AMPLE;
    // Until the pipe is full (64 KiB, pipe(7)) and the queue as well. Asking for room never waits.
    while running.sink.room() > 0 || running.sink.state().written < 65_536 {
        assert!(Instant::now() < deadline, "the pipe and the queue must get full, and {sent} bytes were taken");
        assert!(sent < 1_000_000, "the queue must be bounded");
        match running.sink.room().min(4096) {
            0 => drop(running.woken.recv_timeout(Duration::from_millis(10))),
            room => {
                running.sink.send(Batch::new(sample(room)));
                sent += room as u64;
            }
        }
    }
    let state = running.sink.stop(Duration::from_millis(50));
    assert!(state.written < sent, "{} of {sent} bytes cannot have been written", state.written);
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert_eq!(got.len() as u64, state.written, "what is said to be written must be what the reader gets");
}

#[test]
fn a_full_queue_announces_room() {
    let folder = folder();
    let path = pipe_in(&folder);
    let mut running = Running::start(&path, None);
    let mut reader = fs::File::open(&path).unwrap();
    let expected = sample(500_000);
    let reading = thread::spawn(move || {
        let mut got = Vec::new();
        let mut buf = [0; 333];
        while let Ok(count) = reader.read(&mut buf)
            && count > 0
        {
            got.extend_from_slice(&buf[..count]);
        }
        got
    });
    running.send(&expected);
    assert_eq!(running.sink.stop(AMPLE).written, 500_000);
    assert!(reading.join().unwrap() == expected, "the reader got something else");
}

#[test]
fn a_dash_is_the_standard_output() {
    const CHILD: &str = "EKEYD_TEST_STANDARD_OUTPUT";
    if std::env::var_os(CHILD).is_some() {
        let mut running = Running::start(Path::new("-"), Some(10));
        running.send(b"0123456789 not this");
        running.reason();
        assert_eq!(running.sink.stop(AMPLE).written, 10);
        return;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{module}::a_dash_is_the_standard_output")])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("0123456789") && !said.contains("not this"), "{said}");
}
