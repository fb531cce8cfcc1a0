//! What is too long for a message to the daemon.

use agent_dispatch::daemon::ClientError;
use agent_dispatch::daemon::wire::FRAME_BYTES_MAX;
use agent_dispatch::dispatch::DispatchError;
use agent_dispatch::error::{Kind, Report};
use agent_dispatch::model::ResponseFormat;
use serde_json::json;

use crate::scene::{Scene, dispatch, on_runtime};

#[test]
fn a_request_that_is_too_long_is_the_callers_to_shorten_and_the_daemon_goes_on() {
    let scene = Scene::new();
    on_runtime(async {
        let frontend = scene.frontend();
        let mut long = scene.request("worker", "say done");
        let schema = json!({"type": "object", "description": "x".repeat(FRAME_BYTES_MAX)});
        long.response_format = ResponseFormat::Schema(schema.as_object().unwrap().clone());
        let refused = dispatch(&frontend, &long).await.unwrap_err();
        assert!(matches!(refused, DispatchError::Client(ClientError::TooLong(_))), "{refused:?}");
        let report = Report::from(&refused);
        assert_eq!((report.kind, report.code), (Kind::Usage, "too_long"));
        assert!(report.message.starts_with("the request is 2516"), "{report:?}");
        dispatch(&frontend, &scene.request("worker", "say done")).await.unwrap();
    });
}
