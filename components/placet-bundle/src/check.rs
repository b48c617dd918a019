//! What must be true of a policy before it decides anything. References are checked again where they are used; this
//! catches a bundle that was never a compiler's.

use placet_cel::Program;
use placet_engine::PolicySet;
use placet_engine::policy::{Count, Per};

pub(super) fn is_sound(set: &PolicySet) -> bool {
    let file = |n: u32| (n as usize) < set.files.len();
    let files = set.files.iter().all(|f| (f.layer as usize) < set.layers.len());
    let rules = set.rules.iter().all(|r| file(r.file) && !r.tools.is_empty());
    let owners = set.tools.iter().map(|t| t.file).chain(set.limits.iter().map(|l| l.file));
    let owners = owners.chain(set.remember.iter().map(|r| r.file)).chain(set.results.iter().map(|r| r.file));
    let owners = owners.chain(set.roles.iter().map(|r| r.file)).chain(set.actors.iter().map(|a| a.file));
    files
        && rules
        && owners.into_iter().all(file)
        && programs(set).all(|program| program.is_well_formed(&set.pool))
}

fn programs(set: &PolicySet) -> impl Iterator<Item = &Program> {
    let rules = set.rules.iter().filter_map(|rule| rule.when.as_ref());
    let tools = set.tools.iter().filter_map(|tool| tool.scope.as_ref());
    let remember = set.remember.iter().flat_map(|r| r.when.iter().chain(&r.key));
    let limits = set.limits.iter().flat_map(|limit| {
        let counted = match &limit.count {
            Count::Charges { cost, settle } => [cost.as_ref(), settle.as_ref()],
            Count::Denied | Count::Identical => [None, None],
        };
        let per = limit
            .per
            .iter()
            .filter_map(|per| if let Per::Expr(program) = per { Some(program) } else { None });
        counted.into_iter().flatten().chain(per)
    });
    rules.chain(tools).chain(remember).chain(limits)
}
