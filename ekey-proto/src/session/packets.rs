//! What each verified packet of the key means for the session.

use super::channel::ChannelKey;
use super::host::{Rekey, Session};
use super::instant::Instant;
use super::output::{Event, Output};
use super::state::State;
use crate::crypt::{EntropyBlock, SessionCrypt, Verified};
use crate::wire::{Badness, DeviceEntropy, Info, Packet, SubCode};

impl Session {
    pub(super) fn handle_packet(&mut self, now: Instant, packet: Verified<Packet>) {
        match packet.get() {
            Packet::NeedSessionKey => self.handle_need_of_session_key(now),
            Packet::SessionRekeyed(device) => self.handle_session_rekeyed(now, *device),
            Packet::Info(info) => self.handle_info(now, *info),
            Packet::GeneratorsBad(_) => self.handle_generators_bad(packet),
            Packet::UnknownInput(_) => {
                self.counters.unknown_input += 1;
                self.outputs.push(Output::Event(Event::Message(packet.into_inner())));
            }
            Packet::Serial { .. }
            | Packet::Entropy(_)
            | Packet::LongTermUnlocked
            | Packet::LongTermRekeyed(_)
            | Packet::LongTermRefused(_)
            | Packet::Unknown(_) => {
                self.counters.unexpected += 1;
                self.outputs.push(Output::Event(Event::Message(packet.into_inner())));
            }
        }
    }

    fn handle_need_of_session_key(&mut self, now: Instant) {
        if matches!(self.state, State::SerialOk | State::Keying | State::Running) {
            self.ask_for_nonce_soon(now);
        }
    }

    fn handle_session_rekeyed(&mut self, now: Instant, device: DeviceEntropy) {
        let Rekey::Sent { nonce, long_term_key, .. } = core::mem::replace(&mut self.rekey, Rekey::Idle) else {
            self.counters.unexpected += 1;
            return self.start_over(now);
        };
        let Some(channel) = &mut self.channel else { return };
        if usize::from(device.nonce_len) != nonce.as_bytes().len() {
            self.counters.malformed += 1;
            return self.start_over(now);
        }
        let key = long_term_key.session_key(&channel.serial, &device, nonce.as_bytes());
        channel.crypt = Some(SessionCrypt::new(&channel.serial, &key));
        channel.key = ChannelKey::Session { last_sequence: None, blocks: 0, fresh: true };
        self.counters.rekeys += 1;
    }

    /// Returns the block if the channel has a session key and the sequence number is higher than all before.
    pub(super) fn handle_entropy(
        &mut self,
        now: Instant,
        sequence: SubCode,
        block: EntropyBlock,
    ) -> Option<EntropyBlock> {
        let key = self.channel.as_mut().map(|channel| &mut channel.key);
        let (Some(ChannelKey::Session { last_sequence, blocks, .. }), None) = (key, self.badness) else {
            self.counters.unexpected += 1;
            return None;
        };
        let next = last_sequence.map_or(0, |last| last + 1);
        if sequence.value() < next {
            self.counters.replayed += 1;
            if next > SubCode::MAX {
                // This session is used up, and a key that goes on in it may never ask for the next one.
                self.ask_for_nonce_soon(now);
            }
            return None;
        }
        self.counters.lost += u64::from(sequence.value() - next);
        *last_sequence = Some(sequence.value());
        self.counters.entropy_blocks += 1;
        // A sequence number higher than all before is new, so this never exceeds their count.
        *blocks += 1;
        let has_skipped_most = *blocks <= SubCode::MAX / 2;
        match sequence.value() {
            SubCode::MAX if has_skipped_most => self.ask_for_nonce_soon(now),
            SubCode::MAX => self.ask_for_nonce(now),
            _ => {}
        }
        Some(block)
    }

    /// Only the key's own report clears a badness that it reported: neither a reset nor silence does.
    fn handle_info(&mut self, now: Instant, info: Info) {
        match info.generators.map(|generators| generators.badness) {
            Some(Badness::NONE) if self.badness.take().is_some() => {
                if self.is_expected_key() {
                    self.enter(State::SerialOk);
                    self.ask_for_nonce_soon(now);
                } else {
                    self.enter(State::WrongSerial);
                }
            }
            Some(Badness::NONE) | None => {}
            Some(badness) => self.stop_trusting(badness),
        }
        self.outputs.push(Output::Event(Event::Info(info)));
    }

    fn handle_generators_bad(&mut self, packet: Verified<Packet>) {
        self.stop_trusting(self.badness.unwrap_or(Badness::UNSTATED));
        self.outputs.push(Output::Event(Event::Message(packet.into_inner())));
    }

    fn stop_trusting(&mut self, badness: Badness) {
        self.badness = Some(badness);
        self.rekey = Rekey::Idle;
        self.enter(State::SelfStopped(badness));
    }
}
