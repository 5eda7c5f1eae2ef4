//! A daemon with a key in some trouble, and a person who does what the screen says.

use crate::daemon::{Daemon, DaemonPlan};
use crate::scratch::Scratch;
use crate::screen::{await_last_words, follow};
use crate::software_key::{KeyPlan, MASTER_KEY_ON_CARD, SoftwareKey};

/// The last words on the screen of a daemon with one key that runs.
pub const WELL: &str = "All is well: 1 key running.";

/// A daemon with one key that a person looks after.
pub struct Scene {
    /// The folder that both use.
    pub scratch: Scratch,
    /// What the key is like.
    pub plan: KeyPlan,
    /// The key.
    pub key: SoftwareKey,
    /// The daemon.
    pub daemon: Daemon,
}

impl Scene {
    /// With the key's line in the keyring.
    #[must_use]
    pub fn of(plan: KeyPlan) -> Self {
        let line = plan.keyring_line();
        Self::with_keyring(plan, &line)
    }

    /// With this keyring.
    #[must_use]
    pub fn with_keyring(plan: KeyPlan, keyring: &str) -> Self {
        let scratch = Scratch::make();
        let key = plan.plug_in(&scratch);
        let daemon = DaemonPlan::default().stranger(&key).keyring_line(keyring).start(&scratch);
        Self { scratch, plan, key, daemon }
    }

    /// Waits for these last words on the screen, which come with this exit code of `ekey-ctl status`.
    ///
    /// # Panics
    /// When they do not come, or with another exit code.
    pub fn says(&self, due: &str, code: i32) {
        let seen = await_last_words(&self.daemon, &self.scratch, due);
        assert_eq!(seen, Some(code), "the exit code that came with {due:?}");
    }

    /// Runs the command that the last words name, with more arguments.
    ///
    /// # Panics
    /// When it fails.
    pub fn follows(&self, more: &[&str]) {
        let finished = follow(&self.daemon, &self.scratch, more);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }

    /// As [`Scene::follows`], with the master key from the card.
    pub fn rekeys(&self) {
        let card = self.scratch.write("card", MASTER_KEY_ON_CARD, 0o600).display().to_string();
        self.follows(&["--master-file", &card]);
    }

    /// Another key in the same place, or the same one without power for a moment.
    pub fn replug(&mut self, plan: KeyPlan) {
        self.key.program.kill();
        self.key = plan.plug_in(&self.scratch);
        self.plan = plan;
    }

    /// In the end all is well.
    ///
    /// # Panics
    /// When it is not.
    pub fn ends_well(&self) {
        self.says(WELL, 0);
    }
}
