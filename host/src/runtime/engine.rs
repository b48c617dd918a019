//! The component, compiled once, and what an instance of it may use.

use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

use super::instance::Guarded;
use super::instance::bindings::PolicyPre;

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(10);

/// What one instance may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Time for one decision; looked at every 10 ms.
    pub decision: Duration,
    /// Time for loading a policy.
    pub load: Duration,
    /// Bytes of memory.
    pub memory: usize,
    /// How many instances one policy may have: as many decisions run at once, others wait.
    pub instances: usize,
}

impl Default for Budget {
    /// A second for a decision, half a minute for loading, 256 MiB, 32 instances.
    fn default() -> Self {
        Budget {
            decision: Duration::from_secs(1),
            load: Duration::from_secs(30),
            memory: 256 << 20,
            instances: 32,
        }
    }
}

/// A policy component, compiled and ready to be instantiated.
pub struct Component {
    pub(super) engine: Engine,
    pub(super) pre: PolicyPre<Guarded>,
    pub(super) budget: Budget,
}

/// The component or the machine is not what this program was built for.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the policy component: {0:#}")]
pub struct StartError(wasmtime::Error);

impl Component {
    /// Compiles the component that this program carries.
    ///
    /// # Errors
    /// When Wasmtime does not run here.
    pub fn new(budget: Budget) -> Result<Component, StartError> {
        Component::from_wasm(super::COMPONENT, budget)
    }

    /// Compiles another component of the world `placet:policy/policy`.
    ///
    /// # Errors
    /// When it is not one, or imports anything.
    pub fn from_wasm(wasm: &[u8], budget: Budget) -> Result<Component, StartError> {
        let engine = Engine::new(&config(&budget)).map_err(StartError)?;
        let component = wasmtime::component::Component::new(&engine, wasm).map_err(StartError)?;
        // An empty linker: a component that imports anything does not start.
        let pre = Linker::new(&engine).instantiate_pre(&component).and_then(PolicyPre::new);
        let pre = pre.map_err(StartError)?;
        tick(&engine).map_err(StartError)?;
        Ok(Component { engine, pre, budget })
    }
}

/// Ticks until a deadline so far away has passed; none at all for no time at all.
pub(super) fn ticks(time: Duration) -> u64 {
    let ticks = time.as_millis().div_ceil(TICK.as_millis());
    u64::try_from(ticks).map_or(u64::MAX / 2, |ticks| if ticks == 0 { 0 } else { ticks + 1 })
}

fn config(budget: &Budget) -> Config {
    // Twice: while a policy is swapped, instances of the old one are still in use.
    let instances = u32::try_from(budget.instances.saturating_mul(2)).unwrap_or(u32::MAX);
    let mut pooling = PoolingAllocationConfig::new();
    pooling.total_component_instances(instances).total_core_instances(instances).total_memories(instances);
    pooling.total_tables(instances).max_unused_warm_slots(0);
    pooling.max_core_instances_per_component(4).max_memories_per_component(1).max_tables_per_component(2);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    config.cranelift_opt_level(OptLevel::Speed).parallel_compilation(true).epoch_interruption(true);
    config.wasm_relaxed_simd(false).wasm_simd(false).wasm_multi_memory(false).wasm_memory64(false);
    // Where there is no folder to keep compiled code in, it is compiled each time.
    config.cache(Cache::new(CacheConfig::new()).ok());
    config.wasm_tail_call(false).wasm_component_model(true).wasm_backtrace_max_frames(None);
    config
}

/// Moves the engine's clock on for as long as the engine lives.
fn tick(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("placet-epoch".to_owned()).spawn(run)?;
    Ok(())
}
