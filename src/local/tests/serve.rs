use super::Bench;
use crate::local::serve;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

async fn exchange(stream: &mut TcpStream, bench: &Bench, length: usize, body: &str) -> String {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\nx-amz-target: AmazonSSM.GetParameter\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n",
        bench.authorization("ssm")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refusal may close the connection before the body has been read; what was sent is what counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_service_answers_on_a_port_until_the_shutdown() {
    let bench = Bench::new();
    bench.ssm("PutParameter", &json!({ "Name": "a", "Type": "String", "Value": "served" })).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(Arc::clone(&bench.local), listener, async move {
        let _ = stopped.await;
    }));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"Name":"a"}"#;
    let answer = exchange(&mut stream, &bench, body.len(), body).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-json-1.1"), "{answer}");
    assert!(answer.contains(r#""Value":"served""#), "{answer}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = exchange(&mut stream, &bench, 17 * 1024 * 1024, "").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    // A connection that idles does not hold the shutdown up.
    let idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}
