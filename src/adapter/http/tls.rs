//! Which servers are believed to be who they say.

use std::sync::Arc;

/// How many root certificates servers are trusted by. They are built in; the system's are not used.
pub fn roots() -> usize {
    webpki_roots::TLS_SERVER_ROOTS.len()
}

/// Plain HTTP must not pay for roots: this is only called when a client is first built, and takes the compiled-in roots.
pub(in super::super) fn tls() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
