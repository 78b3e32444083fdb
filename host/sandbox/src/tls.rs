//! TLS for outgoing HTTP: whom this machine trusts.

use std::{io, net::IpAddr, sync::Arc};

use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};

/// Makes encrypted connections. The authorities that the machine trusts (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`) are read once,
/// for the first of them.
#[derive(Default)]
pub(crate) struct Tls {
    config: OnceCell<Arc<ClientConfig>>,
}

/// Why there is no encrypted connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(
        "this machine has no certificates of authorities, so that no server can be trusted: install its package `ca-certificates`, or \
         set SSL_CERT_FILE for the server{0}"
    )]
    NoAuthorities(String),
    #[error("{0:?} is no name that a certificate can be for")]
    Name(String),
    #[error("the server's certificate for {name:?} is not trusted: {why}")]
    Certificate {
        name: String,
        why: rustls::CertificateError,
    },
    #[error("TLS with {name:?} failed: {source}")]
    Protocol { name: String, source: io::Error },
}

impl Tls {
    /// Encrypt a connection to the server of this name or address.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, TlsError> {
        let config = self.config.get_or_try_init(load).await?.clone();
        let name = match host.parse::<IpAddr>() {
            Ok(address) => ServerName::from(address),
            Err(_) => ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned())
                .map_err(|_| TlsError::Name(host.to_owned()))?,
        };
        let connected = TlsConnector::from(config).connect(name, stream).await;
        connected.map_err(|source| {
            let name = host.to_owned();
            let inner = source.get_ref().and_then(|inner| inner.downcast_ref());
            match inner {
                Some(rustls::Error::InvalidCertificate(why)) => TlsError::Certificate {
                    name,
                    why: why.clone(),
                },
                _ => TlsError::Protocol { name, source },
            }
        })
    }
}

async fn load() -> Result<Arc<ClientConfig>, TlsError> {
    // It reads files.
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found = found.map_err(|error| TlsError::NoAuthorities(format!(" ({error})")))?;
    let mut authorities = RootCertStore::empty();
    // Some systems list certificates that rustls does not read; the others are of use all the same.
    authorities.add_parsable_certificates(found.certs);
    if authorities.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TlsError::NoAuthorities(why.unwrap_or_default()));
    }
    trusting(authorities).map_err(|error| TlsError::NoAuthorities(format!(" ({error})")))
}

/// The settings of a client that trusts these authorities.
fn trusting(authorities: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rustls::ServerConfig;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server that says hello, and its certificate, which is for `localhost`.
    async fn server() -> (SocketAddr, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that does not trust the certificate goes away.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"hello").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        (address, certificate)
    }

    fn trust(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Tls {
        let mut authorities = RootCertStore::empty();
        for certificate in certificates {
            authorities.add(certificate).unwrap();
        }
        Tls {
            config: OnceCell::new_with(Some(trusting(authorities).unwrap())),
        }
    }

    // C3
    #[tokio::test]
    async fn a_server_is_trusted_for_the_name_in_its_certificate_only() {
        let (address, certificate) = server().await;
        let connect = async |tls: &Tls, host: &str| {
            let stream = TcpStream::connect(address).await.unwrap();
            tls.connect(host, stream).await
        };
        let tls = trust([certificate]);
        let mut text = String::new();
        let mut stream = connect(&tls, "localhost").await.unwrap();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        for host in ["other.example", "127.0.0.1"] {
            let error = connect(&tls, host).await.map(|_| ()).unwrap_err();
            assert!(matches!(error, TlsError::Certificate { .. }), "{host}: {error}");
        }
        let (_, other) = server().await;
        let error = connect(&trust([other]), "localhost")
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, TlsError::Certificate { .. }), "{error}");
        assert!(
            error.to_string().contains("\"localhost\" is not trusted"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_server_that_speaks_no_tls_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let (_, certificate) = server().await;
        let error = trust([certificate])
            .connect("localhost", stream)
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, TlsError::Protocol { .. }), "{error}");
    }
}
