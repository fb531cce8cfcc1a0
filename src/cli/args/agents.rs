//! What can be typed about agents.

use clap::Args;

use crate::cli::args::number::whole;

/// Everything an agent has beside its name and its directory.
#[derive(Debug, Args)]
pub(in crate::cli) struct FieldArguments {
    /// What it is for; without one it is read from its directory
    #[arg(long, short, allow_hyphen_values = true)]
    pub(in crate::cli) description: Option<String>,
    /// Seconds one dispatch may run; 0 takes the default of the settings
    #[arg(long, value_name = "SECONDS", value_parser = whole::<u32>(0..=86_400))]
    pub(in crate::cli) timeout: Option<u32>,
    /// Model alias or id
    #[arg(long)]
    pub(in crate::cli) model: Option<String>,
    /// Spending cap of one dispatch; `none` for no cap, 0 for the default of the settings
    #[arg(long, alias = "max-budget-usd", value_name = "USD", allow_negative_numbers = true, value_parser = budget)]
    pub(in crate::cli) max_budget: Option<Budget>,
    /// Permission mode: default, acceptEdits, plan, bypassPermissions, ...
    #[arg(long, value_name = "MODE")]
    pub(in crate::cli) permission_mode: Option<String>,
    /// Tools it may use, separated by commas
    #[arg(long, value_name = "TOOLS")]
    pub(in crate::cli) allowed_tools: Option<String>,
    /// Tools it may not use, separated by commas
    #[arg(long, value_name = "TOOLS")]
    pub(in crate::cli) disallowed_tools: Option<String>,
    /// What it can do: labels, separated by commas
    #[arg(long, value_name = "LABELS")]
    pub(in crate::cli) capabilities: Option<String>,
    /// What it can break: labels, separated by commas
    #[arg(long, value_name = "LABELS")]
    pub(in crate::cli) risky_capabilities: Option<String>,
    /// Standing instructions for its sessions
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    pub(in crate::cli) instructions: Option<String>,
    /// How many of its dispatches may run at once; 0 for no bound of its own
    #[arg(long, value_name = "N", value_parser = whole::<u32>(0..=1000))]
    pub(in crate::cli) max_concurrency: Option<u32>,
    /// Who may ask it, separated by commas; `none` for everyone
    #[arg(long, value_name = "NAMES")]
    pub(in crate::cli) callers: Option<String>,
    /// What it may spend in a day; `none` for no cap
    #[arg(long, value_name = "USD", value_parser = budget)]
    pub(in crate::cli) budget_day: Option<Budget>,
    /// What it may spend in a month; `none` for no cap
    #[arg(long, value_name = "USD", value_parser = budget)]
    pub(in crate::cli) budget_month: Option<Budget>,
    /// Variables that its sessions inherit, separated by commas, such as `AWS_*`; `none` for all
    #[arg(long, value_name = "NAMES")]
    pub(in crate::cli) env_inherit: Option<String>,
    /// Variables that its sessions do not inherit, separated by commas
    #[arg(long, value_name = "NAMES")]
    pub(in crate::cli) env_deny: Option<String>,
    /// Variable to set for its sessions (repeatable; together they replace those that are set); '' for none
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(in crate::cli) env_set: Vec<(String, String)>,
}

/// A spending cap as it can be typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) enum Budget {
    /// `none`: no cap, whatever the default says.
    Unlimited,
    /// 0: the default.
    Default,
    /// This many US dollars.
    Usd(f64),
}

fn budget(text: &str) -> Result<Budget, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Budget::Unlimited);
    }
    match text.trim_start_matches('$').parse::<f64>() {
        Ok(0.0) => Ok(Budget::Default),
        Ok(usd) if usd.is_finite() && usd > 0.0 => Ok(Budget::Usd(usd)),
        Ok(_) | Err(_) => {
            Err("expected an amount in US dollars such as 0.50, 0 for the default, or `none`".to_owned())
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        None if text.is_empty() => Ok((String::new(), String::new())),
        Some(_) | None => Err("expected NAME=VALUE".to_owned()),
    }
}
