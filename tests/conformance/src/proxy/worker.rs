//! One worker of the proxy, with its instance of the module.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use wasmtime::{Cache, CacheConfig, Config, Engine, Linker, OptLevel, Store, TypedFunc};

use super::memory::{Kind, Memory, Shared};

/// A module for the ABI, compiled, and ready to be instantiated by workers.
pub struct Module {
    engine: Engine,
    module: wasmtime::Module,
}

impl Module {
    /// Compiles a module.
    ///
    /// # Errors
    /// When it is none, or not for this version of the ABI.
    pub fn new(wasm: &[u8]) -> wasmtime::Result<Module> {
        let mut config = Config::new();
        // Compiling takes longer than running.
        config.cranelift_opt_level(OptLevel::None).parallel_compilation(true);
        // Where there is no folder to keep compiled code in, it is compiled each time.
        config.cache(Cache::new(CacheConfig::new()).ok());
        let engine = Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, wasm)?;
        if module.get_export("proxy_abi_version_0_2_1").is_none() {
            return Err(wasmtime::Error::msg("the module is not for the proxy-wasm ABI 0.2.1"));
        }
        Ok(Module { engine, module })
    }
}

/// A worker.
pub struct Worker {
    /// What it holds.
    pub(super) store: Store<Memory>,
    instance: wasmtime::Instance,
    /// The plugins' root contexts, by their names.
    roots: HashMap<String, u32>,
    contexts: u32,
}

impl Worker {
    /// Starts the module as a proxy's worker does.
    ///
    /// # Errors
    /// When the module cannot be instantiated or traps.
    pub fn start(module: &Module, kind: Kind, shared: &Arc<Mutex<Shared>>) -> wasmtime::Result<Worker> {
        let mut linker = Linker::new(&module.engine);
        super::abi::define(&mut linker)?;
        linker.define_unknown_imports_as_traps(&module.module)?;
        let memory = Memory { shared: shared.clone(), ..Memory::new(kind) };
        let mut store = Store::new(&module.engine, memory);
        let instance = linker.instantiate(&mut store, &module.module)?;
        let mut worker = Worker { store, instance, roots: HashMap::new(), contexts: 0 };
        for start in ["_initialize", "_start"] {
            if let Ok(start) = worker.instance.get_typed_func::<(), ()>(&mut worker.store, start) {
                start.call(&mut worker.store, ())?;
                break;
            }
        }
        Ok(worker)
    }

    /// What the worker holds.
    pub fn memory(&mut self) -> &mut Memory {
        self.store.data_mut()
    }

    /// How many plugins it serves.
    pub fn plugins(&self) -> usize {
        self.roots.len()
    }

    /// The root context of a plugin, which is configured when it is first asked for.
    ///
    /// # Errors
    /// When the module traps or does not take the configuration.
    pub fn root(&mut self, plugin: &str, configuration: impl FnOnce() -> String) -> wasmtime::Result<u32> {
        if let Some(root) = self.roots.get(plugin) {
            return Ok(*root);
        }
        let configuration = configuration().into_bytes();
        let length = i32::try_from(configuration.len())?;
        self.store.data_mut().configuration = configuration;
        let root = self.create(0)?;
        let started = self.call::<(i32, i32), i32>("proxy_on_vm_start", root, |id| (id, 0))?;
        let taken = self.call::<(i32, i32), i32>("proxy_on_configure", root, |id| (id, length))?;
        if started == 0 || taken == 0 {
            return Err(wasmtime::Error::msg(format!("`{plugin}` was not started: {:?}", self.memory().log)));
        }
        self.roots.insert(plugin.to_owned(), root);
        Ok(root)
    }

    /// A new context below a root, or a new root.
    pub(super) fn create(&mut self, parent: u32) -> wasmtime::Result<u32> {
        self.contexts += 1;
        let context = self.contexts;
        self.call::<(i32, i32), ()>("proxy_on_context_create", context, |id| (id, parent as i32))?;
        Ok(context)
    }

    /// Ends a context.
    pub(super) fn delete(&mut self, context: u32) -> wasmtime::Result<()> {
        self.call::<i32, i32>("proxy_on_done", context, |id| id)?;
        self.call::<i32, ()>("proxy_on_log", context, |id| id)?;
        self.call::<i32, ()>("proxy_on_delete", context, |id| id)
    }

    /// Calls a function of the module for a context.
    pub(super) fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
        context: u32,
        arguments: impl FnOnce(i32) -> P,
    ) -> wasmtime::Result<R> {
        let function: TypedFunc<P, R> = self.instance.get_typed_func(&mut self.store, name)?;
        self.store.data_mut().context = context;
        function.call(&mut self.store, arguments(context as i32))
    }
}
