//! What others say: records that only the daemon writes.

use agent_dispatch::audit::query::AuditFilter;
use agent_dispatch::audit::{Code, Record};
use agent_dispatch::daemon::protocol::Request;
use agent_dispatch::model::{JobId, Timestamp};

use crate::scene::{Scene, audit, on_runtime};

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
