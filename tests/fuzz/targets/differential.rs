//! Any bytes as the choices that a policy and a trace of calls are made of: every target decides as the reference does.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use placet_conformance::differential::{Tape, compare, generate};
use placet_conformance::target::{self, Engine, Target};

static REFERENCE: LazyLock<Engine> = LazyLock::new(Engine::native);
static TARGETS: LazyLock<Vec<Box<dyn Target>>> = LazyLock::new(|| target::given().unwrap());

fuzz_target!(|data: &[u8]| {
    let words: Vec<u16> = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let found = generate(&mut Tape::new(&words)).unwrap();
    for target in TARGETS.iter() {
        if let Err(difference) = compare(&found, &*REFERENCE, &**target) {
            panic!("{}: {difference}", target.name());
        }
    }
});
