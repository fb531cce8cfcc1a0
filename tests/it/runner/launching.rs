//! How processes are started, and why some are not.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Returns what comes of starting the world's plan.
fn refused(world: &mut World) -> SpawnError {
    on_runtime(world.run_cancelled_at(None)).expect_err("it must not start")
}

#[test]
fn what_cannot_be_started_is_told_apart() {
    let mut world = World::new("say hello");
    world.plan.program = world.file("missing");
    assert!(matches!(refused(&mut world), SpawnError::NoProgram { path } if path == world.file("missing")));

    let mut world = World::new("say hello");
    world.plan.directory = world.file("missing");
    assert!(
        matches!(refused(&mut world), SpawnError::Directory { path, .. } if path == world.file("missing"))
    );

    let mut world = World::new("say hello");
    world.plan.directory = world.folder.plan();
    assert!(matches!(refused(&mut world), SpawnError::Directory { .. }));

    let mut world = World::new("say hello");
    world.plan.program = world.file("plain");
    fs::write(&world.plan.program, "say hello").unwrap();
    assert!(matches!(refused(&mut world), SpawnError::NotExecutable { .. }));

    // "Not found" by the system's word: it is the interpreter that is.
    fs::write(&world.plan.program, "#!/missing/interpreter\n").unwrap();
    fs::set_permissions(&world.plan.program, PermissionsExt::from_mode(0o700)).unwrap();
    assert!(matches!(refused(&mut world), SpawnError::NotExecutable { .. }));

    let mut world = World::new("say hello");
    world.plan.args.push("x".repeat(200_000));
    assert!(matches!(refused(&mut world), SpawnError::Start { .. }));

    let mut world = World::new("say hello");
    fs::create_dir_all(world.folder.stdout()).unwrap();
    assert!(matches!(refused(&mut world), SpawnError::Folder(_)));
}

/// Returns a file of ours that a child would inherit, as one that a careless parent gave us.
fn careless_file(path: &Path) -> File {
    let file = File::create(path).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    file
}

fn open_files(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect()
}

#[test]
fn a_run_inherits_no_files_and_leads_a_session_of_its_own() {
    let mut world = World::new("say done; result; wait @go");
    let lock = careless_file(&world.file("lock"));
    let go = world.file("go");
    on_runtime(async {
        let (report, afterlife) = world.run().await;
        let files = open_files(report.pid);
        assert!(!files.contains(&world.file("lock")), "{files:?}");
        let pid = rustix::process::Pid::from_raw(i32::try_from(report.pid).unwrap());
        assert_eq!(rustix::process::getsid(pid).ok(), pid);
        File::create(go).unwrap();
        afterlife.settle().await;
    });
    drop(lock);
}

#[test]
fn a_detached_program_is_free_of_us_and_is_reaped() {
    let mut world = World::new("report @report; wait @go");
    let lock = careless_file(&world.file("lock"));
    let stderr = File::create(world.file("stderr")).unwrap();
    world.environment.insert("PASSED".into(), "on".into());
    let args: Vec<OsString> =
        ["-p", "--output-format", "stream-json", "--verbose", "hello"].map(OsString::from).into();
    let environment = Some(&world.environment);
    let pid =
        launch::detached(Path::new(FAKE), &args, environment, &world.plan.directory, None, stderr).unwrap();
    on_runtime(async {
        appears(&world.file("report")).await;
        let told: serde_json::Value =
            serde_json::from_slice(&fs::read(world.file("report")).unwrap()).unwrap();
        assert_eq!(told["pid"], pid);
        assert_eq!(told["cwd"], world.plan.directory.to_str().unwrap());
        assert_eq!(told["env"]["PASSED"], "on");
        assert_eq!(told["env"].get("AGENT_DISPATCH_RUN_ID"), None);
        let number = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap());
        assert_eq!(rustix::process::getsid(number).ok(), number);
        let files = open_files(pid);
        assert!(!files.contains(&world.file("lock")), "{files:?}");
        let standard = [0, 1, 2].map(|file| fs::read_link(format!("/proc/{pid}/fd/{file}")).unwrap());
        assert_eq!(standard, ["/dev/null".into(), "/dev/null".into(), world.file("stderr")]);

        File::create(world.file("go")).unwrap();
        holds("it is reaped", || !Path::new(&format!("/proc/{pid}")).exists()).await;
    });
    drop(lock);
}

#[test]
fn a_detached_program_that_does_not_exist_is_an_error() {
    let world = World::new("");
    let stderr = File::create(world.file("stderr")).unwrap();
    let started = launch::detached(&world.file("missing"), &[], None, &world.plan.directory, None, stderr);
    assert_eq!(started.unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_log_that_has_grown_too_long_is_set_aside_and_all_who_have_it_open_write_on_in_the_new_one() {
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("daemon.log");
    let write = |mut file: &File, text: &[u8]| std::io::Write::write_all(&mut file, text).unwrap();
    let aside = || fs::read_to_string(scratch.path().join("daemon.log.1")).unwrap();
    let daemon = launch::open_log(&log).unwrap();
    for round in ["first\n", "second\n"] {
        write(&daemon, round.as_bytes());
        write(&daemon, &vec![b'x'; 2 << 20]);
        let worker = launch::open_log(&log).unwrap();
        write(&worker, b"worker\n");
        write(&daemon, b"daemon\n");
        assert_eq!(fs::read_to_string(&log).unwrap(), "worker\ndaemon\n");
        assert!(aside().contains(round) && aside().len() > 2 << 20);
    }
}
