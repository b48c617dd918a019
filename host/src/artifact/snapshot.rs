//! Runs the part of a guest that opens a policy, and keeps the memory that results as the module's initial memory.

use anyhow::{Context as _, anyhow, ensure};
use futures_util::FutureExt as _;
use wasmtime::{Cache, CacheConfig, Config, Engine, Instance, Linker, Memory, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use super::module;

/// The exports of a guest that `placet-embed` adds, and that only this file calls.
const BUFFER: &str = "placet_buffer";
const OPEN: &str = "placet_open";

/// What proxy-wasm modules begin with. Wizer would take it for WASI's, which it runs itself and removes.
const INITIALIZE: &str = "_initialize";
const HIDDEN: &str = "placet_hidden_initialize";

/// A guest's core module with the bundle opened inside it, and without the exports that this took. Nothing that the
/// guest imports is there while it runs: calling it is an error.
///
/// # Errors
/// When the guest does not open the bundle, or is not one.
pub fn open_inside(core: &[u8], bundle: &[u8]) -> anyhow::Result<Vec<u8>> {
    let core = module::with_exports(core, |name| Some(if name == INITIALIZE { HIDDEN } else { name }))?;
    let mut wizer = Wizer::new();
    wizer.init_func(OPEN);
    let (context, instrumented) = wizer.instrument(&core).map_err(plain)?;

    let engine = Engine::new(&config()).map_err(plain)?;
    let compiled = Module::new(&engine, &instrumented).map_err(plain)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&compiled).map_err(plain)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &compiled).map_err(plain)?;
    let mut state = State { instance, store };
    state.open(bundle)?;
    state.clear_stack(&core)?;

    // No future here ever waits.
    let snapshot = wizer.snapshot(&context, &mut state).now_or_never().context("Wizer did not finish")?;
    module::with_exports(&snapshot.map_err(plain)?, |name| match name {
        HIDDEN => Some(INITIALIZE),
        BUFFER | OPEN => None,
        name => Some(name),
    })
}

/// Compiling takes longer than running, so it is done quickly, and kept.
fn config() -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None).parallel_compilation(true);
    config.cache(Cache::new(CacheConfig::new()).ok());
    config
}

/// An instance of a guest, of which Wizer asks what is in it.
struct State {
    instance: Instance,
    store: Store<()>,
}

impl State {
    /// Writes the bundle to the guest's buffer and has it opened.
    fn open(&mut self, bundle: &[u8]) -> anyhow::Result<()> {
        let length = u32::try_from(bundle.len()).context("the bundle is too large")?;
        let buffer = self.instance.get_typed_func::<u32, u32>(&mut self.store, BUFFER).map_err(plain)?;
        let open = self.instance.get_typed_func::<(u32, u32), u32>(&mut self.store, OPEN).map_err(plain)?;
        let address = buffer.call(&mut self.store, length).map_err(plain)?;
        let memory = self.memory("memory")?;
        memory.write(&mut self.store, address as usize, bundle).context("its buffer is not in its memory")?;
        let refused = open.call(&mut self.store, (length, 0)).map_err(plain)?;
        ensure!(
            refused == 0,
            "the guest does not open the bundle: it belongs to another version of this program"
        );
        Ok(())
    }

    /// Nothing is on the stack between two calls; what calls left behind there would only make the module larger.
    fn clear_stack(&mut self, core: &[u8]) -> anyhow::Result<()> {
        let Some(end) = module::first_data(core)? else { return Ok(()) };
        let memory = self.memory("memory")?;
        if let Some(stack) = memory.data_mut(&mut self.store).get_mut(..end as usize) {
            stack.fill(0);
        }
        Ok(())
    }

    fn memory(&mut self, name: &str) -> anyhow::Result<Memory> {
        self.instance.get_memory(&mut self.store, name).with_context(|| format!("it has no memory `{name}`"))
    }
}

impl InstanceState for State {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(bits)) => SnapshotVal::F32(bits),
            Some(Val::F64(bits)) => SnapshotVal::F64(bits),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            other => unreachable!("Wizer exported the global `{name}`, and it is {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => unreachable!("Wizer exported the memory `{name}`"),
        }
    }
}

/// Wasmtime's error with its causes, as one line.
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
