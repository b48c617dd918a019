//! A window as bytes, for stores that keep nothing else: a version byte, then differences of times, which are small.

use serde::{Deserialize, Serialize};

use super::{EXACT, Window};

/// First byte of the encoding.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Wire {
    latest: i128,
    /// How much later than the one before (the first: than `latest`), and amount.
    exact: Vec<(i128, u64)>,
    pooled: Vec<(i128, u64)>,
}

impl Window {
    /// The window as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Window { latest, exact, pooled } = self;
        let wire = Wire {
            latest: *latest,
            exact: differences(exact, *latest),
            pooled: differences(pooled, *latest),
        };
        // Writing plain data to memory cannot fail; were it to, nothing is what would not decode.
        postcard::to_extend(&wire, vec![VERSION]).unwrap_or_default()
    }

    /// Reads a window. `None` when the bytes are of another version, or anything that [`Window::encode`] never writes.
    pub fn decode(bytes: &[u8]) -> Option<Window> {
        let Some((&VERSION, rest)) = bytes.split_first() else { return None };
        let (wire, rest) = postcard::take_from_bytes::<Wire>(rest).ok()?;
        let exact = sums(wire.exact, wire.latest);
        let window = Window { latest: wire.latest, pooled: sums(wire.pooled, wire.latest), exact };
        let in_order = window.exact.is_sorted_by_key(|(at, _)| at)
            && window.exact.last().is_none_or(|(at, _)| *at <= window.latest);
        (rest.is_empty() && in_order && window.exact.len() <= EXACT).then_some(window)
    }
}

fn differences(of: &[(i128, u64)], mut from: i128) -> Vec<(i128, u64)> {
    let step = |&(at, amount): &(i128, u64)| {
        let step = at.wrapping_sub(from);
        from = at;
        (step, amount)
    };
    of.iter().map(step).collect()
}

fn sums(mut of: Vec<(i128, u64)>, mut from: i128) -> Vec<(i128, u64)> {
    for (at, _) in &mut of {
        from = from.wrapping_add(*at);
        *at = from;
    }
    of
}
