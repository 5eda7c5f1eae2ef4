//! What can go wrong in the tool, and the exit code for it.

use std::io;

use ekey_control::ClientError;
use thiserror::Error;

/// Why a verb failed.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    /// The daemon was not reached, or not understood.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// Standard output is gone.
    #[error("cannot write the output: {0}; is the disk full?")]
    Output(#[from] io::Error),
    /// Our own JSON.
    #[error("cannot write the JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Problem {
    /// 3 where there is no daemon, 4 for everything else; 0 to 2 belong to the verbs.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Daemon(error) if error.is_no_daemon() => 3,
            _ => 4,
        }
    }
}
