//! What Spin adds to WASI: variables, and `wasi:keyvalue` over a [`Store`].

use wasmtime::component::{Accessor, HasData, HasSelf, Linker, Resource};

use crate::Instance;
use crate::store::{Down, Store};

mod bindings {
    wasmtime::component::bindgen!({
        inline: r#"
            package placet:spin;

            world spin {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import spin:variables/variables@3.0.0;
            }

            package wasi:keyvalue@0.2.0-draft2 {
                interface store {
                    variant error { no-such-store, access-denied, other(string) }
                    open: func(identifier: string) -> result<bucket, error>;
                    resource bucket {
                        exists: func(key: string) -> result<bool, error>;
                    }
                }
                interface atomics {
                    use store.{bucket, error};
                    variant cas-error { store-error(error), cas-failed(cas) }
                    resource cas {
                        new: static func(bucket: borrow<bucket>, key: string) -> result<cas, error>;
                        current: func() -> result<option<list<u8>>, error>;
                    }
                    increment: func(bucket: borrow<bucket>, key: string, delta: s64) -> result<s64, error>;
                    swap: func(cas: cas, value: list<u8>) -> result<_, cas-error>;
                }
            }

            package spin:variables@3.0.0 {
                interface variables {
                    variant error { invalid-name(string), undefined(string), provider(string), other(string) }
                    get: async func(name: string) -> result<string, error>;
                }
            }
        "#,
        with: {
            "wasi:keyvalue/store.bucket": super::Bucket,
            "wasi:keyvalue/atomics.cas": super::Cas,
        },
        imports: { default: trappable },
    });
}

use bindings::spin::variables::variables;
use bindings::wasi::keyvalue::{atomics, store};

/// The one label that there is.
const LABEL: &str = "default";

/// An open store.
pub struct Bucket(Store);

/// A swap that has begun.
pub struct Cas {
    store: Store,
    key: String,
    seen: Option<u64>,
}

pub fn add_to_linker(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<Instance>>(linker, |instance| instance)?;
    atomics::add_to_linker::<_, HasSelf<Instance>>(linker, |instance| instance)?;
    variables::add_to_linker::<_, Variables>(linker, |instance| instance)
}

struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut Instance;
}

impl variables::Host for &mut Instance {}

impl<T: Send> variables::HostWithStore<T> for Variables {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, variables::Error>> {
        let value = accessor.with(|mut access| access.get().around.variables.get(&name).cloned());
        Ok(value.ok_or(variables::Error::Undefined(name)))
    }
}

fn down(_: Down) -> store::Error {
    store::Error::Other("the store is down".to_owned())
}

impl store::Host for Instance {
    fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        if label != LABEL {
            return Ok(Err(store::Error::NoSuchStore));
        }
        let bucket = Bucket(self.around.store.clone());
        Ok(Ok(self.table.push(bucket)?))
    }
}

impl store::HostBucket for Instance {
    fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, store::Error>> {
        Ok(self.table.get(&bucket)?.0.get(&key).map(|found| found.is_some()).map_err(down))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Instance {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        Ok(self.table.get(&bucket)?.0.increment(&key, delta).map_err(down))
    }

    fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas { store, key, seen } = self.table.delete(cas)?;
        match store.swap(&key, seen, &value) {
            Ok(true) => Ok(Ok(())),
            Ok(false) => {
                let seen = store.get(&key).ok().flatten().map(|(version, _)| version);
                Ok(Err(atomics::CasError::CasFailed(self.table.push(Cas { store, key, seen })?)))
            }
            Err(error) => Ok(Err(atomics::CasError::StoreError(down(error)))),
        }
    }
}

impl atomics::HostCas for Instance {
    fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let store = self.table.get(&bucket)?.0.clone();
        Ok(Ok(self.table.push(Cas { store, key, seen: None })?))
    }

    fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let cas = self.table.get_mut(&cas)?;
        Ok(cas.store.get(&cas.key).map_err(down).map(|found| {
            let (version, bytes) = found.unzip();
            cas.seen = version;
            bytes
        }))
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
