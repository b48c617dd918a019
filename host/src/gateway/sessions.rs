//! The sessions that this gateway has opened. Their ids are the gateway's own: an agent cannot choose one, and so cannot
//! step out of what its session remembers by naming another.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Greatest number of sessions at once; the one that has been idle longest makes room.
const MOST: usize = 100_000;

/// Sessions by the id that the agent was given.
#[derive(Debug, Default)]
pub struct Sessions {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<String, Session>,
    uses: u64,
}

#[derive(Debug)]
struct Session {
    /// The server's own id, when it uses sessions.
    upstream: Option<String>,
    used: u64,
}

impl Sessions {
    /// Opens a session over the server's; `None` when the system gives no randomness.
    pub fn open(&self, upstream: Option<String>) -> Option<String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let id = format!("placet-{}", placet_bundle::hex(&bytes));
        let mut table = self.lock();
        if table.sessions.len() >= MOST {
            let oldest =
                table.sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                table.sessions.remove(&oldest);
            }
        }
        table.uses += 1;
        let used = table.uses;
        table.sessions.insert(id.clone(), Session { upstream, used });
        Some(id)
    }

    /// The server's id for a session that this gateway has opened; `None` when it has not.
    pub fn upstream(&self, id: &str) -> Option<Option<String>> {
        let mut table = self.lock();
        table.uses += 1;
        let used = table.uses;
        let session = table.sessions.get_mut(id)?;
        session.used = used;
        Some(session.upstream.clone())
    }

    /// Forgets a session.
    pub fn close(&self, id: &str) {
        self.lock().sessions.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Sessions;

    #[test]
    fn only_sessions_that_were_opened_are_known() {
        let sessions = Sessions::default();
        let a = sessions.open(Some("server's".to_owned())).expect("random");
        let b = sessions.open(None).expect("random");
        assert_ne!(a, b);
        assert_eq!(sessions.upstream(&a), Some(Some("server's".to_owned())));
        assert_eq!(sessions.upstream(&b), Some(None));
        assert_eq!(sessions.upstream("server's"), None);
        assert_eq!(sessions.upstream(""), None);
        sessions.close(&a);
        assert_eq!(sessions.upstream(&a), None);
    }
}
