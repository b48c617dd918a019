//! Sessions and counters between requests: in Spin's key-value store, or nowhere.

use placet_pdp::state::cells::{Bounds, CellStore, Cells};

use crate::settings::Settings;

#[cfg(feature = "spin")]
pub fn store(settings: &Settings) -> CellStore<impl Cells> {
    let bucket = spin::Bucket::open(&settings.store);
    CellStore::new(placet_pdp::state::cells::marked::Marked::new(bucket), Bounds::default())
}

#[cfg(not(feature = "spin"))]
pub fn store(_: &Settings) -> CellStore<impl Cells> {
    CellStore::new(nowhere::Nowhere, Bounds::default())
}

#[cfg(feature = "spin")]
mod spin {
    use placet_pdp::state::{Unavailable, cells::marked};
    use spin_sdk::experimental::wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
    use spin_sdk::experimental::wasi::keyvalue::store::{self, Error, open};
    use spin_sdk::wasip3::clocks::system_clock;
    use spin_sdk::wasip3::random::random::get_random_u64;

    pub struct Bucket(Result<store::Bucket, Error>);

    impl Bucket {
        pub fn open(label: &str) -> Bucket {
            Bucket(open(label))
        }

        fn get(&self) -> Result<&store::Bucket, Unavailable> {
            self.0.as_ref().map_err(|_| Unavailable)
        }
    }

    fn unavailable(_: Error) -> Unavailable {
        Unavailable
    }

    impl marked::Bucket for Bucket {
        type Cas = Cas;

        fn read(&self, key: &str) -> Result<(Option<Vec<u8>>, Cas), Unavailable> {
            let cas = Cas::new(self.get()?, key).map_err(unavailable)?;
            Ok((cas.current().map_err(unavailable)?, cas))
        }

        fn swap(&self, cas: Cas, bytes: &[u8]) -> Result<(), Unavailable> {
            match swap(cas, bytes) {
                Ok(()) | Err(CasError::CasFailed(_)) => Ok(()),
                Err(CasError::StoreError(error)) => Err(unavailable(error)),
            }
        }

        fn exists(&self, key: &str) -> Result<bool, Unavailable> {
            self.get()?.exists(key).map_err(unavailable)
        }

        fn count(&self, key: &str) -> Result<i64, Unavailable> {
            increment(self.get()?, key, 1).map_err(unavailable)
        }

        fn mark(&self) -> u64 {
            get_random_u64()
        }

        fn seconds(&self) -> i64 {
            system_clock::now().seconds
        }
    }
}

#[cfg(not(feature = "spin"))]
mod nowhere {
    use placet_pdp::state::{Unavailable, cells::Cells, cells::Held};

    /// An instance has nowhere to keep anything: what needs state is denied.
    pub struct Nowhere;

    impl Cells for Nowhere {
        fn get(&self, _name: &str) -> Result<Option<Held>, Unavailable> {
            Err(Unavailable)
        }

        fn swap(&self, _name: &str, _seen: Option<u64>, _bytes: &[u8]) -> Result<bool, Unavailable> {
            Err(Unavailable)
        }
    }
}
