//! Listening sockets and their connections, over unix sockets, TCP and TLS.

/// Implements mio's `Source` by the type's own method `source`.
macro_rules! registers_its_source {
    ($socket:ty) => {
        impl mio::event::Source for $socket {
            fn register(
                &mut self,
                registry: &mio::Registry,
                token: mio::Token,
                interests: mio::Interest,
            ) -> std::io::Result<()> {
                self.source().register(registry, token, interests)
            }

            fn reregister(
                &mut self,
                registry: &mio::Registry,
                token: mio::Token,
                interests: mio::Interest,
            ) -> std::io::Result<()> {
                self.source().reregister(registry, token, interests)
            }

            fn deregister(&mut self, registry: &mio::Registry) -> std::io::Result<()> {
                self.source().deregister(registry)
            }
        }
    };
}

mod doorman;
mod listener;
pub(crate) mod rights;
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;

pub(crate) use doorman::Doorman;
pub(crate) use listener::{Access, ListenError, Listener};
pub(crate) use stream::Stream;
