//! A home of its own for the programs that are measured: five agents, their projects, and the stand-in for `claude`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Number of agents of an ordinary room.
pub(crate) const AGENTS: usize = 5;

/// Places of an ordinary room: no line may wait for another one, nor for a place.
pub(crate) const PLACES: usize = 50;

/// A folder with everything in it, removed in the end.
pub(crate) struct Room {
    folder: tempfile::TempDir,
    /// `agent-dispatch`.
    pub(crate) program: PathBuf,
    /// The stand-in for `claude`.
    pub(crate) fake: PathBuf,
    /// All that the programs see of the world.
    pub(crate) environment: BTreeMap<OsString, OsString>,
}

impl Room {
    /// Makes the folder, with so many agents and places to run in.
    pub(crate) fn new(agents: usize, places: usize) -> io::Result<Self> {
        // Short, for it holds a socket, whose path may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("adb").tempdir()?;
        let home = folder.path().to_owned();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_agent-dispatch"));
        let fake = PathBuf::from(env!("CARGO_BIN_EXE_fake-claude"));
        let runtime = home.join("r");
        fs::create_dir_all(&runtime)?;
        let configuration = home.join(".config/agent-dispatch");
        fs::create_dir_all(&configuration)?;
        let mut text = format!(
            "settings:\n  claude_path: {}\n  max_concurrency: {places}\n  cache: {{enabled: true, ttl: 3600}}\nagents:\n",
            fake.display()
        );
        for number in 0..agents {
            let project = home.join(format!("project{number}"));
            make_project(&project, number)?;
            let agent = format!("  agent{number}:\n    directory: {}\n", project.display());
            text.push_str(&agent);
        }
        fs::write(configuration.join("agents.yaml"), text)?;
        let variables: [(&str, &Path); 3] = [
            ("HOME", &home),
            ("XDG_RUNTIME_DIR", &runtime),
            ("PATH", Path::new("/usr/local/bin:/usr/bin:/bin")),
        ];
        let environment =
            variables.into_iter().map(|(name, value)| (name.into(), value.as_os_str().to_owned())).collect();
        Ok(Self { folder, program, fake, environment })
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.path().join(".local/state/agent-dispatch")
    }

    /// Returns a command that sees this room only.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().envs(&self.environment).stderr(Stdio::inherit());
        command
    }
}

/// A project as they are found: instructions, a manifest, servers of its own, a commit.
fn make_project(folder: &Path, number: usize) -> io::Result<()> {
    fs::create_dir_all(folder.join(".git/refs/heads"))?;
    let files = [
        (
            "CLAUDE.md",
            format!(
                "# Project {number}\n\nWhat it is for, in a sentence or two.\n{}",
                "A rule.\n".repeat(100)
            ),
        ),
        ("README.md", format!("# Project {number}\n\nA service that measures.\n")),
        (
            "package.json",
            format!("{{\"name\": \"p{number}\", \"dependencies\": {{\"pg\": \"8\", \"react\": \"19\"}}}}\n"),
        ),
        (".mcp.json", "{\"mcpServers\": {\"tickets\": {\"command\": \"tickets\"}}}\n".to_owned()),
        (".git/HEAD", "ref: refs/heads/main\n".to_owned()),
        (".git/refs/heads/main", format!("{number:040}\n")),
    ];
    files.into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))
}
