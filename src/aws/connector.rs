//! HTTP clients for the SDK: one that hands requests to a function in this process, and one that keeps a pace.

use super::fault::is_throttling;
use super::pace::{Kind, Pace};
use crate::local::Delay;
use aws_smithy_http_client::{Builder, ConnectorBuilder, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Answers one request, synchronously. Called on a thread of the blocking pool, so it may take its time.
pub(crate) type Handler = Arc<dyn Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync>;

/// The SDK's HTTP client over `handler`.
pub(crate) fn client(handler: Handler) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InProcess(handler));
    http_client_fn(move |_settings, _components| connector.clone())
}

/// The same on the thread of whoever calls, for tests: calls that are made at the same time take turns and come in the same
/// order each time.
#[cfg(test)]
pub(crate) fn in_thread(handler: Handler) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InThread(handler));
    http_client_fn(move |_settings, _components| connector.clone())
}

/// HTTP status of `RequestLimitExceeded` of EC2.
const TOO_BUSY: u16 = 503;

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

#[cfg(test)]
struct InThread(Handler);

#[cfg(test)]
impl std::fmt::Debug for InThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InThread")
    }
}

#[cfg(test)]
impl HttpConnector for InThread {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let handler = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = whole(request).await?;
            tokio::task::yield_now().await;
            handed_on(handler(request)).await
        })
    }
}

async fn answer(handler: Handler, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = whole(request).await?;
    let response = tokio::task::spawn_blocking(move || handler(request))
        .await
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    handed_on(response).await
}

async fn whole(request: HttpRequest) -> Result<http::Request<Bytes>, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    Ok(http::Request::from_parts(parts, body))
}

async fn handed_on(response: http::Response<Bytes>) -> Result<HttpResponse, ConnectorError> {
    if let Some(Delay(time)) = response.extensions().get() {
        tokio::time::sleep(*time).await;
    }
    HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}

/// The SDK's HTTP client over `inner` (HTTPS when absent) that keeps `pace`. A call waits for its turn here, so the time a
/// single attempt may take has to be measured here as well, from its turn on: that is `limit`.
pub(super) fn paced(inner: Option<SharedHttpClient>, pace: Pace, limit: Duration) -> SharedHttpClient {
    let inner = inner.unwrap_or_else(https);
    http_client_fn(move |settings, components| {
        let connector = inner.http_connector(settings, components);
        SharedHttpConnector::new(Paced { connector, pace: pace.clone(), limit })
    })
}

/// HTTPS as the SDK itself does it, through the proxy that the environment names.
fn https() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

#[derive(Debug)]
struct Paced {
    connector: SharedHttpConnector,
    pace: Pace,
    limit: Duration,
}

impl HttpConnector for Paced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, pace, limit) = (self.connector.clone(), self.pace.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target");
            pace.turn(Kind::of(path(request.uri()), target, request.body().bytes())).await;
            let answer = tokio::time::timeout(limit, connector.call(request)).await;
            let answer = answer.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?;
            if let Ok(response) = &answer {
                let code = response.headers().get("x-amzn-errortype").unwrap_or_default();
                let status = response.status().as_u16();
                // EC2 says it in the body only; the status is that of a service that has enough.
                if status == TOO_BUSY || is_throttling(status, code) {
                    pace.throttled();
                }
            }
            answer
        })
    }
}

/// The path of a URI, without scheme, host and query.
fn path(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let rest = rest.find('/').map_or("", |at| &rest[at..]);
    rest.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_found_in_every_form_of_uri() {
        for uri in ["https://imagebuilder.us-east-1.amazonaws.com/GetImage?x=/y", "/GetImage", "/GetImage?a=b"] {
            assert_eq!(path(uri), "/GetImage", "{uri}");
        }
        assert_eq!(path("https://host"), "");
    }
}
