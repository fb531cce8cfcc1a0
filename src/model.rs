//! The vocabulary everyone shares: values that know their own rules and nothing of files, clocks or tasks.

pub mod agent;
pub mod caller;
pub mod causes;
pub mod changes;
pub mod clock;
pub mod ending;
pub mod id;
pub mod json;
pub mod request;
pub mod result;
pub mod schema;
pub mod session;
pub mod shell;
pub mod trace;

pub use agent::{Agent, BudgetLimit, EnvProfile, Group, GroupMember, OnDisconnect, Settings, SpendLimit};
pub use caller::{Asker, Caller};
pub use causes::with_causes;
pub use changes::{CallEnd, Changes, ToolCall};
pub use clock::Timestamp;
pub use ending::{Ending, Exit, StopReason};
pub use id::{AgentName, Digest, JobId, SessionId};
pub use request::{DispatchRequest, ResponseFormat};
pub use result::{Answer, FailureClass, Findings, Outcome, Portion, Retry, RunResult, ToolUse, Usage};
pub use session::Session;
pub use trace::TraceParent;
