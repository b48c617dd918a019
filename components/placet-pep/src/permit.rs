//! The proof that a message may be forwarded.

/// A message that may go to the server, as the bytes to send. Only this crate makes permits; whoever sends tool calls
/// should accept nothing else.
#[derive(Debug)]
pub struct Permit {
    body: String,
}

impl Permit {
    pub(crate) fn of(body: String) -> Permit {
        Permit { body }
    }

    /// The body to send.
    pub fn into_body(self) -> String {
        self.body
    }
}
