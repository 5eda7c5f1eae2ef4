//! The file as an outlet: it takes all there is, in order, and a guaranteed share of what comes in.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, mem};

use ekey_control::Status;
use ekey_control::status::{Account, FileStatus, OutletStatus};
use ekey_proto::EntropyBlock;
use mio::Waker;

use super::{FileSink, FileState};
use crate::config::{self, Config};
use crate::outlet::{Outlet, Turn};
use crate::source::batch::Batch;
use crate::stock::share::{Rank, Want};
use crate::stock::{End, Need, Stock};

/// Bytes handed to the file's thread at a time.
const FILE_BATCH: usize = 4096;

/// Writes the stock to a file or pipe.
pub(crate) struct FileOutlet {
    config: config::File,
    /// The guaranteed share of what comes in, in per cent.
    share_percent: u8,
    /// `None` before it is started.
    sink: Option<FileSink>,
    /// What the stock had received when the share was last computed.
    received: u64,
    /// The part of its share that is less than a block, in hundredths of bytes.
    owed: u64,
}

impl FileOutlet {
    /// Plans to write the configured file, if there is one.
    pub(crate) fn open(config: &Config) -> Option<Self> {
        let file = config.file.clone()?;
        Some(Self {
            config: file,
            share_percent: 100 - config.egd.share_percent.min(100),
            sink: None,
            received: 0,
            owed: 0,
        })
    }

    /// Returns its share of what has come in since the last call, in whole blocks.
    fn share(&mut self, stock: &Stock) -> usize {
        let received = stock.counters().received;
        let fresh = received - mem::replace(&mut self.received, received);
        let owed = self.owed + fresh * u64::from(self.share_percent);
        let block = 100 * EntropyBlock::LEN as u64;
        self.owed = owed % block;
        usize::try_from((owed - self.owed) / 100).unwrap_or(usize::MAX)
    }
}

impl Outlet for FileOutlet {
    fn want(&mut self, _now: Instant, stock: &Stock) -> Want {
        let share = self.share(stock);
        let bytes = self.sink.as_ref().map_or(0, FileSink::room);
        Want { need: Need::Any, bytes, rank: Rank::Bulk { share }, reserve: 0 }
    }

    fn serve(&mut self, grant: usize, stock: &mut Stock, _turn: &Turn<'_>) {
        let Some(sink) = &mut self.sink else { return };
        let mut left = grant;
        while left > 0 {
            let count = left.min(FILE_BATCH);
            let mut batch = Batch::with_capacity(count);
            if stock.take(count, End::Oldest, Need::Any, &mut batch) == 0 {
                return;
            }
            left -= batch.len();
            sink.send(batch);
        }
    }

    fn forget(&mut self, _turn: &Turn<'_>) {
        if let Some(sink) = &self.sink {
            sink.forget();
        }
    }

    fn takes_all(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| !sink.is_over())
    }

    fn start(&mut self, waker: &Arc<Waker>) -> io::Result<()> {
        let waker = Arc::clone(waker);
        let wake = Box::new(move || drop(waker.wake()));
        self.sink = Some(FileSink::start(&self.config.path, self.config.max_bytes, wake)?);
        Ok(())
    }

    fn report(&self, status: &mut Status) {
        let Some(FileState { given, written, waiting, dropped, stopped }) = self.sink.as_ref().map(FileSink::state)
        else {
            return;
        };
        let account =
            Account { given_bytes: given, passed_on_bytes: written, waiting_bytes: waiting, dropped_bytes: dropped };
        status.outlets.push(OutletStatus::new("file", account, stopped.clone()));
        status.file = Some(FileStatus {
            path: self.config.path.display().to_string(),
            given_bytes: given,
            written_bytes: written,
            waiting_bytes: waiting,
            dropped_bytes: dropped,
            max_bytes: self.config.max_bytes,
            stopped,
        });
    }

    fn stop(self: Box<Self>, grace: Duration) {
        if let Some(sink) = self.sink {
            let state = sink.stop(grace);
            tracing::info!(bytes = state.written, "the file output has ended");
        }
    }
}
