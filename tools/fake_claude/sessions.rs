//! Conversations, kept as files `$HOME/.fake-claude/<id>` that hold the directory they belong to; without HOME, none are
//! kept and none are missed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use crate::arguments::Arguments;

/// A session that may not be had.
pub(crate) struct Refused {
    pub(crate) message: String,
    /// Whether the real one also prints a result line.
    pub(crate) with_result: bool,
}

/// Opens the session that was asked for, or says why not.
pub(crate) fn admit(arguments: &Arguments) -> Result<(), Refused> {
    let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) else { return Ok(()) };
    let folder = PathBuf::from(home).join(".fake-claude");
    let here = std::env::current_dir().unwrap_or_default();
    let here = here.as_os_str().as_encoded_bytes();
    let refused = |message: String| Refused { message, with_result: false };
    if let Some(id) = &arguments.session {
        // The folder is there already, as a rule.
        let new = || OpenOptions::new().write(true).create_new(true).open(folder.join(id));
        let opened = match new() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&folder).and_then(|()| new())
            }
            opened => opened,
        };
        return match opened.and_then(|mut file| file.write_all(here)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(refused(format!("Error: Session ID {id} is already in use.")))
            }
            Err(error) => Err(refused(format!("fake-claude: {}: {error}", folder.display()))),
            Ok(()) => Ok(()),
        };
    }
    let Some(id) = &arguments.resume else { return Ok(()) };
    match fs::read(folder.join(id)) {
        Ok(directory) if directory == here => Ok(()),
        Ok(_) | Err(_) => Err(Refused {
            message: format!("No conversation found with session ID: {id}"),
            with_result: true,
        }),
    }
}
