//! What others say: names that would do harm where they are shown, and records that only the daemon writes.

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::audit::{Code, Record};
use agent_dispatch::daemon::protocol::Request;
use agent_dispatch::model::{JobId, Timestamp};

use super::{dispatch, records_of};
use crate::scene::{Scene, audit, on_runtime};
use crate::world::World;

#[test]
fn names_of_callers_are_recorded_without_what_does_harm() {
    let world = World::with_worker();
    world.script("say so");
    let name = format!("\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{200b} {}", "x".repeat(300));
    dispatch(&world, &["look", "--caller", &name]);
    let asked = records_of(&world, "requested");
    let declared = asked[0]["caller"]["declared"].as_str().unwrap();
    assert!(declared.starts_with("red evil xxx"), "{declared:?}");
    assert_eq!(declared.chars().count(), 201, "{declared:?}");
}

#[test]
fn front_ends_record_changes_of_the_configuration_and_nothing_that_excuses_a_loss() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        for code in Code::ALL {
            let mut record = Record::new(Timestamp::now(), code);
            record.details.insert("jobs".to_owned(), "5".to_owned());
            let body = serde_json::to_string(&record).unwrap();
            let recorded = frontend.client.ask(&Request::Record { id: JobId::generate(), body }).await;
            assert_eq!(recorded.is_ok(), code.as_str().starts_with("config_"), "{code:?}: {recorded:?}");
        }
        let known = audit(&frontend, AuditFilter::default()).await;
        assert!(known.iter().all(|record| record.event.as_str().starts_with("config_")), "{known:?}");
    });
}
