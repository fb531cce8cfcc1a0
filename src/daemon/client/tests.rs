//! What is left of a start of the daemon that does not come about.

use super::*;

/// Returns a way to a daemon that this program would be.
fn client(home: &Path, program: &str) -> Client {
    let variables = [("HOME".into(), home.into())].into();
    let environment = Environment::new(variables, home.to_owned(), program.into()).unwrap();
    place::prepare(&environment.state).unwrap();
    Client::new(&environment)
}

fn sockets(client: &Client) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(client.paths().socket.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "sock")).collect()
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_socket() {
    let home = tempfile::tempdir().unwrap();
    let client = client(home.path(), "/no/such/program");
    client.start().await.unwrap_err();
    assert_eq!(sockets(&client), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_no_socket() {
    let home = tempfile::tempdir().unwrap();
    let client = client(home.path(), "/bin/true");
    let mut starting = Box::pin(client.start());
    // It has begun, and is not waited for.
    let _begun = futures_util::poll!(&mut starting);
    drop(starting);
    assert_eq!(sockets(&client), Vec::<PathBuf>::new());
}
