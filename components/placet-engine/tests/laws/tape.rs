//! Choices drawn from a list of numbers, so that proptest shrinks a policy by shrinking numbers.

use proptest::prelude::*;

/// The numbers that one case is made from. When they run out, every choice is the first.
pub struct Tape<'t> {
    words: &'t [u32],
    at: usize,
}

/// The numbers themselves; not worth printing.
#[derive(Clone)]
pub struct Words(Vec<u32>);

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.0.len())
    }
}

/// Numbers for one case.
pub fn words() -> impl Strategy<Value = Words> {
    prop::collection::vec(0_u32..1 << 16, 0..700).prop_map(Words)
}

/// So many cases, the same ones in every run unless `PROPTEST_RNG_SEED` says otherwise.
pub fn cases(count: u32, seed: u64) -> ProptestConfig {
    let mut config = ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = proptest::test_runner::RngSeed::Fixed(seed);
    }
    config
}

impl<'t> Tape<'t> {
    pub fn new(words: &'t Words) -> Tape<'t> {
        Tape { words: &words.0, at: 0 }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let word = self.words.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        word as usize % n
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub fn text(&mut self, of: &[&str]) -> String {
        of[self.below(of.len())].to_owned()
    }

    /// Fewer than `n` texts, sorted, each once; mostly none.
    pub fn few(&mut self, n: usize, of: &[&str]) -> Vec<String> {
        let count = if self.one_in(3) { 1 + self.below(n - 1) } else { 0 };
        let mut texts: Vec<String> = (0..count).map(|_| self.text(of)).collect();
        texts.sort();
        texts.dedup();
        texts
    }
}
