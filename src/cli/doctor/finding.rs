//! What a check found, and all of it as a document and as text.

use serde::Serialize;

use crate::audit::redact::one_line;
use crate::cli::render::{Screen, Tone, harmless};

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, but not as it should, or not for long.
    Warn,
    /// Something does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    pub(super) section: &'static str,
    /// How well it is.
    pub(super) status: Status,
    /// What was found, in a sentence.
    pub(super) message: String,
    /// Particulars.
    pub(super) details: Vec<String>,
    /// A command that puts it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Finding {
    /// Returns a finding that says that all is well.
    pub(super) fn ok(section: &'static str, message: impl Into<String>) -> Self {
        Self { section, status: Status::Ok, message: message.into(), details: Vec::new(), fix: None }
    }

    /// Returns a finding that warns.
    pub(super) fn warn(section: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::Warn, ..Self::ok(section, message) }
    }

    /// Returns a finding that says that something is broken.
    pub(super) fn fail(section: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::ok(section, message) }
    }

    /// Adds particulars.
    pub(super) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details.into_iter().filter(|detail| !detail.is_empty()));
        self
    }

    /// Names the command that puts it right.
    pub(super) fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix = Some(command.into());
        self
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    schema_version: u32,
    /// The worst of all.
    pub(super) status: Status,
    issues: usize,
    warnings: usize,
    checks: Vec<Finding>,
}

/// Longest line that is told, in characters.
const LINE_CHARS: usize = 1000;

impl Findings {
    /// Sums up what was found.
    pub(super) fn of(checks: Vec<Finding>) -> Self {
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        let (issues, warnings) = (count(Status::Fail), count(Status::Warn));
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
        Self { schema_version: 1, status, issues, warnings, checks }
    }

    /// Returns all of it for a person.
    pub(super) fn told(&self, screen: Screen) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut section = "";
        for check in &self.checks {
            if check.section != section {
                lines.extend((!section.is_empty()).then(String::new));
                section = check.section;
                lines.push(screen.toned(section, Tone::Strong));
            }
            let (mark, tone) = match check.status {
                Status::Ok => ("ok  ", Tone::Good),
                Status::Warn => ("warn", Tone::Busy),
                Status::Fail => ("FAIL", Tone::Bad),
            };
            let said = one_line(&check.message, LINE_CHARS);
            lines.push(format!("  {}  {said}", screen.toned(mark, tone)));
            lines.extend(check.details.iter().map(|it| format!("        {}", one_line(it, LINE_CHARS))));
            // A command must stay what it is.
            lines.extend(check.fix.as_ref().map(|fix| format!("        fix: {}", harmless(fix))));
        }
        let plural =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        lines.push(String::new());
        lines.push(match (self.issues, self.warnings) {
            (0, 0) => screen.toned("All is well.", Tone::Good),
            (0, warnings) => plural(warnings, "warning"),
            (issues, warnings) => format!("{}, {}", plural(issues, "problem"), plural(warnings, "warning")),
        });
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests;
