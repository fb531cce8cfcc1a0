//! One dispatch from request to outcome: the order of things. Plan, let the store decide, start the worker, wait or not,
//! return what is on disk. Synchronous, asynchronous and joined dispatches all go this one way.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::paths::{self, Environment};
use crate::config::{Config, ConfigError, Source};
use crate::daemon::protocol::{JobView, ProgressView, Reply, Request, WaitEnd, WaitRequest};
use crate::daemon::wire::Connection;
use crate::daemon::{Client, ClientError};
use crate::job::{Admission, CachePolicy, JobRecord, OpenRequest, Places, Proposal, RequestTexts};
use crate::model::request::Sharing;
use crate::model::trace::TRACE_VARIABLE;
use crate::model::{Answer, Asker, Caller, DispatchRequest, JobId, ResponseFormat, SessionId, with_causes};
use crate::plan::{self, Planned, Question, Refusal, Surroundings, UnknownAgent};
use crate::project;
use crate::runner::{FolderError, RunFolder, launch};

mod config_change;
mod upkeep;
mod witness;
pub mod worker;

pub use config_change::ChangeError;

/// The name under which this program registers itself with Claude Code.
pub const SERVER_NAME: &str = "agent-dispatch";

/// How long a caller that takes its request back stays to see that it is heard.
const LEAVE_BUDGET: Duration = Duration::from_secs(2);

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
    pub projects: project::Memo,
}

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

/// What a dispatch came to, so far.
#[derive(Debug)]
pub enum Dispatched {
    /// It has ended; its record is on disk.
    Ended(Box<Ended>),
    /// It goes on by itself.
    Running(Box<JobView>),
}

/// A dispatch that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The job that gave the answer.
    pub job: JobRecord,
    /// The answer.
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
    #[error(transparent)]
    Refused(Refusal),
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
    /// The caller took it back.
    #[error("the dispatch was cancelled by its caller")]
    Cancelled,
}

/// How a wait came out.
struct Waited {
    views: Vec<JobView>,
    end: WaitEnd,
    /// The answer of the one job, when it came along.
    answer: Option<Answer>,
}

/// Called with each step of a job that goes on.
pub type OnProgress<'a> = dyn FnMut(JobId, &ProgressView) + Send + 'a;

impl Frontend {
    /// Returns a front end in this environment. Nothing is read or started yet.
    pub fn new(environment: Environment) -> Self {
        let source = Source::new(environment.config_file.clone(), environment.home.clone());
        let client = Client::new(&environment);
        Self { environment, source, client, projects: project::Memo::new() }
    }

    /// Returns the configuration as it is now.
    pub fn config(&self) -> Result<Arc<Config>, Arc<ConfigError>> {
        self.source.current()
    }

    /// Returns who asks: `asker` as the connection says, `declared` as the request says.
    pub fn caller(&self, asker: impl Into<Asker>, declared: &str) -> Caller {
        let environment = &self.environment;
        let project = environment.text("CLAUDE_PROJECT_DIR").map(str::to_owned);
        let Asker { client, tool_use, traceparent } = asker.into();
        let inherited = || environment.text(TRACE_VARIABLE)?.parse().ok();
        Caller {
            client,
            session: environment.text("CLAUDE_CODE_SESSION_ID").map(str::to_owned),
            directory: project.or_else(|| environment.directory.to_str().map(str::to_owned)),
            pid: std::process::id(),
            declared: (!declared.is_empty()).then(|| declared.to_owned()),
            parent: environment.run,
            depth: environment.depth,
            tool_use,
            user: Some(paths::user()),
            traceparent: traceparent.or_else(inherited),
        }
    }

    /// Dispatches: returns when the job has ended, when the patience is over, or when `cancelled` resolves.
    pub async fn dispatch(
        &self,
        request: &DispatchRequest,
        client: impl Into<Asker>,
        patience: Patience,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Dispatched, DispatchError> {
        let config = self.config()?;
        let (open, planned) = self.prepare(&config, request, client.into(), patience);
        let job = open.job;
        let (mut connection, admission) = self.open(open).await?;
        let (waited_for, served) = match admission {
            Admission::Refused(refusal) => return Err(DispatchError::Refused(refusal)),
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
        let timeout = match patience {
            Patience::None => {
                self.client.keep(connection);
                let view = self.job(waited_for).await?.ok_or(ClientError::Confused)?;
                return Ok(Dispatched::Running(Box::new(view)));
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
        };
        let waited = self.wait_on(connection, &wait, on_progress, cancelled).await?;
        let view = waited.views.into_iter().next().ok_or(ClientError::Confused)?;
        match waited.end {
            WaitEnd::TimedOut => Ok(Dispatched::Running(Box::new(view))),
            WaitEnd::Ended => {
                let answer = match waited.answer {
                    Some(answer) => answer,
                    None => self.answer(view.record.id).await?,
                };
                Ok(Dispatched::Ended(Box::new(Ended { job: view.record, answer, served })))
            }
        }
    }

    /// Waits for jobs; returns how they stand and whether the time was over.
    pub async fn wait(
        &self,
        wait: &WaitRequest,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<(Vec<JobView>, WaitEnd), DispatchError> {
        let connection = self.client.connection().await?;
        let waited = self.wait_on(connection, wait, on_progress, cancelled).await?;
        Ok((waited.views, waited.end))
    }

    /// Returns a job's answer; empty when it gave none.
    pub async fn answer(&self, job: JobId) -> Result<Answer, ClientError> {
        match self.client.ask(&Request::Answer(job)).await? {
            Reply::Answer(answer) => Ok(answer.unwrap_or_default()),
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

    /// Plans the request, whatever comes of it: also a refusal goes to the store, to be recorded.
    fn prepare(
        &self,
        config: &Config,
        request: &DispatchRequest,
        client: impl Into<Asker>,
        patience: Patience,
    ) -> (OpenRequest, Result<Planned, Refusal>) {
        let job = JobId::generate();
        let caller = self.caller(client, &request.caller);
        let settings = &config.settings;
        let agent = config.agent(request.agent.as_str());
        let directory = agent.and_then(|agent| std::fs::canonicalize(&agent.directory).ok());
        let claude = settings.claude_path.clone().or_else(|| {
            project::find_program(
                "claude",
                self.environment.variables.get(std::ffi::OsStr::new("PATH")).map(AsRef::as_ref),
            )
        });
        let surroundings = Surroundings {
            claude,
            directory: directory.filter(|path| path.is_dir()),
            own_servers: vec![SERVER_NAME.to_owned()],
        };
        let planned = plan::plan(&Question {
            job,
            session: SessionId::generate(),
            request,
            agent: agent.ok_or_else(|| {
                let mut unknown = UnknownAgent::among(&request.agent, config.names());
                unknown.broken = config.why_broken(request.agent.as_str());
                unknown
            }),
            settings,
            group: request.group.as_ref().and_then(|group| config.group(group.as_str())),
            caller: &caller,
            surroundings: &surroundings,
        });
        let cache = settings.cache;
        let policy = (cache.is_on() && request.sharing == Sharing::CacheAndJoin)
            .then_some(CachePolicy { ttl_ms: u64::from(cache.ttl) * 1000, entries_max: cache.max_size });
        let proposal = planned.as_ref().map_err(Clone::clone).map(|planned| Proposal {
            directory: planned.plan.directory.clone(),
            git_head: self
                .projects
                .facts(&planned.plan.directory)
                .git
                .as_ref()
                .and_then(|git| git.commit.clone()),
            session: planned.plan.session.clone(),
            resumed: planned.plan.resumed,
            profile: planned.plan.profile.clone(),
            digest: planned.digest,
            key: planned.key,
            read_cache: policy.is_some(),
            cache: policy,
            places: Places {
                everyone: settings.max_concurrency,
                agent: agent.and_then(|agent| agent.max_concurrency),
            },
            spend: settings.budget,
            agent_spend: agent.map(|agent| agent.budget).unwrap_or_default(),
        });
        let texts = RequestTexts {
            task: request.task.clone(),
            context: request.context.clone(),
            goal: request.goal.clone(),
            response_format: match &request.response_format {
                ResponseFormat::Text => "text".to_owned(),
                ResponseFormat::Json => "json".to_owned(),
                ResponseFormat::Schema(schema) => serde_json::Value::Object(schema.clone()).to_string(),
            },
        };
        let open = OpenRequest {
            job,
            agent: request.agent.to_string(),
            group: request.group.as_ref().map(ToString::to_string),
            caller,
            texts,
            proposal,
            attached: patience != Patience::None,
            on_disconnect: settings.on_disconnect,
            audit_content: settings.audit_content,
        };
        (open, planned)
    }

    /// Lets the store decide. Sent again after a broken connection, it is decided the same.
    async fn open(&self, open: OpenRequest) -> Result<(Connection, Admission), ClientError> {
        let request = Request::Open(Box::new(open));
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
        folder.write(&planned.plan, &planned.prompt)?;
        let log = launch::open_log(&state.log()).map_err(at(state.log()))?;
        let arguments = ["worker".into(), folder.path().as_os_str().to_owned()];
        let Environment { program, variables, .. } = &self.environment;
        launch::detached(program, &arguments, Some(variables), "/".as_ref(), log)
            .map_err(at(program.clone()))?;
        Ok(())
    }

    /// Waits on this connection, and on the next ones if the daemon changes meanwhile.
    async fn wait_on(
        &self,
        mut connection: Connection,
        wait: &WaitRequest,
        on_progress: &mut OnProgress<'_>,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<Waited, DispatchError> {
        let mut cancelled = std::pin::pin!(cancelled);
        let deadline =
            wait.timeout_ms.map(|millis| tokio::time::Instant::now() + Duration::from_millis(millis));
        let mut wait = wait.clone();
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                wait.timeout_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            }
            let mut sent = connection.send(&Request::Wait(wait.clone())).await;
            while sent.is_ok() {
                let reply = tokio::select! {
                    // Cancel-safe: see `Connection::receive`.
                    reply = connection.receive::<Reply>() => reply,
                    () = &mut cancelled => {
                        self.take_back(connection, &wait).await;
                        return Err(DispatchError::Cancelled);
                    }
                };
                match reply {
                    Ok(Some(Reply::Progress(job, view))) => on_progress(job, &view),
                    Ok(Some(Reply::Waited(views, end))) => {
                        self.client.keep(connection);
                        return Ok(Waited { views, end, answer: None });
                    }
                    Ok(Some(Reply::Collected(view, answer))) => {
                        self.client.keep(connection);
                        let answer = Some(answer);
                        return Ok(Waited { views: vec![*view], end: WaitEnd::Ended, answer });
                    }
                    Ok(Some(Reply::Fault(fault))) => return Err(ClientError::from(fault).into()),
                    Ok(Some(_)) => return Err(ClientError::Confused.into()),
                    Ok(None) => sent = Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Err(error) => sent = Err(error),
                }
            }
            // The daemon went, the work did not: its successor knows the job.
            self.client.forget_idle();
            connection = self.client.connection().await?;
        }
    }

    /// Tells the daemon that this caller no longer wants the jobs it lives for, and sees to it that it is heard: a connection
    /// that is just closed says only that the caller is gone, which may mean something else.
    async fn take_back(&self, mut connection: Connection, wait: &WaitRequest) {
        if wait.attach {
            for job in &wait.jobs {
                if connection.send(&Request::Leave(*job)).await.is_err() {
                    return;
                }
            }
            let _gone_or_slow = tokio::time::timeout(LEAVE_BUDGET, connection.finish()).await;
        }
    }
}
