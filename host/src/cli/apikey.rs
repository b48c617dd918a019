//! `placet apikey`: a new API key for an agent.

use jiff::{SignedDuration, Timestamp};
use placet_pep::Identity;
use serde_json::json;

use super::{Exit, Format, Output};
use crate::gateway::auth::generate;

/// Make an API key for an agent, and the entry by which the gateway knows it
///
/// The key is printed once and kept nowhere. The entry goes under `keys:` in the file that `auth.api_keys` names.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the key is called in the file
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose policies and state
    #[arg(long)]
    tenant: String,
    /// The agent's id
    #[arg(long)]
    agent: String,
    /// A role of that agent; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The person it acts for
    #[arg(long)]
    user: Option<String>,
    /// When the key ends, in days from now; otherwise never
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
}

/// Prints key and entry.
pub fn run(args: &Args, out: &Output) -> Exit {
    let Args { name, tenant, agent, roles, user, days } = args;
    let mut identity = json!({ "tenant": tenant, "agent": { "id": agent, "roles": roles } });
    if let Some(user) = user {
        identity["user"] = json!({ "id": user });
    }
    let identity: Identity = match serde_json::from_value(identity) {
        Ok(identity) => identity,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let end = |days: u16| Timestamp::now().checked_add(SignedDuration::from_hours(24 * i64::from(days)));
    let expires = match days.map(end).transpose() {
        Ok(expires) => expires,
        Err(error) => return out.fail(Exit::Usage, format_args!("`--days`: {error}")),
    };
    let (key, entry) = match generate(name, identity, expires) {
        Ok(made) => made,
        Err(error) => return out.fail(Exit::Internal, error),
    };
    let entry = json!(entry);
    match out.format {
        Format::Text => {
            println!("key (shown once; send it as `Authorization: Bearer …`)\n  {key}");
            println!("entry (add it to the file of keys, below `keys:`)\n  - {entry}");
        }
        Format::Json => println!("{}", json!({ "key": key, "entry": entry })),
    }
    Exit::Done
}
