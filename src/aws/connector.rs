//! An HTTP client for the SDK that hands requests to a function in this process.

use crate::local::Delay;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::sync::Arc;

/// Answers one request, synchronously. Called on a thread of the blocking pool, so it may take its time.
pub(crate) type Handler = Arc<dyn Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync>;

/// The SDK's HTTP client over `handler`.
pub(crate) fn client(handler: Handler) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InProcess(handler));
    http_client_fn(move |_settings, _components| connector.clone())
}

struct InProcess(Handler);

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(answer(Arc::clone(&self.0), request))
    }
}

async fn answer(handler: Handler, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    let request = http::Request::from_parts(parts, body);
    let response = tokio::task::spawn_blocking(move || handler(request))
        .await
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    if let Some(Delay(time)) = response.extensions().get() {
        tokio::time::sleep(*time).await;
    }
    HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}
