//! stub
use crate::cli::args::DoctorArguments;
use crate::cli::render::Screen;
use crate::dispatch::Frontend;
use crate::error::Report;
use std::process::ExitCode;
pub(super) async fn doctor(_f: &Frontend, _s: Screen, _a: DoctorArguments) -> Result<ExitCode, Report> {
    Ok(ExitCode::SUCCESS)
}
