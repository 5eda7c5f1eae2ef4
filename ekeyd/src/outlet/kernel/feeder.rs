//! The kernel as an outlet: it comes first, and only it takes bytes that failed a health test.

use std::time::Instant;

use ekey_control::Status;
use ekey_control::status::{Account, KernelEra, KernelStatus, OutletStatus};

use super::{Era, Host, Kernel, Mode};
use crate::config::Config;
use crate::outlet::{ConfineThread, Outlet, Turn};
use crate::source::batch::Batch;
use crate::stock::share::{Rank, Want};
use crate::stock::{End, Need, Stock};

/// Feeds the kernel from the stock.
pub(crate) struct Feeder {
    /// `None` if the device could not be opened.
    kernel: Option<Kernel>,
    problem: Option<String>,
}

impl Feeder {
    /// Opens the random device, if the configuration enables it. If that fails, logs it and shows it in the status.
    pub(crate) fn open(config: &Config) -> Option<Self> {
        let opened = config.kernel.enabled.then(|| Kernel::open(&config.kernel, Host::default()))?;
        Some(match opened {
            Ok(kernel) => Self { kernel: Some(kernel), problem: None },
            Err(error) => {
                tracing::error!("{error}");
                Self { kernel: None, problem: Some(error.to_string()) }
            }
        })
    }
}

impl Outlet for Feeder {
    /// A kernel that is not seeded yet, or asks by POLLOUT, takes all credited bytes that there are until it is full. Of others
    /// it gets a dose each interval.
    fn want(&mut self, now: Instant, stock: &Stock) -> Want {
        let (wanted, dose) = self.kernel.as_mut().map_or((0, 0), |kernel| (kernel.wants(now), kernel.dose(now)));
        let credited = stock.held(Need::Credited);
        let is_hungry = wanted >= Kernel::MEAL && (credited > 0 || dose == 0);
        let (need, bytes) = if is_hungry { (Need::Credited, credited.max(wanted)) } else { (Need::Any, dose) };
        Want { need, bytes, rank: Rank::First, reserve: 0 }
    }

    fn serve(&mut self, grant: usize, stock: &mut Stock, turn: &Turn<'_>) {
        let Some(kernel) = &mut self.kernel else { return };
        let mut left = grant;
        while left > 0 {
            let credited = stock.held(Need::Credited) > 0;
            let (need, count) =
                if credited { (Need::Credited, kernel.wants(turn.now)) } else { (Need::Any, kernel.dose(turn.now)) };
            let count = count.min(left);
            let mut bytes = Batch::with_capacity(count);
            if stock.take(count, End::Freshest, need, &mut bytes) == 0 {
                return;
            }
            left -= bytes.len();
            match kernel.feed(&bytes, credited) {
                Ok(()) => self.problem = None,
                Err(error) => {
                    let error = error.to_string();
                    if self.problem.as_ref() != Some(&error) {
                        tracing::error!("{error}");
                        self.problem = Some(error);
                    }
                    return;
                }
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        self.kernel.as_ref().and_then(Kernel::next_wake)
    }

    /// Bytes that failed a health test are mixed in without credit: that cannot hurt.
    fn mix(&mut self, bytes: &[u8]) -> usize {
        self.kernel.as_mut().map_or(0, |kernel| kernel.mix_without_credit(bytes))
    }

    fn forget(&mut self, _turn: &Turn<'_>) {
        if let Some(kernel) = &mut self.kernel {
            kernel.start_over();
        }
    }

    fn needs_privilege(&self) -> bool {
        self.kernel.is_some()
    }

    fn keep_privilege(&mut self, confine: ConfineThread) -> Option<Option<String>> {
        let outcome = self.kernel.as_mut()?.credit_on_a_thread(confine);
        Some(match outcome {
            Ok(None) => None,
            Ok(Some(why)) => Some(format!("system calls of the thread that credits the kernel: {why}")),
            Err(error) => Some(format!("a thread that credits the kernel: {error}")),
        })
    }

    fn report(&self, status: &mut Status) {
        let counters = self.kernel.as_ref().map(Kernel::counters).unwrap_or_default();
        let account = Account {
            given_bytes: counters.given,
            passed_on_bytes: counters.given - counters.dropped,
            waiting_bytes: 0,
            dropped_bytes: counters.dropped,
        };
        status.outlets.push(OutletStatus::new("kernel", account, self.problem.clone()));
        let era = |kernel: &Kernel| match kernel.era() {
            Era::Before2022 => KernelEra::Before2022,
            Era::Since2022 => KernelEra::Since2022,
        };
        status.kernel = Some(KernelStatus {
            era: self.kernel.as_ref().map(era),
            ready: self.kernel.as_ref().is_some_and(Kernel::is_ready),
            given_bytes: counters.given,
            mixed_bytes: counters.bytes,
            dropped_bytes: counters.dropped,
            credited_bits: counters.credited_bits,
            privileged: self.kernel.as_ref().is_some_and(|kernel| kernel.mode() == Mode::Credited),
            problem: self.problem.clone(),
        });
    }
}
