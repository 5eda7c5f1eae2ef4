//! Where entropy comes from: keys, and EGD servers of other machines.

pub(crate) mod batch;
pub(crate) mod egd;
pub(crate) mod key;
