//! Kinds of messages (usb-redirection-protocol.md of usbredir, version 0.7).

pub(super) const HELLO: u32 = 0;
pub(super) const DEVICE_CONNECT: u32 = 1;
pub(super) const DEVICE_DISCONNECT: u32 = 2;
pub(super) const RESET: u32 = 3;
pub(super) const INTERFACE_INFO: u32 = 4;
pub(super) const EP_INFO: u32 = 5;
pub(super) const SET_CONFIGURATION: u32 = 6;
pub(super) const GET_CONFIGURATION: u32 = 7;
pub(super) const CONFIGURATION_STATUS: u32 = 8;
pub(super) const SET_ALT_SETTING: u32 = 9;
pub(super) const GET_ALT_SETTING: u32 = 10;
pub(super) const ALT_SETTING_STATUS: u32 = 11;
pub(super) const START_ISO_STREAM: u32 = 12;
pub(super) const STOP_ISO_STREAM: u32 = 13;
pub(super) const ISO_STREAM_STATUS: u32 = 14;
pub(super) const START_INTERRUPT_RECEIVING: u32 = 15;
pub(super) const STOP_INTERRUPT_RECEIVING: u32 = 16;
pub(super) const INTERRUPT_RECEIVING_STATUS: u32 = 17;
pub(super) const CANCEL_DATA_PACKET: u32 = 21;
pub(super) const FILTER_REJECT: u32 = 22;
pub(super) const FILTER_FILTER: u32 = 23;
pub(super) const DEVICE_DISCONNECT_ACK: u32 = 24;

pub(super) const CONTROL_PACKET: u32 = 100;
pub(super) const BULK_PACKET: u32 = 101;
pub(super) const ISO_PACKET: u32 = 102;
pub(super) const INTERRUPT_PACKET: u32 = 103;
