//! Connections, sessions and links.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SaslAnonymousMechanism, SessionAcceptor,
};
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::messaging::Body;
use fe2o3_amqp_types::primitives::Value;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};
use tokio_rustls::TlsAcceptor;

use super::queue::{Answer, answer};
use super::{Shared, error, token};

/// Until when a connection may send.
pub(super) type Authorized = Mutex<Option<SystemTime>>;

/// One connection.
struct Peer {
    shared: Arc<Shared>,
    authorized: Authorized,
    /// Drops the connection as a broken network does.
    cut: Notify,
}

/// A certificate of this process' own for `localhost`, and the same in PEM.
pub(super) fn tls() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

pub(super) async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                Some(tls) => {
                    // A client that does not trust the certificate goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    shared.lock().connections += 1;
    let peer = Arc::new(Peer { shared: shared.clone(), authorized: Mutex::default(), cut: Notify::new() });
    let (mut near, far) = duplex(64 * 1024);
    let for_pump = peer.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = copy_bidirectional(&mut stream, &mut near) => {}
            () = for_pump.cut.notified() => {}
        }
    });
    let acceptor = ConnectionAcceptor::builder().container_id("double").sasl_acceptor(SaslAnonymousMechanism::new()).build();
    let Ok(mut connection) = acceptor.accept(far).await else { return };
    while let Ok(session) = SessionAcceptor::new().accept(&mut connection).await {
        tokio::spawn(links(session, peer.clone()));
    }
    if matches!(connection.on_close().await, Ok(()) | Err(fe2o3_amqp::connection::Error::RemoteClosed)) {
        shared.lock().closed += 1;
    }
}

async fn links(mut session: ListenerSessionHandle, peer: Arc<Peer>) {
    let acceptor = LinkAcceptor::builder().max_message_size(peer.shared.options.max_message_size).build();
    let (mut requests, mut answers) = (None::<Receiver>, None::<Sender>);
    while let Ok(link) = acceptor.accept(&mut session).await {
        match link {
            LinkEndpoint::Sender(sender) => answers = Some(sender),
            LinkEndpoint::Receiver(receiver) if address(&receiver) == "$cbs" => requests = Some(receiver),
            LinkEndpoint::Receiver(receiver) => {
                tokio::spawn(receive(receiver, peer.clone()));
            }
        }
        if let (Some(_), Some(_)) = (&requests, &answers) {
            let (requests, answers, peer) = (requests.take(), answers.take(), peer.clone());
            if let (Some(requests), Some(answers)) = (requests, answers) {
                tokio::spawn(async move { token::serve(requests, answers, &peer.shared, &peer.authorized).await });
            }
        }
    }
}

fn address(receiver: &Receiver) -> &str {
    receiver.target().as_ref().and_then(|target| target.address.as_deref()).unwrap_or_default()
}

async fn receive(receiver: Receiver, peer: Arc<Peer>) {
    let shared = &peer.shared;
    let may_send = || {
        let until = *peer.authorized.lock().expect("no thread panics with it");
        until.is_some_and(|until| until > shared.now())
    };
    if !may_send() {
        let _ = receiver.close_with_error(error("amqp:unauthorized-access", "")).await;
        return;
    }
    if !address(&receiver).eq_ignore_ascii_case(&shared.options.entity) {
        let _ = receiver.close_with_error(error("amqp:not-found", "")).await;
        return;
    }
    let mut detach = shared.detach.subscribe();
    shared.lock().links += 1;
    serve_link(receiver, &peer, may_send, &mut detach).await;
    shared.lock().links -= 1;
}

/// Until the link ends, from whichever side.
async fn serve_link(
    mut receiver: Receiver,
    peer: &Peer,
    may_send: impl Fn() -> bool,
    detach: &mut broadcast::Receiver<&'static str>,
) {
    let shared = &peer.shared;
    loop {
        let delivery = tokio::select! {
            delivery = receiver.recv::<Body<Value>>() => delivery,
            condition = detach.recv() => {
                let _ = receiver.close_with_error(error(condition.expect("a condition"), "")).await;
                return;
            }
        };
        let Ok(delivery) = delivery else { return };
        if !may_send() {
            let _ = receiver.close_with_error(error("amqp:unauthorized-access", "")).await;
            return;
        }
        let said = match answer(delivery.message(), *delivery.message_format(), shared) {
            Answer::Accept => receiver.accept(&delivery).await,
            Answer::Reject(error) => receiver.reject(&delivery, error).await,
            Answer::Release => receiver.release(&delivery).await,
            Answer::None => Ok(()),
            Answer::Detach(error) => {
                let _ = receiver.close_with_error(error).await;
                return;
            }
            Answer::Cut => {
                peer.cut.notify_one();
                return;
            }
        };
        if said.is_err() {
            return;
        }
    }
}
