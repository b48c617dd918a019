//! What cases are put to.

mod command;
mod edge;
mod engine;
mod filter;
mod store;
mod wire;

pub use command::Command;
pub use edge::Edge;
pub use engine::Engine;
pub use filter::{Filter, Modules};

use std::path::{Path, PathBuf};

use placet::artifact::Guest;
use placet::runtime::COMPONENT;

use crate::case::Case;
use crate::check::CameOut;
use crate::policy::{Policies, Policy};
use crate::proxy::Kind;

/// Something that decides.
pub trait Target: Send + Sync {
    /// What its trials begin with.
    fn name(&self) -> &str;

    /// Whether a case can be put to it at all.
    fn takes(&self, case: &Case) -> bool;

    /// Whether it takes policies that nobody has seen before, by the thousand.
    fn takes_generated(&self) -> bool {
        true
    }

    /// Runs the steps of a case on fresh state.
    ///
    /// # Errors
    /// When it could not run them, or did what no decision explains.
    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String>;
}

/// A guest that this `placet` carries.
///
/// # Errors
/// When it does not.
pub fn guest(kind: &str) -> Result<&'static Guest, String> {
    Guest::of(kind).ok_or_else(|| format!("this `placet` carries no guest `{kind}`"))
}

/// The targets that are given each policy: the component, and the filter with another policy inside.
///
/// # Errors
/// When one does not start.
pub fn given() -> Result<Vec<Box<dyn Target>>, String> {
    let component = Engine::component("component-bundle-in-config", COMPONENT)?;
    let inside = Policies::new(&crate::root().join("policies")).get("shadow-only", Default::default())?;
    let artifact = guest("filter")?.build(&inside.bundle).map_err(|error| error.to_string())?;
    let filter = Filter::new("filter-bundle-in-config", &Modules::configured(artifact.wasm), Kind::Envoy);
    Ok(vec![Box::new(component), Box::new(filter)])
}

/// The targets that have each policy inside, as `placet build` makes them: the component, and the filter in Envoy and
/// in Kong.
///
/// # Errors
/// When one does not start.
pub fn built() -> Result<Vec<Box<dyn Target>>, String> {
    let modules = Modules::built(guest("filter")?);
    Ok(vec![
        Box::new(Engine::built("component", guest("component")?)),
        Box::new(Filter::new("filter", &modules, Kind::Envoy)),
        Box::new(Filter::new("filter-kong", &modules, Kind::Kong)),
    ])
}

/// The program in which the component for Spin runs, beside the programs of this build.
pub fn edge_world() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let program = format!("placet-edge-world{}", std::env::consts::EXE_SUFFIX);
    this.ancestors().map(|folder| folder.join(&program)).find(|path| path.is_file())
}

/// The component for Spin, with each policy inside, and with another one inside and each policy given by its variables.
///
/// # Errors
/// When one does not start.
pub fn edges(world: &Path) -> Result<Vec<Box<dyn Target>>, String> {
    let guest = guest("spin")?;
    let inside = Policies::new(&crate::root().join("policies")).get("shadow-only", Default::default())?;
    Ok(vec![
        Box::new(Edge::start("edge", guest, None, world)?),
        Box::new(Edge::start("edge-bundle-in-config", guest, Some((*inside).clone()), world)?),
    ])
}
