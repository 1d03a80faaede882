//! TLS to a PostgreSQL whose certificate is of an authority made for the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use smm::ledger::{LedgerError, OpenMode, Opening};

use crate::postgres::Postgres;

/// A folder of certificates.
struct Authority(tempfile::TempDir);

impl Authority {
    /// An authority, and a certificate of it for `127.0.0.1` alone.
    fn new() -> Self {
        let it = Self(tempfile::Builder::new().prefix("smm-tls").tempdir().expect("a folder"));
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        it.openssl(&["req", "-x509", "-days", "2", "-subj", "/CN=smm test authority"], &key, "ca.key", "ca.pem");
        it.openssl(&["req", "-new", "-subj", "/CN=ledger"], &key, "server.key", "server.csr");
        std::fs::write(it.path("names"), "subjectAltName=IP:127.0.0.1\n").expect("written");
        it.run(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ]);
        it
    }

    fn openssl(&self, what: &[&str], key: &[&str], key_file: &str, out: &str) {
        self.run(&[what, key, &["-keyout", key_file, "-out", out]].concat());
    }

    fn run(&self, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().expect("openssl runs");
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server that shows its certificate.
    fn server(&self) -> Postgres {
        crate::postgres::hand_over(self.0.path());
        let setting = |name: &str, file: &str| format!("{name}={}", self.path(file).display());
        Postgres::start(&["ssl=on", &setting("ssl_cert_file", "server.pem"), &setting("ssl_key_file", "server.key")])
    }
}

/// Takes the right to publish from a ledger; gives what is said against it.
async fn refused(url: &str, state: &Path) -> Option<String> {
    let opened = Opening::new(url, state, OpenMode::ReadWrite).open().expect("an address");
    match opened.lock("smm daemon").await {
        Ok(_) => None,
        Err(LedgerError::Storage(said)) => Some(said),
        Err(other) => panic!("{other:?}"),
    }
}

/// The certificate has to lead to an authority that is known, and to be for the name in the address.
pub async fn a_server_elsewhere_proves_whose_it_is() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.server();
    server.database("guarded");
    let state = tempfile::tempdir().expect("a folder");
    let url =
        |host: &str, more: &str| format!("postgres://smm@{host}:{}/guarded?sslmode=verify-full{more}", server.port());
    let known = format!("&sslrootcert={}", ours.path("ca.pem").display());
    assert_eq!(refused(&url("127.0.0.1", &known), state.path()).await, None);
    let opened = Opening::new(&url("127.0.0.1", &known), state.path(), OpenMode::ReadWrite).open().expect("a ledger");
    opened.time().await.expect("an answer");
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'smm'";
    assert_eq!(server.sql("guarded", encrypted), "t");
    let unknown = format!("&sslrootcert={}", other.path("ca.pem").display());
    for (host, more, why) in [
        ("127.0.0.1", "", "UnknownIssuer"),
        // Of the same name, and not the same.
        ("127.0.0.1", unknown.as_str(), "BadSignature"),
        ("localhost", known.as_str(), "certificate not valid for name \"localhost\""),
    ] {
        let said = refused(&url(host, more), state.path()).await.expect("it is refused");
        assert!(said.contains("does not prove whose it is") && said.contains("sslrootcert="), "{said}");
        assert!(said.contains(why), "{why}: {said}");
    }
    // One that does not encrypt is not spoken to.
    let open = Postgres::start(&[]);
    let url = format!("postgres://smm@127.0.0.1:{}/postgres?sslmode=verify-full{known}", open.port());
    let said = refused(&url, state.path()).await.expect("it is refused");
    assert!(said.contains("does not speak TLS"), "{said}");
}
