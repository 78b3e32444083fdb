//! Random numbers that a replay draws again: named streams of ChaCha12, seeded from the run.

use std::collections::HashMap;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// Stands before the name of the stream that WASI draws from. No guest can name it: it is not UTF-8.
const WASI: &[u8] = b"\xffwasi";

/// Stands before the number of a side effect whose streams are seeded. No guest can name it either.
const SIDE_EFFECT: &[u8] = b"\xffside-effect";

/// The streams of one instance. Stream `name` is ChaCha12 (RFC 8439's cipher with 12 rounds, 64-bit counter, nonce zero)
/// with the key SHA-256(seed || name); each draw consumes whole 32-bit words.
pub(crate) struct Random {
    seed: [u8; 32],
    streams: HashMap<String, ChaCha12Rng>,
    wasi: Option<ChaCha12Rng>,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            streams: HashMap::new(),
            wasi: None,
        }
    }

    /// The next `length` bytes of a stream, or none if it would be one stream too many.
    pub(crate) fn draw(&mut self, stream: &str, length: usize, streams_max: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        if let Some(rng) = self.streams.get_mut(stream) {
            rng.fill_bytes(&mut bytes);
            return Some(bytes);
        }
        if self.streams.len() >= streams_max {
            return None;
        }
        let mut rng = generator(&self.seed, stream.as_bytes());
        rng.fill_bytes(&mut bytes);
        self.streams.insert(stream.to_owned(), rng);
        Some(bytes)
    }

    /// The stream behind `wasi:random`.
    pub(crate) fn wasi(&mut self) -> &mut ChaCha12Rng {
        self.wasi.get_or_insert_with(|| generator(&self.seed, WASI))
    }

    /// Begin anew from another seed, as a run does that was reset.
    pub(crate) fn reseed(&mut self, seed: [u8; 32]) {
        *self = Self::new(seed);
    }

    /// The streams of a side effect's function: its own, and others for each of a run's.
    pub(crate) fn of_side_effect(&self, seq: u32) -> Self {
        let seed = Sha256::new()
            .chain_update(self.seed)
            .chain_update(SIDE_EFFECT)
            .chain_update(seq.to_le_bytes());
        Self::new(seed.finalize().into())
    }

    /// From now on `wasi:random` answers from the fixed stream: of what is done before a run begins, and of read-only calls.
    pub(crate) fn fix_wasi(&mut self) {
        self.wasi = Some(generator(&[0; 32], WASI));
    }

    /// From now on `wasi:random` answers from the run's stream, from its beginning.
    pub(crate) fn free_wasi(&mut self) {
        self.wasi = None;
    }
}

fn generator(seed: &[u8; 32], name: &[u8]) -> ChaCha12Rng {
    ChaCha12Rng::from_seed(
        Sha256::new()
            .chain_update(seed)
            .chain_update(name)
            .finalize()
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // W3: the same run draws the same numbers, whatever else it draws in between.
    #[test]
    fn streams_are_independent_and_repeat() {
        let mut a = Random::new([1; 32]);
        let mut b = Random::new([1; 32]);
        let first = a.draw("x", 16, 8).unwrap();
        b.draw("y", 100, 8).unwrap();
        b.wasi().next_u64();
        assert_eq!(b.draw("x", 16, 8).unwrap(), first);
        assert_ne!(a.draw("x", 16, 8).unwrap(), first);
        assert_ne!(Random::new([2; 32]).draw("x", 16, 8).unwrap(), first);
    }

    // E9: a run that was reset draws other numbers than the run that it was reset from.
    #[test]
    fn a_new_seed_begins_every_stream_anew() {
        let mut reset = Random::new([1; 32]);
        let before = reset.draw("x", 16, 8).unwrap();
        let wasi_before = reset.wasi().next_u64();
        reset.reseed([2; 32]);
        let mut other = Random::new([2; 32]);
        let after = reset.draw("x", 16, 8).unwrap();
        assert_ne!(after, before);
        assert_eq!(after, other.draw("x", 16, 8).unwrap());
        let wasi_after = reset.wasi().next_u64();
        assert_ne!(wasi_after, wasi_before);
        assert_eq!(wasi_after, other.wasi().next_u64());
    }

    #[test]
    fn each_side_effect_has_streams_of_its_own() {
        let run = Random::new([1; 32]);
        let draw = |mut random: Random| random.draw("", 16, 8).unwrap();
        let first = draw(run.of_side_effect(1));
        assert_eq!(draw(run.of_side_effect(1)), first);
        assert_ne!(draw(run.of_side_effect(2)), first);
        assert_ne!(draw(Random::new([1; 32])), first);
        assert_ne!(draw(Random::new([2; 32]).of_side_effect(1)), first);
    }

    /// The bytes are part of every history's meaning: they may never change.
    #[test]
    fn the_generator_is_fixed() {
        let bytes = Random::new([0; 32]).draw("workflow", 8, 1).unwrap();
        assert_eq!(hex::encode(bytes), "34f1f9889546ccfe");
    }

    #[test]
    fn one_stream_too_many_is_none() {
        let mut random = Random::new([0; 32]);
        assert!(random.draw("a", 1, 1).is_some());
        assert!(random.draw("b", 1, 1).is_none());
        assert!(random.draw("a", 1, 1).is_some());
    }
}
