//! What the file sink writes to: opens it without waiting and writes it in pieces, so that it can be interrupted at any time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use ekey_link::Interrupt;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::handover::Handover;

/// A pipe that polls as writable takes this much without blocking (PIPE_BUF, pipe(7)), even if its descriptor may block.
const PIECE: usize = 4096;

/// An open file, pipe or standard output.
pub(super) struct Target {
    file: File,
    size: u64,
    /// Whether flushing has an effect.
    on_disk: bool,
}

/// Why writing to a target ended.
pub(super) enum Broken {
    /// The sink was asked to stop.
    Stopped,
    /// The system refused.
    Failed(io::Error),
}

impl From<io::Error> for Broken {
    fn from(source: io::Error) -> Self {
        Self::Failed(source)
    }
}

impl Target {
    /// Opens `path` without waiting. Returns `None` if it is a pipe without a reader.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Broken> {
        if path == Path::new("-") {
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Ok(Some(Self { file, size: 0, on_disk: false }));
        }
        if let Ok(found) = fs::metadata(path) {
            refuse_other_kinds(found.file_type())?;
        }
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
            .open(path);
        let file = match opened {
            Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => return Ok(None),
            opened => opened?,
        };
        let found = file.metadata()?;
        refuse_other_kinds(found.file_type())?;
        let on_disk = found.is_file();
        Ok(Some(Self { file, size: if on_disk { found.len() } else { 0 }, on_disk }))
    }

    /// Returns how many bytes a regular file held when it was opened, else 0.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes `bytes`, waiting for room: all of them, or up to where the sink forgets them. They came when it had forgotten
    /// `forgotten` times. Returns how many it wrote. Notes that in `handover` as well, even if it fails.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        interrupt: &Interrupt,
        handover: &Handover,
        forgotten: u64,
    ) -> Result<usize, Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // A regular file polls as writable always.
            if !self.on_disk {
                self.wait_for_room(interrupt)?;
            }
            if handover.forgotten() != forgotten {
                break;
            }
            match self.file.write(&rest[..rest.len().min(PIECE)]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => {
                    rest = &rest[count..];
                    handover.note_written(count as u64);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// Flushes a regular file's content to the disk.
    pub(super) fn flush(&self) -> Result<(), Broken> {
        if self.on_disk {
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn wait_for_room(&self, interrupt: &Interrupt) -> Result<(), Broken> {
        let mut both =
            [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT), PollFd::new(interrupt.as_fd(), PollFlags::POLLIN)];
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(io::Error::from(errno).into()),
            Ok(_) => {}
        }
        if both[1].any().unwrap_or(false) { Err(Broken::Stopped) } else { Ok(()) }
    }
}

/// Returns what to do about an error, as the end of a sentence.
pub(super) fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the disk, or set max-bytes in [file]"
        }
        io::ErrorKind::BrokenPipe => "start the program that reads the pipe",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the daemon write there, or name another path in [file]"
        }
        io::ErrorKind::NotFound => "create the folder, or name another path in [file]",
        io::ErrorKind::Unsupported => "name a regular file or a pipe in [file]",
        _ => "check the disk, or name another path in [file]",
    }
}

fn refuse_other_kinds(kind: fs::FileType) -> io::Result<()> {
    let what = if kind.is_dir() {
        "this is a folder"
    } else if kind.is_block_device() {
        "this is a disk, which would be overwritten"
    } else if kind.is_socket() {
        "this is a socket"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}
