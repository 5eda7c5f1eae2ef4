//! Our programs on a real kernel in QEMU, which `tests/fetch-guest` fetches.

mod aarch64;
mod attacks;
mod boot;
mod clones;
mod egd_client;
mod guide;
mod hwrng;
mod openrc;
mod openwrt;
mod package;
mod plug;
mod rpm;
mod service;
mod software_key;
mod usb;
