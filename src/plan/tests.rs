//! A plan that lies in a run folder is read by whichever version finds it there.

use super::*;

/// A plan with a value in every field, as version 1 writes it.
const RUN_PLAN_V1: &str = include_str!("golden/run_plan_v1.json");

fn plan() -> RunPlan {
    let job = "0197a3f2c4d1700080000000000000aa".parse().unwrap();
    RunPlan {
        job,
        agent: "docs".parse().unwrap(),
        program: "/usr/bin/claude".into(),
        args: vec!["-p".to_owned(), "--verbose".to_owned()],
        directory: "/srv/docs".into(),
        environment: EnvironmentRule {
            inherit: Some(vec!["PATH".to_owned()]),
            deny: vec!["TOKEN".to_owned()],
            set: [("CI".to_owned(), "1".to_owned())].into(),
        },
        session: "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47".parse().unwrap(),
        resumed: true,
        timeout_ms: 600_000,
        stall_ms: 120_000,
        expects: Expects::Schema("{}".to_owned()),
        profile: ProfileInForce {
            model: Some("opus".to_owned()),
            permission_mode: Some("plan".to_owned()),
            allowed_tools: Some(vec!["Read".to_owned()]),
            disallowed_tools: vec!["Bash".to_owned()],
            max_budget_usd: Some(2.5),
            timeout_seconds: 600,
        },
        trace: TraceParent::of_run(None, job),
    }
}

#[test]
fn a_plan_of_every_released_version_is_read() {
    assert_eq!(serde_json::from_str::<RunPlan>(RUN_PLAN_V1).unwrap(), plan());
}

#[test]
fn a_plan_of_a_later_version_is_read_as_far_as_it_is_known() {
    let mut later = serde_json::to_value(plan()).unwrap();
    for place in ["", "/environment", "/profile"] {
        let place = later.pointer_mut(place).unwrap().as_object_mut().unwrap();
        place.insert("of_later".to_owned(), true.into());
    }
    assert_eq!(serde_json::from_value::<RunPlan>(later).unwrap(), plan());
}
