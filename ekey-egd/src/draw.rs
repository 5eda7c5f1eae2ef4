//! A draw: a client that wants some bytes, once. It asks with blocking requests, several of them ahead, so that no round trip is
//! waited for.

use crate::{Request, ServerError};

/// Bytes asked for that have not come, at most: sixteen of the largest requests.
const MOST_ASKED: u64 = 16 * u8::MAX as u64;

/// How far a draw has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Bytes not asked for yet.
    unasked: u64,
    /// Bytes asked for that have not come.
    asked: u64,
}

impl Draw {
    /// Starts a draw of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { unasked: bytes, asked: 0 }
    }

    /// Returns the next request to send, or `None` if enough are under way or all have been sent.
    pub fn next_request(&mut self) -> Option<Request> {
        if self.unasked == 0 || self.asked >= MOST_ASKED {
            return None;
        }
        let count = u8::try_from(self.unasked).unwrap_or(u8::MAX);
        self.unasked -= u64::from(count);
        self.asked += u64::from(count);
        Some(Request::Wait(count))
    }

    /// Notes that the server sent `count` bytes: all of them are entropy.
    ///
    /// # Errors
    /// [`ServerError::NotAskedFor`]: then none of these bytes may be used.
    pub fn receive(&mut self, count: usize) -> Result<(), ServerError> {
        self.asked = self.asked.checked_sub(count as u64).ok_or(ServerError::NotAskedFor)?;
        Ok(())
    }

    /// Whether every byte has come.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unasked == 0 && self.asked == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all requests that the draw has now.
    fn requests(draw: &mut Draw) -> Vec<Request> {
        std::iter::from_fn(|| draw.next_request()).collect()
    }

    #[test]
    fn the_last_request_asks_for_the_rest() {
        let mut draw = Draw::new(600);
        assert_eq!(requests(&mut draw), [Request::Wait(255), Request::Wait(255), Request::Wait(90)]);
        draw.receive(599).unwrap();
        assert!(!draw.is_done());
        draw.receive(1).unwrap();
        assert!(draw.is_done());
        assert!(Draw::new(0).is_done());
    }

    #[test]
    fn sixteen_requests_are_under_way_at_most() {
        let mut draw = Draw::new(1_000_000);
        assert_eq!(requests(&mut draw).len(), 16);
        draw.receive(1).unwrap();
        assert_eq!(requests(&mut draw), [Request::Wait(255)], "the first answer has begun to come");
        draw.receive(255).unwrap();
        assert_eq!(requests(&mut draw), [Request::Wait(255)]);
    }

    #[test]
    fn a_byte_more_than_asked_for_is_refused() {
        let mut draw = Draw::new(10);
        assert_eq!(draw.receive(1), Err(ServerError::NotAskedFor), "nothing has been asked for yet");
        requests(&mut draw);
        assert_eq!(draw.receive(11), Err(ServerError::NotAskedFor));
        assert_eq!(draw.receive(10), Ok(()));
    }
}
