//! What callers may use up, which hosts they may ask for, and how the gateway stops.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, call, folder, send};

async fn world(limits: Value) -> World {
    World::start(folder(), json!({"limits": limits})).await
}

/// Writes bytes, and gives what comes until the gateway closes, or nothing more comes for a while.
async fn raw(world: &World, bytes: &str, patience: Duration) -> String {
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut text = Vec::new();
    let _ = tokio::time::timeout(patience, stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn headers_are_bounded_in_bytes_number_and_time() {
    let world = world(json!({"header_bytes": 4096, "header_seconds": 1})).await;
    let long = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-a: {}\r\n\r\n", "a".repeat(5000));
    let many = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(120));
    for (request, status) in [(long, "431"), (many, "431"), ("GARBAGE\r\n\r\n".to_owned(), "400")] {
        let answer = raw(&world, &request, Duration::from_secs(3)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let fine = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert!(raw(&world, fine, Duration::from_secs(3)).await.starts_with("HTTP/1.1 200"));
    // One that never ends its headers is hung up on; one that says nothing, too.
    for slow in ["GET /livez HTTP/1.1\r\nhost: localhost\r\n", ""] {
        let began = Instant::now();
        let answer = raw(&world, slow, Duration::from_secs(8)).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(4), "{slow}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_in_time() {
    let world = world(json!({"body_seconds": 1})).await;
    let slow = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let began = Instant::now();
    let answer = raw(&world, slow, Duration::from_secs(8)).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn connections_are_bounded() {
    let world = world(json!({"connections": 2})).await;
    let get = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut first = TcpStream::connect(world.address).await.expect("a connection");
    let mut second = TcpStream::connect(world.address).await.expect("a connection");
    let mut buffer = [0; 12];
    for stream in [&mut first, &mut second] {
        stream.write_all(get.as_bytes()).await.expect("written");
        stream.read_exact(&mut buffer).await.expect("an answer");
        assert_eq!(&buffer, b"HTTP/1.1 200");
    }
    assert_eq!(raw(&world, get, Duration::from_secs(3)).await, "");
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(raw(&world, get, Duration::from_secs(1)).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn requests_at_once_are_bounded() {
    let world = world(json!({"requests": 2})).await;
    let (a, b, c) = tokio::join!(world.call(&[], "slow"), world.call(&[], "slow"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Health is answered whatever goes on.
        (world.call(&[], "whoami").await, world.get("/readyz").await.status)
    });
    let (refused, ready) = c;
    assert_eq!((a.status, b.status, refused.status, ready), (200, 200, 503, 200));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(world.count(), 2);
    assert_eq!(world.call(&[], "whoami").await.status, 200);
}

#[tokio::test]
async fn it_says_how_it_is() {
    let world = world(json!({})).await;
    for (path, said) in [("/livez", "alive"), ("/readyz", "ready"), ("/healthz", "ready")] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_under_way_may_finish() {
    let mut world = world(json!({"drain_seconds": 8})).await;
    let (url, client) = (world.url(""), world.client.clone());
    let slow = tokio::spawn(send(
        client
            .post(format!("{url}/mcp"))
            .header("content-type", "application/json")
            .body(call("slow").to_string()),
        &[],
    ));
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop(world.stop.take());
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (path, status, said) in
        [("/readyz", 503, "draining"), ("/healthz", 503, "draining"), ("/livez", 200, "alive")]
    {
        let answer = world.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
    }
    let late = world.call(&[], "whoami").await;
    assert_eq!((late.status, late.header("connection")), (503, "close"));
    let slow = slow.await.expect("no panic");
    assert_eq!(slow.status, 200, "{slow:?}");
    let began = Instant::now();
    world.stopped().await.expect("it stops");
    assert!(began.elapsed() < Duration::from_secs(3), "nothing is waited for any more");
    assert!(TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let mut world = world(json!({"drain_seconds": 0})).await;
    let (url, client) = (world.url("/mcp"), world.client.clone());
    let request = client.post(url).header("content-type", "application/json").body(call("slow").to_string());
    let slow = tokio::spawn(async move { request.send().await.is_err() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    world.stopped().await.expect("it stops");
    assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
    assert!(slow.await.expect("no panic"), "the answer never came");
}

/// Opens a session and a stream of it.
async fn listens(world: &World) -> (String, reqwest::Response) {
    let begin = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let id = world.post(&[], &begin).await.header("mcp-session-id").to_owned();
    let stream = world.client.get(world.url("/mcp")).header("accept", "text/event-stream");
    (id.clone(), stream.header("mcp-session-id", id).send().await.expect("an answer"))
}

#[tokio::test]
async fn streams_are_bounded_and_do_not_keep_it_from_stopping() {
    let mut world = world(json!({"streams": 1, "drain_seconds": 8})).await;
    let (_, mut first) = listens(&world).await;
    assert_eq!(first.status().as_u16(), 200);
    let (_, second) = listens(&world).await;
    assert_eq!(second.status().as_u16(), 503);
    // Other requests have places of their own.
    assert_eq!(world.call(&[], "whoami").await.status, 200);
    let began = Instant::now();
    world.stopped().await.expect("it stops");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    while let Ok(Some(_)) = first.chunk().await {}
    let mut world = self::world(json!({"streams": 1})).await;
    drop(listens(&world).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(listens(&world).await.1.status().as_u16(), 200, "the place is given back");
    world.stopped().await.expect("it stops");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_still_recorded_before_it_stops() {
    let mut world = world(json!({"drain_seconds": 8})).await;
    let request = world.client.post(world.url("/mcp")).header("content-type", "application/json");
    let gone = request.body(call("slow").to_string()).timeout(Duration::from_millis(400)).send().await;
    assert!(gone.is_err());
    world.stopped().await.expect("it stops");
    let log = std::fs::read_to_string(world.folder.join("decisions.jsonl")).expect("the log");
    let last: Value = serde_json::from_str(log.lines().next_back().expect("a record")).expect("JSON");
    assert_eq!((&last["call"]["stage"], &last["outcome"]), (&json!("result"), &json!("ran")), "{log}");
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused() {
    let world = World::start(folder(), json!({"hosts": ["gateway.example", "*.internal"]})).await;
    let port = world.address.port();
    let local = format!("localhost:{port}");
    for (hosts, status) in [
        (vec![local.as_str()], 200),
        (vec!["127.0.0.1"], 200),
        (vec!["gateway.example"], 200),
        (vec!["a.internal:80"], 200),
        (vec!["evil.example"], 403),
        (vec!["gateway.example.evil.example"], 403),
        (vec!["internal"], 403),
        (vec!["localhost", "evil.example"], 400),
        (vec![], 400),
    ] {
        let lines: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let body = call("whoami").to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\n{lines}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let before = world.count();
        let answer = raw(&world, &request, Duration::from_secs(5)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{hosts:?}: {answer}");
        assert_eq!(world.count() - before, usize::from(status == 200), "{hosts:?}");
    }
}
