//! HTTPS: a server is trusted by its certificate, for the name in it, and by whom the operator's machine trusts.

use std::{fs, path::PathBuf, sync::Arc};

use longhaul_tests::{Server, Web};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tempfile::TempDir;

use super::{assert_ends, reach, upload};

/// The name in the certificates.
const NAME: &str = "localhost";

/// An authority that signs certificates.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self { certificate, issuer }
    }

    /// A web server with a certificate of this authority.
    fn web(&self) -> Web {
        let (params, key) = for_name();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        web(&certificate, &key)
    }
}

fn for_name() -> (CertificateParams, KeyPair) {
    (
        CertificateParams::new(vec![NAME.to_owned()]).unwrap(),
        KeyPair::generate().unwrap(),
    )
}

fn web(certificate: &Certificate, key: &KeyPair) -> Web {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Web::with_text_over_tls(config, "over TLS")
}

/// A server whose machine trusts what is in a file, and a folder with that file.
fn server_that_trusts(pem: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("trusted.pem");
    fs::write(&file, pem).unwrap();
    // The machine's own authorities are out of the way.
    let variables = [
        ("SSL_CERT_FILE", file.to_str().unwrap()),
        ("SSL_CERT_DIR", folder.path().to_str().unwrap()),
    ];
    (Server::start_in(&variables, &["--allow-grants"]), folder)
}

fn grant_this_machine(server: &Server) {
    let settings = "[grants.http]\nhosts = [\"localhost:*\", \"127.0.0.1:*\"]\nprivate = true\n";
    upload(server, settings).ok();
}

fn get(host: &str, web: &Web) -> String {
    format!("get https://{host}:{}/", web.port())
}

// C3
#[test]
fn a_certificate_of_a_trusted_authority_is_accepted_for_its_name() {
    let authority = Authority::new();
    let web = authority.web();
    let (server, _folder) = server_that_trusts(&authority.certificate.pem());
    grant_this_machine(&server);
    assert_ends(&server, &[(&get(NAME, &web), "200 over TLS")]);
    assert_eq!(web.requests()[0].line, "GET / HTTP/1.1");

    // The same server by its address, for which the certificate is not.
    refused(&server, &web, "127.0.0.1");
    assert_eq!(web.requests().len(), 1);
}

// C3
#[test]
fn a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent() {
    let (server, _folder) = server_that_trusts(&Authority::new().certificate.pem());
    grant_this_machine(&server);
    let (params, key) = for_name();
    let made_by_itself = web(&params.self_signed(&key).unwrap(), &key);
    let of_another_authority = Authority::new().web();
    for web in [made_by_itself, of_another_authority] {
        refused(&server, &web, NAME);
        assert_eq!(web.requests(), []);
    }
}

// C3
#[test]
fn a_machine_that_trusts_nobody_says_so() {
    let web = Authority::new().web();
    let (server, _folder) = server_that_trusts("");
    grant_this_machine(&server);
    let end = reach(&server, &get(NAME, &web));
    assert!(
        end.contains("no certificates of authorities") && end.contains("SSL_CERT_FILE"),
        "{end}"
    );
    assert_eq!(web.requests(), []);
}

/// The request fails, and the log says whose certificate was not trusted.
#[track_caller]
fn refused(server: &Server, web: &Web, host: &str) {
    let end = reach(server, &get(host, web));
    assert!(end.starts_with("failed: ") && end.contains("ertificate"), "{end}");
    let told = format!("the server's certificate for \"{host}\" is not trusted");
    let told_escaped = told.replace('"', "\\\"");
    let log = server.log();
    assert!(
        log.contains(&told) || log.contains(&told_escaped),
        "{told:?} is missing: {log}"
    );
}
