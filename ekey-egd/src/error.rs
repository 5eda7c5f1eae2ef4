//! What an EGD server can do wrong, as its client sees it. Each of these ends the connection and nothing else.

use std::time::Duration;

/// Why a client gives a server up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// It does not answer, or has no more entropy. With the time that it had (server).
    #[error("it has sent nothing for {} s; see there whether its key runs (ekey-ctl status)", .0.as_secs())]
    Silent(Duration),
    /// It speaks something else (the configured address, or an attacker).
    #[error("it does not answer as an EGD server does; correct its address")]
    NotEgd,
    /// It sent more than was asked for, so the client cannot tell which bytes are entropy (server, or an attacker).
    #[error("it sent bytes that were not asked for, so none of them is used; correct its address")]
    NotAskedFor,
}
