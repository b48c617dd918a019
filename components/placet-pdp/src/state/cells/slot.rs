//! One slot: the entries that hash to one cell.

use serde::{Deserialize, Serialize};

use super::Bounds;

/// First byte of a slot.
const VERSION: u8 = 1;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The state of a session.
    Session,
    /// The charges of a counter.
    Counter,
}

/// One session, or one counter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry<'a> {
    pub kind: Kind,
    pub tenant: &'a str,
    pub key: &'a str,
    /// A session's version; of a counter, the greatest window it has been used with, in milliseconds.
    pub number: u64,
    /// The latest time at which it was written, by the calls' own clock; nanoseconds since the epoch.
    pub seen: i128,
    pub bytes: &'a [u8],
}

/// The entries of one cell.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Slot<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

/// The name of the cell that a key belongs to. Names of one store differ in their last four characters only, so that
/// no two have the same CRC-32: proxies there are that look cells up by nothing else.
pub fn name(kind: Kind, tenant: &str, key: &str, slots: u32) -> String {
    let kind = match kind {
        Kind::Session => b's',
        Kind::Counter => b'c',
    };
    // FNV-1a; the length of the tenant keeps ("ab", "c") and ("a", "bc") apart.
    let length = (tenant.len() as u64).to_le_bytes();
    let bytes = [kind].into_iter().chain(length).chain(tenant.bytes()).chain(key.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let slot = (hash ^ (hash >> 32)).checked_rem(u64::from(slots)).unwrap_or(0);
    format!("placet/1/{slots:05}/{slot:04x}")
}

impl<'a> Slot<'a> {
    /// Reads a slot; `None` when the bytes are of another version or damaged.
    pub fn decode(bytes: &'a [u8]) -> Option<Slot<'a>> {
        let Some((&VERSION, rest)) = bytes.split_first() else { return None };
        let (slot, rest) = postcard::take_from_bytes(rest).ok()?;
        rest.is_empty().then_some(slot)
    }

    /// The entry of a key.
    pub fn find(&self, kind: Kind, tenant: &str, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.is(kind, tenant, key))
    }

    /// The slot's bytes with an entry put or replaced. What has expired is dropped when there is no room; `None` when
    /// there still is none.
    pub fn with(&self, put: Entry<'_>, now: i128, bounds: &Bounds) -> Option<Vec<u8>> {
        let others = || self.entries.iter().filter(|entry| !entry.is(put.kind, put.tenant, put.key));
        let mut entries: Vec<&Entry<'_>> = others().collect();
        entries.push(&put);
        if !fits(&entries, put.tenant, bounds) {
            // By its own tenant's time only: nobody's clock ends what is another's.
            let dropped = |entry: &Entry<'_>| entry.tenant == put.tenant && entry.is_expired(now, bounds);
            entries.retain(|entry| !dropped(entry) || entry.is(put.kind, put.tenant, put.key));
            if !fits(&entries, put.tenant, bounds) {
                return None;
            }
        }
        postcard::to_extend(&entries, vec![VERSION]).ok()
    }
}

/// Whether so many entries fit, the tenant's own into its share.
fn fits(entries: &[&Entry<'_>], tenant: &str, bounds: &Bounds) -> bool {
    let of_tenant = entries.iter().filter(|entry| entry.tenant == tenant);
    of_tenant.map(|entry| entry.size()).sum::<usize>() <= bounds.share
        && entries.iter().map(|entry| entry.size()).sum::<usize>() <= bounds.slot
}

impl Entry<'_> {
    fn is(&self, kind: Kind, tenant: &str, key: &str) -> bool {
        self.kind == kind && self.tenant == tenant && self.key == key
    }

    /// Its size in bytes, never too small: kind, three lengths, number and time take at most 44.
    fn size(&self) -> usize {
        const AROUND: usize = 48;
        [self.tenant.len(), self.key.len(), self.bytes.len(), AROUND]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// Whether nothing in it can count any more for calls that are not too much out of order.
    fn is_expired(&self, now: i128, bounds: &Bounds) -> bool {
        let keep = match self.kind {
            Kind::Session => nanos(bounds.idle_ms),
            // Pooled charges count a part of the window longer.
            Kind::Counter => {
                let window = nanos(self.number);
                nanos(bounds.disorder_ms).saturating_add(window).saturating_add(window / 64)
            }
        };
        self.seen.saturating_add(keep) <= now
    }
}

fn nanos(ms: u64) -> i128 {
    i128::from(ms).saturating_mul(1_000_000)
}
