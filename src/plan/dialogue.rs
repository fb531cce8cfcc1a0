//! A dialogue of two agents, as a value: who is asked what next, and when it is over. Nothing is dispatched here.

use crate::model::request::{RawRequest, without_nul};
use crate::model::{AgentName, SessionId};

/// Fewest and most rounds: in each, both sides speak once.
pub const ROUNDS: (i64, i64) = (1, 10);

/// What ends a dialogue when it stands on a line of its own.
const MARKER: &str = "[RESOLVED]";

/// Characters of the topic that stand for it as the goal of each turn.
const GOAL_CHARS: usize = 200;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Speaks first.
    Responder,
    /// Has brought up the topic.
    Requester,
}

/// A dialogue, as far as it has come.
#[derive(Debug)]
pub struct Dialogue {
    requester: AgentName,
    responder: AgentName,
    topic: String,
    rounds_max: usize,
    shared: RawRequest,
    said: Vec<Said>,
    sessions: [Option<SessionId>; 2],
}

/// What came of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What was said; of a turn that failed, what went wrong.
    pub text: String,
    /// Whether the turn failed.
    pub failed: bool,
}

/// Who is asked next, and what.
#[derive(Debug)]
pub struct Ask {
    /// Who.
    pub side: Side,
    /// In which round, counted from 1.
    pub round: usize,
    /// What.
    pub request: RawRequest,
}

/// How a dialogue came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why nobody was asked any more.
    pub stop: Stop,
    /// What it came to.
    pub final_answer: String,
}

/// Why nobody is asked any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// One side declared it settled.
    Resolved,
    /// The rounds are over.
    RoundsOver,
    /// A turn failed.
    Failed,
    /// Nothing of all that: whoever waits for it waits no longer.
    WaitOver,
}

impl Stop {
    /// Returns its name in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::RoundsOver => "rounds_over",
            Self::Failed => "failed",
            Self::WaitOver => "wait_over",
        }
    }
}

impl Side {
    /// Returns its name in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Responder => "responder",
            Self::Requester => "requester",
        }
    }
}

impl Dialogue {
    /// Returns a dialogue in which nobody has spoken yet.
    pub fn new(requester: AgentName, responder: AgentName, topic: String, rounds_max: i64) -> Self {
        let rounds_max = usize::try_from(rounds_max.clamp(ROUNDS.0, ROUNDS.1)).unwrap_or(1);
        Self {
            requester,
            responder,
            topic,
            rounds_max,
            shared: RawRequest::default(),
            said: Vec::new(),
            sessions: [None, None],
        }
    }

    /// Returns the dialogue in which every turn has this group and this limit of its time, and is on behalf of this caller;
    /// this context each side is told once, when it is first asked.
    #[must_use]
    pub fn with(self, shared: RawRequest) -> Self {
        Self { shared, ..self }
    }

    /// Returns who is asked next, and what; nothing when the dialogue is over.
    pub fn next(&self) -> Option<Ask> {
        if self.stop().is_some() {
            return None;
        }
        let last = self.said.last();
        let (side, round) = turn(self.said.len());
        let (agent, other) = match side {
            Side::Responder => (&self.responder, &self.requester),
            Side::Requester => (&self.requester, &self.responder),
        };
        let session = self.session(side);
        let request = RawRequest {
            agent: agent.to_string(),
            task: self.task(other, session.is_none(), last),
            context: if session.is_none() { self.shared.context.clone() } else { String::new() },
            caller: match self.shared.caller.trim() {
                "" => other.to_string(),
                caller => format!("{other} for {caller}"),
            },
            group: self.shared.group.clone(),
            timeout_seconds: self.shared.timeout_seconds,
            goal: self.topic.chars().take(GOAL_CHARS).collect(),
            session_id: session.map(ToString::to_string).unwrap_or_default(),
            ..RawRequest::default()
        };
        Some(Ask { side, round, request })
    }

    /// Takes what the side said that was asked last, and its conversation.
    pub fn heard(&mut self, said: Said, session: Option<SessionId>) {
        let (side, _) = turn(self.said.len());
        self.said.push(said);
        if let (Some(session), Some(place)) = (session, self.sessions.get_mut(side as usize)) {
            *place = Some(session);
        }
    }

    /// Returns how many turns there are at most.
    pub const fn turns_max(&self) -> usize {
        2 * self.rounds_max
    }

    /// Returns how it came out, asked no further.
    pub fn ending(&self) -> Ending {
        let stop = self.stop().unwrap_or(Stop::WaitOver);
        let last = self.said.last().map_or("", |said| said.text.as_str());
        let without = if stop == Stop::Resolved { unmarked(last) } else { String::new() };
        let final_answer = if without.is_empty() { last.to_owned() } else { without };
        Ending { stop, final_answer }
    }

    /// Returns why nobody is asked any more; nothing while somebody is.
    fn stop(&self) -> Option<Stop> {
        let (_, round) = turn(self.said.len());
        match self.said.last() {
            Some(last) if last.failed => Some(Stop::Failed),
            Some(last) if is_resolved(&last.text) => Some(Stop::Resolved),
            _ => (round > self.rounds_max).then_some(Stop::RoundsOver),
        }
    }

    fn session(&self, side: Side) -> Option<&SessionId> {
        self.sessions.get(side as usize)?.as_ref()
    }

    fn task(&self, other: &AgentName, is_first: bool, last: Option<&Said>) -> String {
        let topic = self.topic.trim();
        let message = last.map_or("", |said| said.text.trim());
        let message = if message.is_empty() { "(nothing)".to_owned() } else { without_nul(message) };
        let about = match (is_first, last.is_some()) {
            (true, false) => format!(
                "The agent `{other}` wants to settle something with you. Answer from what you find here; say what you need \
                 to know from its side.\n\n### Topic\n\n{topic}"
            ),
            (true, true) => format!(
                "You brought up a topic with the agent `{other}`, which has answered. Compare its answer with what you find \
                 here; agree, object or ask.\n\n### Topic\n\n{topic}\n\n### Answer of `{other}`\n\n{message}"
            ),
            (false, _) => format!("### Reply of `{other}`\n\n{message}"),
        };
        format!("{about}\n\n### How this ends\n\n{RULE}")
    }
}

/// Returns whose the turn of this number is, counted from 0, and its round.
const fn turn(number: usize) -> (Side, usize) {
    let side = if number.is_multiple_of(2) { Side::Responder } else { Side::Requester };
    (side, number / 2 + 1)
}

const RULE: &str = "\
You take turns until it is settled. When nothing is open any more from your side, state the result in full and write, on a \
line of its own at the end (before a STATUS line, if there is one), only this: [RESOLVED]\n\
Do not write it while anything is open.";

/// Returns whether a message settles the dialogue: the marker is a line of its own, outside of quoted code. Whoever speaks of
/// the marker, or repeats the rule, has settled nothing.
pub fn is_resolved(text: &str) -> bool {
    lines(text).any(|(_, marks)| marks)
}

/// Returns a message without the lines that settle the dialogue.
fn unmarked(text: &str) -> String {
    let kept: Vec<&str> = lines(text).filter(|(_, marks)| !marks).map(|(line, _)| line).collect();
    kept.join("\n").trim().to_owned()
}

/// Yields every line, and whether it is the marker.
fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut quoted = false;
    text.lines().map(move |line| {
        // A line that opens and closes a quotation quotes only itself.
        if line.trim_start().starts_with("```") && line.matches("```").count() == 1 {
            quoted = !quoted;
        }
        let bare = line.trim_matches([' ', '\t', '*', '_', '`', '.', '!']);
        (line, !quoted && bare == MARKER)
    })
}

#[cfg(test)]
mod tests;
