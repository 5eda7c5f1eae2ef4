//! A daemon with a key in trouble, and a person who follows the advice on the screen.

use crate::daemon::{Daemon, DaemonPlan};
use crate::golden::Sentence;
use crate::scratch::Scratch;
use crate::screen::{await_advice, await_last_words, follow};
use crate::software_key::{KeyPlan, MASTER_KEY_ON_CARD, SoftwareKey};

/// The last paragraph of the screen when the only key runs.
pub const WELL: &str = "All is well: 1 key running.";

/// A daemon with one key.
pub struct Scene {
    /// The folder of both.
    pub scratch: Scratch,
    /// What the key is like.
    pub plan: KeyPlan,
    /// The key.
    pub key: SoftwareKey,
    /// The daemon.
    pub daemon: Daemon,
}

impl Scene {
    /// Starts a daemon on this key, with the key's line in the keyring.
    #[must_use]
    pub fn of(plan: KeyPlan) -> Self {
        let line = plan.keyring_line();
        Self::with_keyring(plan, &line)
    }

    /// Starts a daemon on this key with this keyring.
    #[must_use]
    pub fn with_keyring(plan: KeyPlan, keyring: &str) -> Self {
        let scratch = Scratch::make();
        let key = plan.plug_in(&scratch);
        let daemon = DaemonPlan::default().unknown_key(&key).keyring_line(keyring).start(&scratch);
        Self { scratch, plan, key, daemon }
    }

    /// Waits until the screen ends with this advice, then checks the exit code of `ekey-ctl status`.
    ///
    /// # Panics
    /// When the screen never ends with it, or the exit code differs.
    pub fn advises(&self, advice: &Sentence, code: i32) {
        let seen = await_advice(&self.daemon, &self.scratch, advice);
        assert_eq!(seen, Some(code), "the exit code that came with {:?}", advice.expected());
    }

    /// Runs the command in the advice, with more arguments.
    ///
    /// # Panics
    /// When it fails.
    pub fn follows(&self, more: &[&str]) {
        let finished = follow(&self.daemon, &self.scratch, more);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }

    /// Runs the command in the advice with the master key from the card.
    pub fn rekeys(&self) {
        let card = self.scratch.write("card", MASTER_KEY_ON_CARD, 0o600).display().to_string();
        self.follows(&["--master-file", &card]);
    }

    /// Plugs another key in at the same place, or the same one after a power cycle.
    pub fn replug(&mut self, plan: KeyPlan) {
        self.key.program.kill();
        self.key = plan.plug_in(&self.scratch);
        self.plan = plan;
    }

    /// Waits until the screen ends with [`WELL`], then checks that the exit code is 0.
    ///
    /// # Panics
    /// When the screen never ends with it, or the exit code differs.
    pub fn ends_well(&self) {
        assert_eq!(
            await_last_words(&self.daemon, &self.scratch, WELL),
            Some(0),
            "the exit code that came with {WELL:?}"
        );
    }
}
