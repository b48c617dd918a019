//! STUB
use crate::workspace::Workspace;
use anyhow::Result;
/// Quickstart
#[derive(clap::Args)]
pub struct Args {}
pub fn run(_: &Workspace, _: &Args) -> Result<bool> {
    Ok(true)
}
