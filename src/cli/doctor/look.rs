//! Gathers what the checks judge: asks `claude` and the daemon, and looks at files and processes.

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::redact::one_line;
use crate::cli::args::Scope;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::leftovers::{RunProcess, Server};
use crate::cli::doctor::{claude, configuration, leftovers, registration, state};
use crate::cli::registration as entries;
use crate::config::Config;
use crate::config::paths::{Environment, RUN_VARIABLE, StatePaths};
use crate::daemon::protocol::{Reply, Request};
use crate::daemon::{self, ClientError};
use crate::dispatch::Frontend;
use crate::job::{JobFilter, State};
use crate::model::{JobId, Settings, Timestamp};
use crate::project::{self, Facts as ProjectFacts, find_program};
use crate::runner::RunFolder;
use crate::runner::census::{self, Process};
use crate::runner::probe::Probe;

/// How long a question to `claude` may take; half a second is usual.
const LIMIT: Duration = Duration::from_secs(10);

/// Age at which a run folder without a living job is a leftover, in milliseconds: a run that has just ended still has one.
const FOLDER_AGE_MS: u64 = 60_000;

/// Most living jobs that are asked for; more do not run at once.
const LIVING_MAX: u32 = 1000;

/// Looks at everything, without changing anything or starting more than questions to `claude`, and returns what the checks say of it.
pub(super) async fn look(frontend: &Frontend) -> Vec<Finding> {
    let config = frontend.config();
    let default = Settings::default();
    let settings = config.as_ref().map_or(&default, |config| &config.settings);
    let agents = config.as_ref().map_or(&[][..], |config| &config.agents);
    let system_prompt =
        settings.dispatch_protocol || agents.iter().any(|agent| !agent.instructions.is_empty());
    let (claude_facts, registration_facts) = ask_claude(frontend, settings, system_prompt).await;
    let mut checks = claude::check(&claude_facts);
    checks.extend(registration::check(&registration_facts));
    let file = std::fs::metadata(&frontend.environment.config_file).ok();
    checks.extend(configuration::check(&configuration::Facts {
        path: frontend.environment.config_file.clone(),
        mode: file.map(|file| file.permissions().mode() & 0o777),
        config: config.as_deref().map_err(|error| &**error),
        directories: config.as_deref().map_or_else(|_| Vec::new(), |config| directories(frontend, config)),
        superuser: rustix::process::geteuid().is_root()
            && frontend.environment.text("IS_SANDBOX") != Some("1"),
    }));
    // A dispatch that begins or ends while processes are looked at is alive at one of the two times.
    let mut living = living(frontend).await;
    let processes = census::take();
    let state_facts = ask_daemon(frontend, &processes).await;
    living.append(&mut self::living(frontend).await);
    checks.extend(state::check(&state_facts, Timestamp::now()));
    checks.extend(leftovers::check(&leftovers(frontend, &processes, living)));
    checks
}

/// Asks `claude` everything at once: each answer takes a third of a second.
async fn ask_claude(
    frontend: &Frontend,
    settings: &Settings,
    system_prompt: bool,
) -> (claude::Facts, registration::Facts) {
    let environment = &frontend.environment;
    let probe =
        Probe { environment: &environment.variables, directory: &environment.directory, limit: LIMIT };
    let program = frontend.claude(settings);
    let entry = [Scope::Local, Scope::Project, Scope::User].into_iter().find_map(|scope| {
        let entry = entries::find(environment, scope)?;
        let flaws = entries::flaws(&entry, environment);
        Some((scope, entry, flaws))
    });
    let (mut version, mut help, mut login, mut tried) = (None, None, None, None);
    if let Some(program) = program.as_deref().filter(|program| program.is_file()) {
        let answers = tokio::join!(
            probe.ask(program, &["--version"]),
            probe.ask(program, &["--help"]),
            probe.ask(program, &entries::GET),
        );
        // One that has no such command would take the words for a prompt.
        if claude::has_auth(&answers.1) {
            login = Some(probe.ask(program, &["auth", "status"]).await);
        }
        (version, help, tried) = (Some(answers.0), Some(answers.1), Some(answers.2));
    }
    let by_name = |name| find_program(name, environment.path_variable());
    let claude_facts = claude::Facts {
        program,
        configured: settings.claude_path.clone(),
        on_path: by_name("claude"),
        system_prompt,
        version,
        help,
        login,
    };
    let registration_facts = registration::Facts {
        program: environment.program.clone(),
        on_path: by_name("agent-dispatch"),
        entry,
        strays: entries::strays(environment),
        tried,
    };
    (claude_facts, registration_facts)
}

fn directories(frontend: &Frontend, config: &Config) -> Vec<configuration::Directory> {
    let environment = &frontend.environment;
    let claude_state = environment.claude_state();
    let look = |facts: &ProjectFacts| {
        let files = [
            (facts.has_claude_md, "CLAUDE.md"),
            (facts.has_mcp_config, ".mcp.json"),
            (facts.directory.join(".claude/settings.json").is_file(), ".claude/settings.json"),
        ];
        let trusted = project::is_trusted(&facts.directory, &claude_state);
        configuration::Directory {
            health: facts.health,
            files: files.into_iter().filter_map(|(there, name)| there.then_some(name)).collect(),
            allowed: project::allow_rules(&facts.directory),
            trusted: trusted == Some(true),
        }
    };
    config.agents.iter().map(|agent| look(&frontend.projects.facts(&agent.directory))).collect()
}

async fn ask_daemon(frontend: &Frontend, processes: &[Process]) -> state::Facts {
    let paths = &frontend.environment.state;
    let found = |path: &Path| {
        let metadata = std::fs::symlink_metadata(path).ok()?;
        Some((metadata.permissions().mode() & 0o777, metadata.uid()))
    };
    let writable = |path: &Path| {
        let there = path.ancestors().find(|path| path.exists());
        there.is_some_and(|path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok())
    };
    let place =
        |what, path: PathBuf| state::Place { what, found: found(&path), writable: writable(&path), path };
    let mut places = vec![place("state directory", paths.root.clone())];
    let folder = paths.socket.parent().unwrap_or(&paths.root);
    if folder != paths.root {
        places.push(place("directory of the socket", folder.to_owned()));
    }
    if std::fs::symlink_metadata(&paths.socket).is_ok_and(|found| found.file_type().is_socket()) {
        places.push(place(state::SOCKET, paths.socket.clone()));
    }
    let outside = daemon::remembered_heads(&paths.heads()).ok().and_then(|heads| heads.last().copied());
    let daemon = match frontend.client.ask_if_running(&Request::Status).await {
        Ok(Some(Reply::Status(status))) => Ok(Some(status)),
        Ok(Some(_)) => Err(ClientError::Confused),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    let servers = servers(processes, paths);
    state::Facts {
        user: rustix::process::geteuid().as_raw(),
        places,
        socket: paths.socket.clone(),
        // Of what is above it, as long as it is not there.
        free: paths.root.ancestors().find_map(|path| daemon::free_bytes(path).ok()),
        store_bytes: daemon::bytes_under(&paths.store()),
        outside,
        daemon,
        daemon_pid: servers.iter().find(|server| server.daemon).map(|server| server.pid),
    }
}

/// Returns the dispatches that the daemon says have not ended; none when it does not run.
async fn living(frontend: &Frontend) -> BTreeSet<JobId> {
    let states = vec![State::Pending, State::Running, State::Cancelling];
    let filter = JobFilter { states, agent: None, limit: LIVING_MAX };
    match frontend.client.ask_if_running(&Request::Jobs(filter)).await {
        Ok(Some(Reply::Jobs(views))) => views.into_iter().map(|view| view.record.id).collect(),
        _ => BTreeSet::new(),
    }
}

/// Returns whether a process keeps its state where we do: others are none of our business.
fn is_ours(process: &Process, paths: &StatePaths) -> bool {
    let environment = Environment::new(process.variables.clone(), "/".into(), PathBuf::new());
    environment.is_ok_and(|environment| environment.state.root == paths.root)
}

fn word(process: &Process, at: usize) -> &str {
    process.arguments.get(at).and_then(|word| word.to_str()).unwrap_or_default()
}

/// Returns whether a process runs a build of this program.
fn is_this_program(process: &Process) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let program = name(&process.program).unwrap_or_default();
    program.trim_end_matches(" (deleted)") == "agent-dispatch"
        || name(Path::new(word(process, 0))).as_deref() == Some("agent-dispatch")
}

fn servers(processes: &[Process], paths: &StatePaths) -> Vec<Server> {
    let own = census::own_file();
    let server = |process: &Process| {
        let daemon = match (word(process, 1), word(process, 2)) {
            ("serve", _) => false,
            ("daemon", "run") => true,
            _ => return None,
        };
        let ours = is_this_program(process) && is_ours(process, paths);
        let other = (process.file != own).then(|| process.program.display().to_string());
        ours.then_some(Server { pid: process.pid, daemon, other })
    };
    processes.iter().filter_map(server).collect()
}

fn leftovers(frontend: &Frontend, processes: &[Process], mut living: BTreeSet<JobId>) -> leftovers::Facts {
    let paths = &frontend.environment.state;
    let ours: Vec<&Process> = processes.iter().filter(|process| is_ours(process, paths)).collect();
    // What a worker still looks after is not left over, whatever the daemon knows of it.
    let workers = ours.iter().filter(|process| is_this_program(process) && word(process, 1) == "worker");
    let folder =
        |process: &&&Process| Path::new(word(process, 2)).file_name()?.to_str()?.parse::<JobId>().ok();
    living.extend(workers.filter_map(|process| folder(&process)));
    let run = |process: &Process| {
        let run = process.variables.get(std::ffi::OsStr::new(RUN_VARIABLE))?.to_str()?.parse().ok()?;
        let name = Path::new(word(process, 0)).file_name().and_then(|name| name.to_str()).unwrap_or("?");
        Some(RunProcess { pid: process.pid, command: one_line(name, 100), run })
    };
    let folders = RunFolder::list(&paths.runs()).unwrap_or_default();
    let folders = folders.into_iter().map(|job| (job, paths.runs().join(job.to_string())));
    let kept = RunFolder::list_kept(&paths.runs()).unwrap_or_default();
    leftovers::Facts {
        servers: servers(processes, paths),
        processes: ours.into_iter().filter_map(run).collect(),
        folders: folders.filter(|(_, path)| is_old(path)).collect(),
        living,
        kept: kept.into_iter().filter_map(|job| RunFolder::kept(&paths.runs(), job)).collect(),
        set_aside: daemon::stores_set_aside(&paths.store()),
    }
}

fn is_old(folder: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(folder) else { return false };
    let changed = Timestamp::from_millis(u64::try_from(metadata.mtime()).unwrap_or(0).saturating_mul(1000));
    Timestamp::now().millis_since(changed) > FOLDER_AGE_MS
}
