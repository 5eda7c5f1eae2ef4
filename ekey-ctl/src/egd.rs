//! Reads bytes from the daemon's EGD server, whose address is in the daemon's status.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_control::{Client, Status};
use ekey_egd::{Draw, Request};

use crate::problem::Problem;

/// How often to check whether the time limit has passed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A connection to the server.
pub(crate) struct Source {
    stream: Box<dyn Stream>,
    /// The daemon's status at the time of connecting.
    pub(crate) status: Status,
    patience: Duration,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Source {
    /// Asks the daemon at `socket` for its server's address and connects. Reading gives up after `patience` without a byte.
    ///
    /// # Errors
    /// [`Problem`] if the daemon does not answer, or has no EGD server within reach.
    pub(crate) fn connect(socket: &Path, patience: Duration) -> Result<Self, Problem> {
        let status = Client::connect(socket)?.status()?;
        if status.egd.is_empty() {
            let advice = "it has no EGD listener: name one under [egd] listen in ekeyd.toml, such as \
                          \"unix:/run/ekeyd/egd.sock\", and restart it";
            return Err(Problem::NoEgd(advice.to_owned()));
        }
        let mut failures = Vec::new();
        for egd in &status.egd {
            match open(&egd.listen) {
                Ok(stream) => return Ok(Self { stream, status, patience }),
                Err(error) => failures.push(format!("{}: {error}", egd.listen)),
            }
        }
        Err(Problem::NoEgd(format!("{}; check that you may use that socket", failures.join(", "))))
    }

    /// Passes `count` bytes to `take`, piece by piece. Returns how many came: fewer if the time limit passed.
    ///
    /// # Errors
    /// The error of `take`, or [`Problem::NoEgd`] if the server closed the connection or broke the protocol.
    pub(crate) fn read(
        &mut self,
        count: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<u64, Problem> {
        let (mut draw, mut came) = (Draw::new(count), 0);
        let mut buffer = [0; 16 * 1024];
        let mut last = Instant::now();
        while !draw.is_done() {
            while let Some(request) = draw.next_request() {
                self.stream.write_all(request.encode(&mut [0; Request::MOST_LEN])).map_err(|error| lost(&error))?;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => {
                    draw.receive(length).map_err(|error| Problem::NoEgd(format!("its EGD server: {error}")))?;
                    take(&buffer[..length])?;
                    came += length as u64;
                    last = Instant::now();
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    take(&[])?;
                    if last.elapsed() >= self.patience {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        Ok(came)
    }
}

fn lost(error: &io::Error) -> Problem {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let what = match error.kind() {
        UnexpectedEof | BrokenPipe | ConnectionReset => "closed the connection".to_owned(),
        _ => format!("cannot be reached any longer ({error})"),
    };
    Problem::NoEgd(format!("its EGD server {what}; see `ekey-ctl status`"))
}

fn open(listen: &str) -> io::Result<Box<dyn Stream>> {
    if let Some(path) = listen.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        Ok(Box::new(stream))
    } else if let Some(address) = listen.strip_prefix("tcp:") {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        Ok(Box::new(stream))
    } else {
        Err(io::Error::other("this tool reads only unix: and tcp: listeners"))
    }
}
