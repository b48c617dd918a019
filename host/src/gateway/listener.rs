//! Connections: accepted up to a limit, with TLS or without, each request's header within its limits, and at the end
//! brought to an end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::front::{Front, PeerCertificate};

/// Most headers of a request.
const HEADERS: usize = 100;
/// How long answers that are written have to get out, when everything else is done.
const FLUSH: Duration = Duration::from_secs(1);

/// Serves until `stop` is ready. Then health says so and nothing else is begun, and when no request is under way, or
/// the time for that is over, `ended` ends what would go on, and connections are closed.
///
/// # Errors
/// When the listener fails altogether.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    front: Arc<Front>,
    stop: impl Future<Output = ()>,
    ended: impl Future<Output = ()>,
) -> io::Result<()> {
    let (close, closing) = watch::channel(false);
    let most = usize::try_from(front.limits.connections).unwrap_or(usize::MAX);
    let free = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let certificates = front.tls.clone().map(|tls| tokio::spawn(tls.watch()));
    let mut end = pin!(end(&front, stop));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                recover(&error).await;
                continue;
            }
        };
        let Ok(place) = free.clone().try_acquire_owned() else {
            tracing::warn!(most, "too many connections: one more was closed");
            continue;
        };
        let (router, front, closing) = (router.clone(), front.clone(), closing.clone());
        connections.spawn(async move {
            let _place = place;
            connection(stream, router, &front, closing).await;
        });
    }
    let _ = close.send(true);
    let all = async {
        ended.await;
        while connections.join_next().await.is_some() {}
    };
    if timeout(FLUSH, all).await.is_err() {
        tracing::info!("streams that clients hold open are cut off");
    }
    connections.abort_all();
    if let Some(certificates) = certificates {
        certificates.abort();
    }
    Ok(())
}

/// Ready when the gateway was told to stop, and may.
async fn end(front: &Front, stop: impl Future<Output = ()>) {
    stop.await;
    tracing::info!("stopping: requests under way may finish");
    front.drain();
    let time = front.limits.drain_time();
    if timeout(time, front.admission.idle()).await.is_err() {
        tracing::warn!(seconds = time.as_secs(), "requests under way did not finish in time and are cut off");
    }
}

/// An error of one connection is its own; any other may pass when files are closed.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "no connection can be accepted");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn connection(stream: TcpStream, router: Router, front: &Front, closing: watch::Receiver<bool>) {
    // Small answers are not held back.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &front.tls else {
        return requests(TokioIo::new(stream), PeerCertificate::default(), router, front, closing).await;
    };
    match timeout(front.limits.header_time(), tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = PeerCertificate::of(shown);
            requests(TokioIo::new(stream), certificate, router, front, closing).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "no TLS connection"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn requests<S: Read + Write + Unpin + 'static>(
    stream: S,
    certificate: PeerCertificate,
    router: Router,
    front: &Front,
    mut closing: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(certificate.clone());
        router.call(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(front.limits.header_time());
    builder.max_header_size(front.limits.header_bytes).max_headers(HEADERS);
    let mut connection = pin!(builder.serve_connection(stream, service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ready when connections are to end.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}
