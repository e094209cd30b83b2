use super::Bench;
use super::copies::Hands;
use crate::local::{Builds, serve};
use bytes::Bytes;
use http::Request;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Sends a signed request with that body and further headers, and says that it has that length.
async fn exchange(stream: &mut TcpStream, bench: &Bench, (length, body): (usize, &str), more: &str) -> String {
    let mut request = Request::post("/").header("x-amz-target", "AmazonSSM.GetParameter");
    request = request.header("host", "localhost");
    let mut request = request.body(Bytes::from(body.to_owned())).unwrap();
    bench.sign("ssm", &mut request);
    let headers = request.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    let headers: String = headers.collect();
    let head = format!("POST / HTTP/1.1\r\n{headers}{more}content-length: {length}\r\nconnection: close\r\n\r\n");
    // A refusal may close the connection before everything has been sent; what was answered is what counts.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_service_answers_on_a_port_until_the_shutdown() {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::Real);
    let mut early = Request::post("/").header("x-amz-target", "AmazonSSM.GetParameter").body(Bytes::new()).unwrap();
    bench.sign("ssm", &mut early);
    bench.ssm("PutParameter", &json!({ "Name": "a", "Type": "String", "Value": "served" })).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(Arc::clone(&bench.local), listener, async move {
        let _ = stopped.await;
    }));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"Name":"a"}"#;
    let answer = exchange(&mut stream, &bench, (body.len(), body), "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-json-1.1"), "{answer}");
    assert!(answer.contains(r#""Value":"served""#), "{answer}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = exchange(&mut stream, &bench, (1024 * 1024 + 1, ""), "").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let many = (0..200).map(|number| format!("x-{number}: y\r\n")).collect::<Vec<_>>().concat();
    let answer = exchange(&mut stream, &bench, (body.len(), body), &many).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let long = format!("x-long: {}\r\n", "y".repeat(128 * 1024));
    let answer = exchange(&mut stream, &bench, (body.len(), body), &long).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    // What was overheard is worth nothing later.
    hands.forward(301);
    let stale = bench.local.handle_from_outside(early);
    assert_eq!(
        (stale.status().as_u16(), stale.headers()["x-amzn-errortype"].as_bytes()),
        (400, &b"InvalidSignatureException"[..])
    );

    // A connection that idles does not hold the shutdown up.
    let idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}
