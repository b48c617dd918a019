//! Roles: whether the agent, its user and every actor of the chain may use a tool's capability scope.
//!
//! Roles never add a right; they take away what nobody in the delegation may do. They speak about a scope when the
//! principal holds a role that the layer defines, or when some role of the layer names the scope at all. A scope that
//! no role names is left to the rules for principals without a role.

use placet_cel::text::glob;
use placet_model::Call;

use crate::policy::{PolicySet, Role};

/// Whether all who act may use `scope`, by the roles of these files (all of one layer).
pub fn permits(set: &PolicySet, files: &[u32], call: &Call<'_>, scope: &str) -> bool {
    let roles: Vec<&Role> = set.roles.iter().filter(|role| files.contains(&role.file)).collect();
    if roles.is_empty() {
        return true;
    }
    let held = |names: &[std::borrow::Cow<'_, str>]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let agent = may(&roles, &held(&call.agent.roles), &[], scope);
    let user =
        call.user.as_ref().is_none_or(|user| may(&roles, &held(&user.roles), &held(&user.scopes), scope));
    let chain = call.chain.iter().all(|actor| {
        let mut names = Vec::new();
        for known in set.actors.iter().filter(|a| files.contains(&a.file) && *a.id == **actor) {
            names.extend(known.roles.iter().cloned());
        }
        may(&roles, &names, &[], scope)
    });
    agent && user && chain
}

/// Whether one principal may: a denied scope stays denied, then a role or one of its own scopes must allow it.
fn may(roles: &[&Role], names: &[String], scopes: &[String], scope: &str) -> bool {
    let covers = |globs: &[String]| globs.iter().any(|g| glob::matches(scope, g).unwrap_or(false));
    let held: Vec<&&Role> = roles.iter().filter(|role| names.contains(&role.name)).collect();
    if held.iter().any(|role| covers(&role.deny)) {
        return false;
    }
    if held.iter().any(|role| covers(&role.allow)) || covers(scopes) {
        return true;
    }
    let spoken_of = roles.iter().any(|role| covers(&role.allow) || covers(&role.deny));
    held.is_empty() && scopes.is_empty() && !spoken_of
}
