//! The protocol of the Entropy Gathering Daemon (EGD): what its peers say to each other, and who gets how much when.
//!
//! Nothing here does I/O or reads a clock. Bytes and times come in as values; what to send, to read and to wait for goes out. So
//! one program can serve ten thousand clients in one thread, and a test can play years in a second. A time is a
//! [`std::time::Instant`]: callers have these, and the type keeps points in time and spans of time apart. No function asks for the
//! present one.
//!
//! | end | type | subject |
//! |---|---|---|
//! | both | [`Request`] | what a client can ask |
//! | server | [`Conversation`] | one client's requests and answers |
//! | server | [`FairQueue`] | which waiting client is next |
//! | server | [`PeerLimits`], [`Bucket`] | how many clients a peer may have, and how many bytes a second |
//! | client | [`Fetcher`] | keeping a machine supplied from a list of servers |
//! | client | [`Draw`] | some bytes, once |
//!
//! # Example
//!
//! One whole conversation. The client draws four bytes; the server has two of them, and answers once it has the others.
//!
//! ```
//! use ekey_egd::{Conversation, Draw, Served, Step, Supply};
//!
//! /// What the server gives away.
//! struct Stock(Vec<u8>);
//!
//! impl Supply for Stock {
//!     fn bits(&self) -> u64 {
//!         8 * self.0.len() as u64
//!     }
//!     fn held(&self) -> usize {
//!         self.0.len()
//!     }
//!     fn take(&mut self, count: usize, out: &mut Vec<u8>) {
//!         out.extend(self.0.drain(..count.min(self.0.len())));
//!     }
//!     fn offered(&mut self, _bytes: &[u8]) {}
//!     fn process(&self) -> u32 {
//!         1
//!     }
//! }
//!
//! let (mut stock, mut served) = (Stock(vec![1, 2]), Served::default());
//! let mut conversation = Conversation::new();
//! let mut draw = Draw::new(4);
//!
//! // The client asks, and the server reads that.
//! let mut room = [0; 4];
//! let request = draw.next_request().expect("four bytes are to be asked for").encode(&mut room);
//! assert_eq!(request, [0x02, 4]);
//! assert_eq!(conversation.proceed(&mut stock, &mut served), Step::Read);
//! conversation.room()[..2].copy_from_slice(request);
//! conversation.received(2);
//!
//! // The request waits until all its bytes are there. Then it is granted, and leaves in one piece.
//! assert_eq!(conversation.proceed(&mut stock, &mut served), Step::Answered);
//! assert_eq!(conversation.proceed(&mut stock, &mut served), Step::Entropy);
//! assert_eq!(conversation.grant(&mut stock, &mut served), 0);
//! stock.0.extend([3, 4]);
//! assert_eq!(conversation.grant(&mut stock, &mut served), 4);
//! assert_eq!(conversation.proceed(&mut stock, &mut served), Step::Send);
//! assert_eq!(conversation.unsent(), [1, 2, 3, 4]);
//! draw.receive(conversation.unsent().len())?;
//! conversation.sent(conversation.unsent().len(), &mut served);
//! assert!(draw.is_done());
//! assert_eq!((served.requests, served.entropy, served.sent), (1, 4, 4));
//!
//! // The client hangs up.
//! conversation.finish();
//! assert_eq!(conversation.proceed(&mut stock, &mut served), Step::Close);
//! # Ok::<(), ekey_egd::ServerError>(())
//! ```
#![forbid(unsafe_code)]

mod bucket;
mod conversation;
mod draw;
mod error;
mod fetcher;
mod peers;
mod queue;
mod request;

pub use bucket::{Bucket, Rate};
pub use conversation::{Conversation, Served, Step, Supply};
pub use draw::Draw;
pub use error::ServerError;
pub use fetcher::{Fetcher, Pace, Received, Task};
pub use peers::{PeerLimits, TooMany};
pub use queue::{FairQueue, Mark};
pub use request::{Request, UnknownCommand};

#[cfg(test)]
mod tests {
    use std::time::Instant;

    /// Returns a time for a test to start from. It does not matter which: the tests' clocks are their own.
    #[expect(clippy::disallowed_methods, reason = "std has no other way to make a time")]
    pub(crate) fn some_time() -> Instant {
        Instant::now()
    }
}
