//! Choices from a list of numbers.

/// The numbers that one trace is made of. When they run out, every choice is the first.
pub struct Tape<'t> {
    words: &'t [u16],
    at: usize,
}

impl<'t> Tape<'t> {
    /// Choices from these numbers.
    pub fn new(words: &'t [u16]) -> Tape<'t> {
        Tape { words, at: 0 }
    }

    /// The same numbers for the same seed (SplitMix64).
    pub fn words(seed: u64) -> Vec<u16> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 16) as u16
        };
        (0..600).map(|_| next()).collect()
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let word = self.words.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(word) % n.max(1)
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) + 1 == n
    }

    /// One of these.
    pub(super) fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}
