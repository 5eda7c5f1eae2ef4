//! Bytes from the daemon's EGD server: found by the daemon's own status, asked for ahead, and waited for with patience.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_control::{Client, Status};

use crate::problem::Problem;

/// Bytes of one request, the most that there are in one.
const REQUEST: u8 = 255;
/// Requests that are under way.
const AHEAD: u64 = 16;
/// How often to look whether the patience is at an end.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A connection to the server.
pub(crate) struct Source {
    stream: Box<dyn Stream>,
    /// The daemon as it was when it was asked where the server is.
    pub(crate) status: Status,
    patience: Duration,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Source {
    /// Asks the daemon at `socket` where its server is, and connects. `patience` is for how long nothing may come.
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

    /// Hands `count` bytes to `take`, piece by piece. Returns how many have come: fewer if nothing came for too long.
    ///
    /// # Errors
    /// What `take` says, or that the server has hung up.
    pub(crate) fn read(
        &mut self,
        count: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<u64, Problem> {
        let lost =
            |source: io::Error| Problem::NoEgd(format!("its EGD server has gone ({source}); run ekey-ctl status"));
        let (mut asked, mut come) = (0, 0);
        let mut buffer = [0; 16 * 1024];
        let mut last = Instant::now();
        while come < count {
            while asked < count && asked - come < AHEAD * u64::from(REQUEST) {
                let request = u8::try_from(count - asked).unwrap_or(REQUEST);
                self.stream.write_all(&[0x02, request]).map_err(lost)?;
                asked += u64::from(request);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => {
                    take(&buffer[..length])?;
                    come += length as u64;
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
        Ok(come)
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
