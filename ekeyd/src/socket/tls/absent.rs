//! Stands in for TLS in a build without it: types without values. The configuration rejects TLS before anything asks for one.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use ekey_control::status::EgdTlsStatus;
use mio::event::Source;
use mio::net::TcpStream;

use crate::config;

/// Says that this build has no TLS.
#[derive(Debug, thiserror::Error)]
#[error("this ekeyd was built without TLS; build it with the feature `tls`, or use `tcp:`")]
pub(crate) struct TlsError;

/// Never exists in this build.
#[derive(Debug)]
pub(crate) enum Session {}

/// Never exists in this build.
#[derive(Debug)]
pub(crate) enum Acceptor {}

/// Never exists in this build.
#[derive(Debug)]
pub(crate) enum Connector {}

/// Rejects every configuration.
///
/// # Errors
/// Always.
pub(crate) fn check(_: &config::Tls) -> Result<(), TlsError> {
    Err(TlsError)
}

impl Acceptor {
    pub(crate) fn open(_: &config::Tls) -> Result<Self, TlsError> {
        Err(TlsError)
    }

    pub(crate) fn reload(&mut self) -> Result<(), TlsError> {
        match *self {}
    }

    pub(crate) fn accept(&self, _: TcpStream) -> io::Result<Session> {
        match *self {}
    }

    pub(crate) fn valid_until(&self) -> String {
        match *self {}
    }

    pub(crate) fn status(&self) -> EgdTlsStatus {
        match *self {}
    }
}

impl Connector {
    pub(crate) fn open(_: &config::Tls, _: &str) -> Result<Self, TlsError> {
        Err(TlsError)
    }

    pub(crate) fn connect(&self, _: TcpStream) -> io::Result<Session> {
        match *self {}
    }
}

impl Session {
    pub(crate) fn socket(&self) -> &TcpStream {
        match *self {}
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_unsent(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_unread(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn refusal(&self) -> Option<&str> {
        match *self {}
    }

    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        match *self {}
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match *self {}
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}

impl Read for Session {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for Session {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
