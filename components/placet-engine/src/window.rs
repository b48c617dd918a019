//! A sliding window of charges against a ceiling: exact for many, stricter beyond that, never looser.

use placet_model::Amount;

mod encode;

/// Charges of one key that are kept one by one.
pub const EXACT: usize = 1_024;
/// Into how many parts the window is divided for those beyond.
const PARTS: i128 = 128;

/// The charges of one key. Times are nanoseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The latest time the key has seen: an earlier `now` frees nothing.
    latest: i128,
    /// Time and amount, oldest first.
    exact: Vec<(i128, u64)>,
    /// End of the part of the window that they fell in, and their sum; oldest first.
    pooled: Vec<(i128, u64)>,
}

impl Window {
    /// What counts at this time. A charge taken at `t` counts until `t` + window.
    pub fn sum(&self, window_ms: u64, now: i128) -> Amount {
        let (now, window) = (now.max(self.latest), nanos(window_ms));
        let counts = |&&(at, _): &&(i128, u64)| now < at.saturating_add(window);
        let all = self.exact.iter().filter(counts).chain(self.pooled.iter().filter(counts));
        Amount(all.fold(0, |sum, &(_, amount)| sum.saturating_add(amount)))
    }

    /// Whether a charge fits under the ceiling. Takes nothing.
    pub fn fits(&self, amount: Amount, ceiling: Amount, window_ms: u64, now: i128) -> bool {
        self.sum(window_ms, now).0.checked_add(amount.0).is_some_and(|sum| sum <= ceiling.0)
    }

    /// Takes a charge that [`Window::fits`], and forgets those that no longer count. Returns the time it counts from.
    pub fn take(&mut self, amount: Amount, window_ms: u64, now: i128) -> i128 {
        let window = nanos(window_ms);
        self.latest = self.latest.max(now);
        let now = self.latest;
        self.exact.retain(|&(at, _)| now < at.saturating_add(window));
        self.pooled.retain(|&(end, _)| now < end.saturating_add(window));
        self.exact.push((now, amount.0));
        while self.exact.len() > EXACT {
            let (at, amount) = self.exact.remove(0);
            let part = (window / PARTS).max(1);
            let end = at.div_euclid(part).saturating_add(1).saturating_mul(part);
            match self.pooled.last_mut() {
                Some((last, sum)) if *last == end => *sum = sum.saturating_add(amount),
                _ => self.pooled.push((end, amount)),
            }
        }
        now
    }

    /// Undoes a [`Window::take`] that returned this time. A charge that has been pooled meanwhile stays: stricter.
    pub fn give_back(&mut self, amount: Amount, taken: i128) {
        // One of the same amount that was taken earlier will do: what stays then counts longer, not shorter.
        if let Some(found) = self.exact.iter().rposition(|&(at, of)| at <= taken && of == amount.0) {
            self.exact.remove(found);
        }
    }

    /// Replaces the latest charge of exactly `reserved` by what it turned out to be, at its own time. When there is
    /// none any more, only what goes beyond the reservation is added, now.
    pub fn settle(&mut self, reserved: Amount, actual: Amount, window_ms: u64, now: i128) {
        match self.exact.iter_mut().rev().find(|(_, amount)| *amount == reserved.0) {
            Some((_, amount)) => *amount = actual.0,
            None if actual > reserved => {
                self.take(Amount(actual.0 - reserved.0), window_ms, now);
            }
            None => {}
        }
    }

    /// Whether nothing in it counts any more at this time.
    pub fn is_spent(&self, window_ms: u64, now: i128) -> bool {
        self.sum(window_ms, now) == Amount(0)
    }
}

fn nanos(ms: u64) -> i128 {
    i128::from(ms) * 1_000_000
}

#[cfg(test)]
mod tests;
