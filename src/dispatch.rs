//! One dispatch from request to outcome: the order of things. Plan, let the store decide, start the worker, wait or not,
//! return what is on disk. Synchronous, asynchronous and joined dispatches all go this one way.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::audit::redact::one_line;
use crate::config::paths::{self, Environment};
use crate::config::{Config, ConfigError, Source};
use crate::daemon::protocol::{
    JobView, Outlook, ProgressView, Reply, Request, WaitEnd, WaitRequest, WireFault,
};
use crate::daemon::wire::Connection;
use crate::daemon::{Client, ClientError};
use crate::job::{Admission, JobRecord, OpenRequest, Proposal};
use crate::model::request::BadField;
use crate::model::trace::TRACE_VARIABLE;
use crate::model::{
    Answer, Asker, Caller, DispatchRequest, JobId, Portion, SessionId, Settings, with_causes,
};
use crate::plan::{Planned, Refusal};
use crate::project;
use crate::runner::{FolderError, RunFolder, launch};

mod config_change;
mod dialogue;
mod parallel;
mod prepare;
mod upkeep;
pub mod usual;
mod wait;
mod witness;
pub mod worker;

pub use config_change::ChangeError;
pub use dialogue::Turn;
pub use parallel::{OnStanding, Outcome, Standing, items_max};
pub use prepare::check_names;
use wait::{LEAVE_BUDGET, steps_to};

/// The name under which this program registers itself with Claude Code.
pub const SERVER_NAME: &str = "agent-dispatch";

/// A front end: what every tool and command stands on. Stateless; it may die at any moment.
#[derive(Debug)]
pub struct Frontend {
    /// What the process was started with.
    pub environment: Environment,
    /// The configuration, as it is now.
    pub source: Source,
    /// The way to the daemon.
    pub client: Client,
    /// What directories are, remembered until their files change.
    pub projects: Arc<project::Memo>,
    remembered: usual::Remembered,
}

/// Longest name of a caller, in characters.
const NAME_CHARS: usize = 200;

/// How long to wait for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// To the end.
    ToTheEnd,
    /// This long; then the job goes on by itself.
    AtMost(Duration),
    /// Not at all: the job runs by itself.
    None,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// How long.
    pub patience: Patience,
    /// How much of the answer.
    pub portion: Portion,
}

impl From<Patience> for Awaited {
    fn from(patience: Patience) -> Self {
        Self { patience, portion: Portion::WHOLE }
    }
}

/// What a dispatch came to, so far.
#[derive(Debug)]
pub enum Dispatched {
    /// It has ended; its record is on disk.
    Ended(Box<Ended>),
    /// It goes on by itself; as a run of its own, or as one that was under way.
    Running(Box<JobView>, Served),
}

/// A dispatch that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The job that gave the answer.
    pub job: JobRecord,
    /// The answer, as much of it as was asked for.
    pub answer: Answer,
    /// Where it came from.
    pub served: Served,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// A run of its own.
    Run,
    /// The cache.
    Cache,
    /// An identical dispatch that was under way.
    Join,
}

/// What a dispatch would come to, were it asked for now.
#[derive(Debug)]
pub struct Prospect {
    /// What would be decided, and what counts for it.
    pub outlook: Outlook,
    /// What would run, unless it cannot even be planned.
    pub proposal: Option<Proposal>,
    /// What would not be done as asked.
    pub notes: Vec<String>,
}

/// Why a dispatch came to nothing. An agent that fails is not among these: that is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] Arc<ConfigError>),
    /// The daemon cannot be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It was refused, and that is recorded.
    #[error("{refusal}")]
    Refused {
        /// Under which id.
        job: JobId,
        /// Why.
        refusal: Refusal,
    },
    /// The run folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The worker cannot be started.
    #[error("`{path}` cannot be started")]
    Launch {
        /// The program, or its log file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was decided and runs by itself, and nothing more can be told of it.
    #[error("dispatch `{job}` is under way, but how it stands is not known")]
    Untold {
        /// The job.
        job: JobId,
        /// Why.
        source: ClientError,
    },
    /// The caller took it back.
    #[error("the dispatch was cancelled by its caller")]
    Cancelled,
    /// It was one of many, and the caller's patience was over before its turn came.
    #[error("it was not started: the wait was over before its turn came")]
    NotStarted,
    /// A request that was put together on the way is not valid.
    #[error("the request is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<BadField>),
}

impl Ended {
    /// Returns the conversation, to go on with.
    pub fn session(&self) -> SessionId {
        let told = self.job.result.as_ref().and_then(|result| result.session.clone());
        told.unwrap_or_else(|| self.job.session.clone())
    }
}

/// Called with each step of a job that goes on.
pub type OnProgress<'a> = dyn FnMut(JobId, &ProgressView) + Send + 'a;

impl Frontend {
    /// Returns a front end in this environment. Nothing is read or started yet.
    pub fn new(environment: Environment) -> Self {
        let source = Source::new(environment.config_file.clone(), environment.home.clone());
        let client = Client::new(&environment);
        let (projects, remembered) = (Arc::default(), usual::Remembered::default());
        Self { environment, source, client, projects, remembered }
    }

    /// Returns the configuration as it is now.
    pub fn config(&self) -> Result<Arc<Config>, Arc<ConfigError>> {
        self.source.current()
    }

    /// Returns the `claude` program: the one that the settings name, else the first on the `PATH`.
    pub fn claude(&self, settings: &Settings) -> Option<PathBuf> {
        let search = || project::find_program("claude", self.environment.path_variable());
        settings.claude_path.clone().or_else(search)
    }

    /// Returns who asks: `asker` as the connection says, `declared` as the request says; with nothing in the names that could
    /// do harm where they are shown.
    pub fn caller(&self, asker: impl Into<Asker>, declared: &str) -> Caller {
        let environment = &self.environment;
        let project = environment.text("CLAUDE_PROJECT_DIR").map(str::to_owned);
        let Asker { client, tool_use, traceparent } = asker.into();
        let inherited = || environment.text(TRACE_VARIABLE)?.parse().ok();
        let declared = one_line(declared, NAME_CHARS);
        Caller {
            client: one_line(&client, NAME_CHARS),
            session: environment.text("CLAUDE_CODE_SESSION_ID").map(|id| one_line(id, NAME_CHARS)),
            directory: project.or_else(|| environment.directory.to_str().map(str::to_owned)),
            pid: std::process::id(),
            declared: (!declared.is_empty()).then_some(declared),
            parent: environment.run,
            depth: environment.depth,
            tool_use: tool_use.map(|id| one_line(&id, NAME_CHARS)),
            user: Some(paths::user()),
            traceparent: traceparent.or_else(inherited),
        }
    }

    /// Dispatches: returns when the job has ended, when the patience is over, or when `cancelled` resolves.
    pub async fn dispatch(
        &self,
        request: &DispatchRequest,
        client: impl Into<Asker>,
        awaited: impl Into<Awaited>,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Dispatched, DispatchError> {
        let (config, began) = (self.config()?, Instant::now());
        let Awaited { patience, portion } = awaited.into();
        let (mut cancelled, mut taken_back) = (std::pin::pin!(cancelled), false);
        let deciding = async {
            let (open, planned) = self.prepare(&config, request, client, patience).await;
            let job = open.job;
            Ok::<_, ClientError>((job, planned, self.open(open, portion).await?))
        };
        let (job, planned, (mut connection, admission)) = tokio::select! {
            decided = deciding => decided?,
            // What is decided by then is taken back below; else the daemon hears it from the connection that closes.
            () = async {
                cancelled.as_mut().await;
                taken_back = true;
                sleep(LEAVE_BUDGET).await;
            } => return Err(DispatchError::Cancelled),
        };
        let cancelled = async {
            if !taken_back {
                cancelled.await;
            }
        };
        let (waited_for, served) = match admission {
            Admission::Refused(refusal) => return Err(DispatchError::Refused { job, refusal }),
            Admission::Hit(job, answer) => {
                self.client.keep(connection);
                return Ok(Dispatched::Ended(Box::new(Ended { job: *job, answer, served: Served::Cache })));
            }
            Admission::Joined(running) => (running, Served::Join),
            Admission::Opened => {
                let Ok(planned) = planned else { return Err(ClientError::Confused.into()) };
                self.start(job, &planned, &mut connection).await?;
                (job, Served::Run)
            }
        };
        // Opening takes its time when much is opened.
        let timeout = match patience.left(began) {
            Patience::None => {
                self.client.keep(connection);
                // It may have ended, and may have been removed, before it is looked at.
                let gone =
                    || ClientError::from(WireFault::NotFound(format!("there is no job `{waited_for}`")));
                let view = self.job(waited_for).await.and_then(|view| view.ok_or_else(gone));
                let view = view.map_err(|source| DispatchError::Untold { job: waited_for, source })?;
                return Ok(Dispatched::Running(Box::new(view), served));
            }
            Patience::AtMost(most) => Some(most),
            Patience::ToTheEnd => None,
        };
        let wait = WaitRequest {
            jobs: vec![waited_for],
            any: false,
            timeout_ms: timeout.map(|most| u64::try_from(most.as_millis()).unwrap_or(u64::MAX)),
            attach: true,
            detach_at_timeout: true,
            inside: self.environment.run,
            answer: Some(portion),
        };
        let waited = self.wait_on(connection, &wait, &mut steps_to(on_progress), cancelled).await?;
        let view = waited.views.into_iter().next().ok_or(ClientError::Confused)?;
        match waited.end {
            WaitEnd::TimedOut => Ok(Dispatched::Running(Box::new(view), served)),
            WaitEnd::Ended => {
                let answer = match waited.answer {
                    Some(answer) => answer,
                    None => self.part(view.record.id, portion).await?.unwrap_or_default(),
                };
                Ok(Dispatched::Ended(Box::new(Ended { job: view.record, answer, served })))
            }
        }
    }

    /// Returns what a dispatch would come to. Nothing runs, and nothing is recorded.
    pub async fn consider(
        &self,
        request: &DispatchRequest,
        client: impl Into<Asker>,
    ) -> Result<Prospect, DispatchError> {
        let config = self.config()?;
        let (open, planned) = self.prepare(&config, request, client, Patience::ToTheEnd).await;
        let proposal = open.proposal.clone().ok();
        match self.client.ask(&Request::Consider(Box::new(open))).await? {
            Reply::Considered(outlook) => {
                let notes = planned.map(|planned| planned.notes).unwrap_or_default();
                Ok(Prospect { outlook: *outlook, proposal, notes })
            }
            _ => Err(ClientError::Confused.into()),
        }
    }

    /// Returns a job's answer; empty when it gave none.
    pub async fn answer(&self, job: JobId) -> Result<Answer, ClientError> {
        Ok(self.part(job, Portion::WHOLE).await?.unwrap_or_default())
    }

    /// Returns a part of a job's answer, if there is one.
    pub async fn part(&self, job: JobId, portion: Portion) -> Result<Option<Answer>, ClientError> {
        match self.client.ask(&Request::Answer(job, portion)).await? {
            Reply::Answer(answer) => Ok(answer),
            _ => Err(ClientError::Confused),
        }
    }

    /// Returns a job, if it exists.
    pub async fn job(&self, job: JobId) -> Result<Option<JobView>, ClientError> {
        match self.client.ask(&Request::Job(job)).await? {
            Reply::Job(view) => Ok(view.map(|view| *view)),
            _ => Err(ClientError::Confused),
        }
    }

    /// Lets the store decide. Sent again after a broken connection, it is decided the same.
    async fn open(
        &self,
        open: OpenRequest,
        portion: Portion,
    ) -> Result<(Connection, Admission), ClientError> {
        let request = Request::Open(Box::new(open), portion);
        let mut broken = None;
        for _ in 0..4 {
            let mut connection = self.client.connection().await?;
            match connection.ask(&request).await {
                Ok(Reply::Admission(admission)) => return Ok((connection, admission)),
                Ok(Reply::Fault(fault)) => return Err(fault.into()),
                Ok(_) => return Err(ClientError::Confused),
                Err(error) => {
                    self.client.forget_idle();
                    broken = Some(error);
                }
            }
        }
        Err(broken.map_or(ClientError::Confused, ClientError::Broken))
    }

    /// Writes the run folder and starts the worker. What fails here ends the job, and is recorded.
    async fn start(
        &self,
        job: JobId,
        planned: &Planned,
        connection: &mut Connection,
    ) -> Result<(), DispatchError> {
        let started = self.launch_worker(job, planned);
        if let Err(error) = &started {
            let error = with_causes(error);
            let told = connection.ask::<_, Reply>(&Request::LaunchFailed { job, error }).await;
            // The daemon ends the job anyway when no worker comes.
            drop(told);
        }
        started
    }

    fn launch_worker(&self, job: JobId, planned: &Planned) -> Result<(), DispatchError> {
        let state = &self.environment.state;
        let at = |path: PathBuf| move |source| DispatchError::Launch { path, source };
        let folder = RunFolder::create(&state.runs(), job)?;
        folder.write(&planned.plan)?;
        let log = launch::open_log(&state.log()).map_err(at(state.log()))?;
        let arguments = ["worker".into(), folder.path().as_os_str().to_owned()];
        let Environment { program, variables, .. } = &self.environment;
        launch::in_memory(&planned.prompt)
            .and_then(|prompt| {
                launch::detached(program, &arguments, Some(variables), "/".as_ref(), Some(prompt), log)
            })
            .map_err(at(program.clone()))?;
        Ok(())
    }
}
