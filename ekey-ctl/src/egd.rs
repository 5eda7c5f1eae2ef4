//! Bytes from the daemon's EGD server, which the daemon's status names.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_control::{Client, Status};
use ekey_egd::{Draw, Request};

use crate::problem::Problem;

/// How often to check whether the patience is at an end.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A connection to the server.
pub(crate) struct Source {
    stream: Box<dyn Stream>,
    /// The daemon's status when it said where the server is.
    pub(crate) status: Status,
    patience: Duration,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Source {
    /// Asks the daemon at `socket` where its server is, and connects. `patience` says for how long nothing may come.
    ///
    /// # Errors
    /// [`Problem`] if the daemon does not answer, or has no EGD server that can be reached.
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
        Err(Problem::NoEgd(format!("{}; may you use that socket?", failures.join(", "))))
    }

    /// Hands `count` bytes to `take`, piece by piece. Returns how many came: fewer if nothing came for too long.
    ///
    /// # Errors
    /// What `take` says, or [`Problem::NoEgd`] if the server has hung up or sent what was not asked for.
    pub(crate) fn read(
        &mut self,
        count: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<u64, Problem> {
        let lost =
            |source: io::Error| Problem::NoEgd(format!("its EGD server has gone ({source}); run ekey-ctl status"));
        let (mut draw, mut came) = (Draw::new(count), 0);
        let mut buffer = [0; 16 * 1024];
        let mut last = Instant::now();
        while !draw.is_done() {
            while let Some(request) = draw.next_request() {
                self.stream.write_all(request.encode(&mut [0; Request::MOST_LEN])).map_err(lost)?;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
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
                Err(error) => return Err(lost(error)),
            }
        }
        Ok(came)
    }
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
        Err(io::Error::other("only unix: and tcp: can be asked"))
    }
}
