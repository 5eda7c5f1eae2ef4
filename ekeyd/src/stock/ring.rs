//! The bytes held of one source, oldest first, in pieces of the stock's memory.

use std::collections::VecDeque;

use super::Need;
use super::memory::{Memory, PIECE};
use crate::source::{SourceId, Trust};

/// The bytes of one source. Each has its place in the source's stream, so that suspect bytes are found exactly.
pub(super) struct Ring {
    pub(super) from: SourceId,
    pub(super) trust: Trust,
    /// Whether the kernel may count its bytes as entropy.
    credited: bool,
    /// Where its pieces are in the memory.
    pieces: VecDeque<u32>,
    /// Bytes in front of the oldest byte in its piece.
    offset: usize,
    len: usize,
    /// Stretches of the stream without a gap, oldest first. Gaps are bytes that were taken from the fresh end.
    runs: VecDeque<Run>,
    /// Bytes that the source has given in all.
    given: u64,
}

struct Run {
    /// The place of its first byte in the stream.
    start: u64,
    len: usize,
    /// The puts that its oldest and its freshest bytes came with, which compares it with other sources' runs.
    puts: (u64, u64),
}

/// From which end of a ring bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// For outlets that want good bytes soon.
    Freshest,
    /// For outlets that want all bytes in order.
    Oldest,
}

impl Ring {
    pub(super) fn new(from: SourceId, trust: Trust, credited: bool) -> Self {
        Self { from, trust, credited, pieces: VecDeque::new(), offset: 0, len: 0, runs: VecDeque::new(), given: 0 }
    }

    /// Returns whether an outlet with this need may be given its bytes as they are.
    pub(super) fn meets(&self, need: Need) -> bool {
        match need {
            Need::Any => true,
            Need::Credited => self.credited,
            Need::Proven => self.trust == Trust::Proven,
            Need::OfTwoKeys => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds bytes at the fresh end, as many as fit. Returns how many. Needs a free piece when its last one is full.
    pub(super) fn put(&mut self, bytes: &[u8], number: u64, memory: &mut Memory) -> usize {
        let mut put = 0;
        while put < bytes.len() {
            let at = (self.offset + self.len) % PIECE;
            if at == 0 && self.offset + self.len == self.pieces.len() * PIECE {
                let Some(piece) = memory.allot() else { break };
                self.pieces.push_back(piece);
            }
            let Some(piece) = self.pieces.back() else { break };
            let room = &mut memory.piece(*piece)[at..];
            let count = room.len().min(bytes.len() - put);
            room[..count].copy_from_slice(&bytes[put..put + count]);
            self.len += count;
            put += count;
        }
        self.note_put(put, number);
        put
    }

    fn note_put(&mut self, count: usize, number: u64) {
        let start = self.given;
        self.given += count as u64;
        match self.runs.back_mut() {
            _ if count == 0 => {}
            Some(run) if run.start + run.len as u64 == start => {
                run.len += count;
                run.puts.1 = number;
            }
            _ => self.runs.push_back(Run { start, len: count, puts: (number, number) }),
        }
    }

    /// Counts bytes of the stream that never come in.
    pub(super) fn skip(&mut self, count: usize) {
        self.given += count as u64;
    }

    /// Takes up to `count` bytes: hands them to `out` piece by piece and wipes them. Returns how many.
    pub(super) fn take(&mut self, count: usize, end: End, memory: &mut Memory, mut out: impl FnMut(&[u8])) -> usize {
        let count = count.min(self.len);
        let first = match end {
            End::Freshest => self.len - count,
            End::Oldest => 0,
        };
        let mut at = self.offset + first;
        let last = at + count;
        while at < last {
            let within = at % PIECE;
            let part = (PIECE - within).min(last - at);
            let bytes = &mut memory.piece(self.pieces[at / PIECE])[within..within + part];
            out(bytes);
            crate::source::batch::wipe(bytes);
            at += part;
        }
        self.len -= count;
        if end == End::Oldest {
            self.offset += count;
        }
        self.note_taken(count, end);
        self.give_back(memory);
        count
    }

    /// Wipes those of the last `suspect` bytes of the stream that are still held. Returns how many.
    pub(super) fn wipe(&mut self, suspect: u64, memory: &mut Memory) -> usize {
        let from = self.given.saturating_sub(suspect);
        let here = |run: &Run| {
            let kept = usize::try_from(from.saturating_sub(run.start)).unwrap_or(usize::MAX);
            run.len.saturating_sub(kept)
        };
        let count = self.runs.iter().map(here).sum();
        self.take(count, End::Freshest, memory, |_| {})
    }

    /// Returns the number of the put that brought its freshest or its oldest bytes.
    pub(super) fn put_at(&self, end: End) -> Option<u64> {
        self.run(end).map(|run| match end {
            End::Freshest => run.puts.1,
            End::Oldest => run.puts.0,
        })
    }

    /// Returns the length of the freshest or of the oldest run.
    pub(super) fn run_len(&self, end: End) -> usize {
        self.run(end).map_or(0, |run| run.len)
    }

    fn run(&self, end: End) -> Option<&Run> {
        match end {
            End::Freshest => self.runs.back(),
            End::Oldest => self.runs.front(),
        }
    }

    fn note_taken(&mut self, mut count: usize, end: End) {
        while count > 0 {
            let run = match end {
                End::Freshest => self.runs.back_mut(),
                End::Oldest => self.runs.front_mut(),
            };
            let Some(run) = run else { return };
            let part = count.min(run.len);
            run.len -= part;
            count -= part;
            if end == End::Oldest {
                run.start += part as u64;
            }
            if run.len == 0 {
                match end {
                    End::Freshest => self.runs.pop_back(),
                    End::Oldest => self.runs.pop_front(),
                };
            }
        }
    }

    /// Gives back empty pieces.
    fn give_back(&mut self, memory: &mut Memory) {
        while self.offset >= PIECE
            && let Some(piece) = self.pieces.pop_front()
        {
            memory.give_back(piece);
            self.offset -= PIECE;
        }
        while self.pieces.len() > (self.offset + self.len).div_ceil(PIECE)
            && let Some(piece) = self.pieces.pop_back()
        {
            memory.give_back(piece);
        }
        if self.len == 0 {
            self.offset = 0;
            while let Some(piece) = self.pieces.pop_back() {
                memory.give_back(piece);
            }
        }
    }
}
