//! The server's end of one connection: the client's requests in order, and the answers to them.
//!
//! The owner has the connection. It calls [`proceed`](Conversation::proceed), does what that says, and calls it again. The
//! conversation decides when an answer leaves ([`Step::Send`]); the owner decides when a waiting request gets its entropy
//! ([`grant`](Conversation::grant)): all of it or none. So an answer leaves in one piece, and a client that reads once has it.

use zeroize::Zeroize as _;

use crate::Request;

/// Input that is kept: the longest request, with some that follow it.
const INPUT_LEN: usize = 64;
/// Once this many bytes of answers are gathered, they leave, even if more requests could be answered at once.
const ENOUGH: usize = 1024;
/// Bytes that are gathered at most: short of enough by one, and the longest answer.
const OUTPUT_LEN: usize = ENOUGH + u8::MAX as usize;

/// One client's conversation. There may be ten thousand, so it is small.
#[derive(Debug)]
pub struct Conversation {
    /// Bytes that the `0x02` request waits for.
    wanted: u8,
    /// Bytes of a `0x03` request that are still to come.
    offered: u8,
    /// The client sends no more.
    finished: bool,
    input_len: u8,
    input: [u8; INPUT_LEN],
    /// Answers, until all of them are sent. Never moves to other memory, which would leave a copy of its bytes behind.
    output: Vec<u8>,
    /// How many bytes of these are sent, and wiped.
    sent: usize,
}

/// What a conversation draws on.
pub trait Supply {
    /// Returns how many bits of entropy there are, for the answer to `0x00`.
    fn bits(&self) -> u64;

    /// Returns how many bytes this client may have now.
    fn held(&self) -> usize;

    /// Moves `count` bytes, or as many as are [held](Self::held), to the end of `out`.
    fn take(&mut self, count: usize, out: &mut Vec<u8>);

    /// Takes bytes that the client offers by `0x03`. They are as good as the client.
    fn offered(&mut self, bytes: &[u8]);

    /// Returns the number of the process that serves, for the answer to `0x04`.
    fn process(&self) -> u32;
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Proceed: a request was answered, or some of an offer taken.
    Answered,
    /// Send [`unsent`](Conversation::unsent), say how much of it [went](Conversation::sent), and proceed.
    Send,
    /// Read from the client into [`room`](Conversation::room), say how much was [received](Conversation::received), and proceed.
    Read,
    /// [Grant](Conversation::grant) entropy when it is the client's turn, and proceed.
    Entropy,
    /// Close the connection: the client has finished, or broken the protocol.
    Close,
}

/// What serving clients came to. All but the requests is in bytes, and `entropy + others` is `sent + dropped` and what is unsent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Requests answered in full.
    pub requests: u64,
    /// Entropy given.
    pub entropy: u64,
    /// Answers that are not entropy.
    pub others: u64,
    /// Sent of both.
    pub sent: u64,
    /// Wiped of both, because the client had gone.
    pub dropped: u64,
}

impl Conversation {
    /// Starts the conversation with a client that has sent nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wanted: 0,
            offered: 0,
            finished: false,
            input_len: 0,
            input: [0; INPUT_LEN],
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Does the next thing: answers one request from `supply` and counts it in `served`, or says what must happen first.
    pub fn proceed(&mut self, supply: &mut impl Supply, served: &mut Served) -> Step {
        if self.answers_leave() {
            return Step::Send;
        }
        if self.wanted > 0 {
            return Step::Entropy;
        }
        if self.offered > 0 && self.input_len > 0 {
            self.take_offer(supply);
            return Step::Answered;
        }
        match Request::decode(self.input()) {
            Ok(Some((request, len))) => {
                self.consume(len);
                self.answer(request, supply, served);
                Step::Answered
            }
            Ok(None) if !self.finished => Step::Read,
            Ok(None) | Err(_) => Step::Close,
        }
    }

    /// Gives the request that waits all its bytes if `supply` holds them, else none. Returns how many it gave.
    pub fn grant(&mut self, supply: &mut impl Supply, served: &mut Served) -> usize {
        if supply.held() < self.wanted() {
            return 0;
        }
        let given = self.move_entropy(self.wanted(), supply, served);
        self.wanted = self.wanted.saturating_sub(u8::try_from(given).unwrap_or(u8::MAX));
        served.requests += u64::from(self.wanted == 0 && given > 0);
        given
    }

    /// Returns how many bytes the request waits for; 0 if none waits.
    #[must_use]
    pub fn wanted(&self) -> usize {
        usize::from(self.wanted)
    }

    /// Returns where to put what the client sends. It is not empty after [`Step::Read`].
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.input[usize::from(self.input_len)..]
    }

    /// Notes that the client sent `count` bytes, which are at the start of [`room`](Self::room).
    pub fn received(&mut self, count: usize) {
        let count = count.min(self.room().len());
        self.input_len += count as u8;
    }

    /// Notes that the client sends no more. What has come is still answered.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Returns the answers that have not been sent.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// Notes that the first `count` bytes of [`unsent`](Self::unsent) were sent, and wipes them.
    pub fn sent(&mut self, count: usize, served: &mut Served) {
        let count = count.min(self.unsent().len());
        served.sent += count as u64;
        self.wipe(count);
    }

    /// Notes that the client has gone, and wipes what it was not sent.
    pub fn close(&mut self, served: &mut Served) {
        served.dropped += self.unsent().len() as u64;
        self.wipe(self.unsent().len());
    }

    /// Whether the answers leave now: they are enough, nothing that has come can be answered at once, or some are on their way.
    fn answers_leave(&self) -> bool {
        !self.output.is_empty() && (self.sent > 0 || self.output.len() >= ENOUGH || !self.has_request())
    }

    /// Whether a request has come that is the next to be answered.
    fn has_request(&self) -> bool {
        self.wanted == 0 && self.offered == 0 && matches!(Request::decode(self.input()), Ok(Some(_)))
    }

    fn answer(&mut self, request: Request, supply: &mut impl Supply, served: &mut Served) {
        match request {
            Request::Available => {
                let bits = u32::try_from(supply.bits()).unwrap_or(u32::MAX);
                self.gather(&bits.to_be_bytes(), served);
            }
            Request::Take(most) => {
                let place = self.output.len();
                self.gather(&[0], served);
                let given = self.move_entropy(most.into(), supply, served);
                self.output[place] = u8::try_from(given).unwrap_or(u8::MAX);
            }
            Request::Wait(0) => {}
            Request::Wait(count) => {
                self.wanted = count;
                // It is answered in full later.
                return;
            }
            Request::Offer { count, .. } => self.offered = count,
            Request::ProcessId => {
                let number = supply.process().to_string();
                self.gather(&[number.len() as u8], served);
                self.gather(number.as_bytes(), served);
            }
        }
        served.requests += 1;
    }

    /// Gathers a piece of an answer that is not entropy.
    fn gather(&mut self, bytes: &[u8], served: &mut Served) {
        self.output().extend_from_slice(bytes);
        served.others += bytes.len() as u64;
    }

    /// Gathers up to `count` bytes of entropy. Returns how many.
    fn move_entropy(&mut self, count: usize, supply: &mut impl Supply, served: &mut Served) -> usize {
        let output = self.output();
        let before = output.len();
        supply.take(count, output);
        let given = output.len() - before;
        served.entropy += given as u64;
        given
    }

    fn output(&mut self) -> &mut Vec<u8> {
        if self.output.capacity() == 0 {
            self.output.reserve_exact(OUTPUT_LEN);
        }
        &mut self.output
    }

    /// Wipes the first `count` unsent bytes, and lets the memory go with the last of them.
    fn wipe(&mut self, count: usize) {
        self.output[self.sent..][..count].zeroize();
        self.sent += count;
        if self.sent == self.output.len() {
            self.output = Vec::new();
            self.sent = 0;
        }
    }

    fn take_offer(&mut self, supply: &mut impl Supply) {
        let count = self.offered.min(self.input_len);
        supply.offered(&self.input[..usize::from(count)]);
        self.offered -= count;
        self.consume(count.into());
    }

    fn input(&self) -> &[u8] {
        &self.input[..usize::from(self.input_len)]
    }

    fn consume(&mut self, len: usize) {
        self.input.copy_within(len..usize::from(self.input_len), 0);
        self.input_len -= len as u8;
    }
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.output.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests;
