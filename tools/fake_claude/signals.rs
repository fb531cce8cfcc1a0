//! Answers signals as the real one does while it is busy: SIGINT ends the run with a result line and code 1, SIGTERM with
//! code 143 and no line.

#![expect(clippy::exit, reason = "a signal ends the program from a thread of its own")]

use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::company;
use crate::script::Deaf;
use crate::voice::{self, Ending, SharedVoice};

/// Begins to listen, and returns once no signal can be missed any more.
pub(crate) fn watch(voice: &SharedVoice, deaf: Deaf) -> Result<(), String> {
    let (ready, listening) = mpsc::sync_channel(1);
    let voice = SharedVoice::clone(voice);
    thread::spawn(move || {
        let failed = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime.block_on(listen(&voice, deaf, &ready)),
            Err(error) => Err(error),
        };
        // Only a failure to listen gets here.
        _ = ready.send(failed.map_err(|error| error.to_string())).is_ok();
    });
    listening.recv().map_err(|error| error.to_string())?
}

async fn listen(
    voice: &SharedVoice,
    deaf: Deaf,
    ready: &mpsc::SyncSender<Result<(), String>>,
) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    _ = ready.send(Ok(())).is_ok();
    loop {
        tokio::select! {
            _ = interrupt.recv() => {
                if deaf == Deaf::No {
                    let text = "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=tool_use";
                    let ending = Ending::failed("error_during_execution", text).because("aborted_tools");
                    _ = voice::speak(voice, |voice| voice.result(&ending)).is_ok();
                    company::leave();
                    std::process::exit(1);
                }
            }
            _ = terminate.recv() => {
                if deaf != Deaf::ToAll {
                    company::leave();
                    std::process::exit(143);
                }
            }
        }
    }
}
