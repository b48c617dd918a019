//! Hot reload: when the policy's files change, the new policy is put in force, or the old one stays.

use std::path::Path;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::WatchedPolicy;
use super::metrics::reloaded;
use crate::compile::Severity;
use crate::policy::{LoadError, load};
use crate::runtime::PolicyHandle;

/// Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// Watches a policy until the handle's program ends; also reloads on SIGHUP.
///
/// # Errors
/// When the path cannot be watched.
pub fn watch(
    policy: WatchedPolicy,
    handle: PolicyHandle,
) -> Result<notify::RecommendedWatcher, notify::Error> {
    let (changed, mut changes) = mpsc::channel::<()>(1);
    let on_change = changed.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // One pending change is as good as many.
            let _ = on_change.try_send(());
        }
    })?;
    // A file's folder: files are replaced by renaming others over them.
    let folder = match policy.path.parent() {
        _ if policy.path.is_dir() => policy.path.as_path(),
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = if policy.path.is_dir() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
    watcher.watch(folder, mode)?;
    on_hangup(changed);
    tokio::spawn(async move {
        while changes.recv().await.is_some() {
            tokio::time::sleep(SETTLE).await;
            while changes.try_recv().is_ok() {}
            let (policy, handle) = (policy.clone(), handle.clone());
            if let Err(error) = tokio::task::spawn_blocking(move || reload(&policy, &handle)).await {
                tracing::error!(%error, "reloading the policy failed; the old one stays in force");
            }
        }
    });
    Ok(watcher)
}

#[cfg(unix)]
fn on_hangup(changed: mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut hangup) = signal(SignalKind::hangup()) {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                let _ = changed.try_send(());
            }
        });
    }
}

#[cfg(not(unix))]
fn on_hangup(_: mpsc::Sender<()>) {}

/// Puts what is on disk in force, if it is a policy.
fn reload(policy: &WatchedPolicy, handle: &PolicyHandle) {
    let old = handle.get().describe().digest;
    let loaded = match load(&policy.path) {
        Ok(loaded) => loaded,
        Err(error) => {
            if let LoadError::Invalid(diagnostics) = &error {
                for diagnostic in diagnostics.iter().filter(|d| d.severity == Severity::Error) {
                    eprintln!("{}\n", diagnostic.render(false));
                }
            }
            tracing::error!(%error, policy = old, "POLICY NOT RELOADED: the old one stays in force");
            reloaded("policy", false);
            return;
        }
    };
    let next = policy.target.open(&loaded.bundle, &policy.trust);
    let new = next.describe().digest;
    if new == old && !new.is_empty() {
        return;
    }
    match handle.replace(next) {
        Ok(()) => {
            reloaded("policy", true);
            tracing::info!(policy = new, old, "policy reloaded");
        }
        Err(error) => {
            reloaded("policy", false);
            tracing::error!(error, policy = old, "POLICY NOT RELOADED: the old one stays in force");
        }
    }
}
