//! Which policy files apply to a call.

use placet_cel::text::glob;
use placet_model::{Call, Principal};

use crate::policy::{PolicySet, PrincipalSelector, Selector};

/// Indexes of the files that apply, sorted. `None` when the tenant is not known.
pub fn files(set: &PolicySet, call: &Call<'_>) -> Option<Vec<u32>> {
    let tenant = &*call.tenant;
    if let Some(tenants) = &set.tenants
        && tenants.binary_search_by(|t| t.as_str().cmp(tenant)).is_err()
    {
        return None;
    }
    let applies = |&file: &u32| set.files.get(file as usize).is_some_and(|f| selects(&f.applies, call));
    Some(set.index.files(tenant).filter(applies).collect())
}

/// Whether a selector accepts a call. All its parts must; an empty part accepts anything.
pub fn selects(selector: &Selector, call: &Call<'_>) -> bool {
    let Selector { tenants, projects, envs, agents, users } = selector;
    (tenants.is_empty() || tenants.iter().any(|t| *t == call.tenant))
        && one_of(projects, call.project.as_deref())
        && one_of(envs, call.env.as_deref())
        && principal(agents, Some(&call.agent))
        && principal(users, call.user.as_ref())
}

fn one_of(globs: &[String], value: Option<&str>) -> bool {
    globs.is_empty()
        || value.is_some_and(|value| globs.iter().any(|g| glob::matches(value, g).unwrap_or(false)))
}

fn principal(selector: &PrincipalSelector, who: Option<&Principal<'_>>) -> bool {
    let PrincipalSelector { ids, roles } = selector;
    one_of(ids, who.map(|p| &*p.id))
        && (roles.is_empty()
            || who.is_some_and(|p| p.roles.iter().any(|role| roles.iter().any(|r| **r == **role))))
}
