//! A service that answers whatever becomes of it: a handler that panics would leave its client waiting for ever.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use rmcp::ErrorData;
use rmcp::model::{ClientNotification, ClientRequest, ProtocolVersion, ServerConfig, ServerResult};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, Service};

/// The service inside, and an error where it panics.
#[derive(Debug)]
pub(super) struct Answering<S>(pub(super) S);

impl<S: Service<RoleServer>> Service<RoleServer> for Answering<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let method = request.method().to_owned();
        let handled = AssertUnwindSafe(async { self.0.handle_request(request, context).await });
        handled.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(method, "a request made its handler panic");
            let text = format!("`{method}` failed by a mistake of this server; please report it");
            Err(ErrorData::internal_error(text, None))
        })
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }
}
