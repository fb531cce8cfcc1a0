//! What to do about a run whose time was over, from what is known of others like it.

use crate::audit::typical::Typical;
use crate::model::SessionId;

/// Longest time a call may ask for, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 7200;

/// A run whose time was over.
#[derive(Debug, Clone, Copy)]
pub struct Overrun<'a> {
    /// The agent's name.
    pub agent: &'a str,
    /// The conversation, if there is one.
    pub session: Option<&'a SessionId>,
    /// Seconds it had.
    pub seconds: u64,
    /// Whether there is something to show although it was stopped.
    pub text_kept: bool,
}

impl Overrun<'_> {
    /// Returns what to do: more than others needed, when they needed what this one had; else twice as much.
    pub fn hint(&self, usual: Option<&Typical>) -> String {
        let Self { agent, seconds, .. } = *self;
        let known = usual.map(|usual| (usual, usual.suggested_timeout_seconds().min(TIMEOUT_SECONDS_MAX)));
        #[expect(clippy::cast_precision_loss, reason = "limits are at most some hours")]
        let as_long = |usual: &Typical| usual.p90_seconds >= seconds as f64;
        let (more, why) = match known.filter(|(usual, suggested)| as_long(usual) && *suggested > seconds) {
            Some((usual, suggested)) => {
                let why = format!(
                    ", for nine in ten of its last {} dispatches took up to {} s",
                    usual.dispatches, usual.p90_seconds
                );
                (suggested, why)
            }
            None => (seconds.saturating_mul(2).clamp(1, TIMEOUT_SECONDS_MAX), String::new()),
        };
        let remedy = if seconds < more {
            format!(
                "give it more time with timeout_seconds={more} in the call or `agent-dispatch update {agent} --timeout \
                 {more}`{why}"
            )
        } else {
            "split the task".to_owned()
        };
        or_go_on(&format!("{}{remedy}", kept(self.text_kept)), agent, self.session)
    }
}

/// Says that nothing of what a run had written is lost.
pub(super) const fn kept(text_kept: bool) -> &'static str {
    if text_kept { "what it had written is kept; " } else { "" }
}

/// Returns a remedy, and how to keep what was done so far.
pub(super) fn or_go_on(remedy: &str, agent: &str, session: Option<&SessionId>) -> String {
    match session {
        Some(session) => format!("{remedy}; or go on where it stopped with {}", resume(agent, session)),
        None => remedy.to_owned(),
    }
}

/// Returns how to go on with a conversation.
pub(super) fn resume(agent: &str, session: &SessionId) -> String {
    format!(
        "dispatch_session(agent=\"{agent}\", session_id=\"{session}\", task=\"go on\") \
         or `agent-dispatch dispatch {agent} --session {session} \"go on\"`"
    )
}

#[cfg(test)]
mod tests;
