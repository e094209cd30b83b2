//! The same service on a TCP port, for the AWS CLI and other tools.

use super::{Delay, Local, LocalError};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bodies larger than this are refused. The largest that an operation takes is far smaller.
const MAX_BODY: usize = 1024 * 1024;
/// Heads of requests larger than this are refused, and those with more headers.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long a client may take to send what it has begun.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at a time; others wait until one ends.
const CONNECTIONS: usize = 256;
/// How long connections may take to finish what they do after the shutdown began.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `local` on `listener` until `shutdown` is ready; then no new connection is taken and requests in flight are
/// finished, for at most ten seconds.
///
/// It is safe to leave open on a loopback address: what is not signed with the environment's own keys just now is refused, and so
/// is what is too large or too slow. Whoever calls decides what to listen on.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    local: Arc<Local>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), LocalError> {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    let result = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&local), stream, stopped.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(source) => break Err(LocalError::Io { path: "the listening socket".into(), source }),
            },
        }
    };
    drop(listener);
    // No receiver is left when every connection has ended already.
    let _ = stop.send(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::warn!("connections to the local environment were cut after {GRACE:?}");
    }
    result
}

/// Errors of `accept` that concern a client that went away, not the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn connection(local: Arc<Local>, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a shutdown as well.
    let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
    let service = service_fn(move |request| {
        let local = Arc::clone(&local);
        async move { Ok::<_, Infallible>(answer(local, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the local environment ended early");
    }
}

async fn answer(local: Arc<Local>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than 1 MiB");
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return too_large();
    }
    let Ok(body) = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await else {
        return plain(StatusCode::REQUEST_TIMEOUT, "the request body did not come in time");
    };
    let body = match body {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return too_large(),
        Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("the request body cannot be read: {error}")),
    };
    let request = Request::from_parts(head, body);
    match tokio::task::spawn_blocking(move || local.handle_from_outside(request)).await {
        Ok(response) => {
            if let Some(Delay(time)) = response.extensions().get() {
                tokio::time::sleep(*time).await;
            }
            response.map(Full::new)
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("the operation was cut short: {error}")),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}
