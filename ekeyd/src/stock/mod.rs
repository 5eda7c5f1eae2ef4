//! What is held between sources and outlets.

pub(crate) mod combine;
pub(crate) mod ledger;
pub(crate) mod pool;
