//! The server's address: `postgres://user@host:port/database?…`, and how it is spoken to.
//!
//! | parameter | meaning |
//! |---|---|
//! | `host=/var/run/postgresql` | the folder of a socket, in place of a host |
//! | `sslmode` | `verify-full`, which is what holds for every host but loopback; `disable` for loopback and sockets alone |
//! | `sslrootcert=/path/ca.pem` | the certificates that the server's has to lead to, in place of the public ones |
//! | `accept_unsafe_fsync=yes` | take a server with `fsync=off`, which loses what it confirmed at a power cut: for tests alone |
//!
//! and those that every client of PostgreSQL knows: `user`, `dbname`, `port`, `options`, `connect_timeout`, `keepalives…`.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ledger::{LedgerError, Result};

/// Where the ledger is, and how it is reached.
pub(super) struct Address {
    /// All that a connection needs, with the password.
    pub(super) config: Config,
    /// For servers that are spoken to with TLS.
    pub(super) tls: MakeRustlsConnect,
    /// Host, port and database, for people.
    pub(super) place: String,
    /// A server that loses what it confirmed is taken.
    pub(super) accept_unsafe_fsync: bool,
}

impl Address {
    /// Reads the address. `limit`: how long the server may take to let us in.
    pub(super) fn read(url: &str, password: Option<&SecretString>, limit: Duration) -> Result<Self> {
        let mut own = Own::default();
        let url = own.take(url)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            wrong(&format!("cannot be read: {cause}"))
        })?;
        if config.get_password().is_some() {
            return Err(wrong("holds a password; remove it and set SMM_LEDGER_PASSWORD"));
        }
        if config.get_user().is_none() {
            return Err(wrong("names no user; write `postgres://user@host/database`"));
        }
        if config.get_hosts().is_empty() {
            return Err(wrong("names no host; write one, or a socket's folder as `?host=/var/run/postgresql`"));
        }
        let near = config.get_hosts().iter().all(is_near) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let encrypted = match own.mode.as_deref() {
            None => !near,
            Some("verify-full") => true,
            Some("disable") if near => false,
            Some("disable") => {
                return Err(wrong("has `sslmode=disable`, which is for loopback and sockets alone; leave it out"));
            }
            Some(other) => {
                return Err(wrong(&format!(
                    "has `sslmode={other}`, which does not prove whose server it is; leave it out: `verify-full` holds"
                )));
            }
        };
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        config.application_name("smm");
        if let Some(password) = password {
            config.password(password.expose_secret());
        }
        config.connect_timeout(config.get_connect_timeout().map_or(limit, |asked| limit.min(*asked)));
        // A server that has vanished without a word is noticed well before a lease is over.
        let seconds = |time: Duration| time.max(Duration::from_secs(1));
        config
            .keepalives_idle(seconds(limit))
            .keepalives_interval(seconds(limit / 3))
            .keepalives_retries(3)
            .tcp_user_timeout(limit);
        Ok(Self {
            place: place(&config),
            tls: tls(encrypted, own.roots.as_deref())?,
            config,
            accept_unsafe_fsync: own.accept_unsafe_fsync,
        })
    }
}

/// The parameters that are ours.
#[derive(Default)]
struct Own {
    mode: Option<String>,
    roots: Option<String>,
    accept_unsafe_fsync: bool,
}

impl Own {
    /// Takes them out of an address.
    fn take(&mut self, url: &str) -> Result<String> {
        let Some((rest, query)) = url.split_once('?') else { return Ok(url.to_owned()) };
        let mut left = Vec::new();
        for pair in query.split('&') {
            let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
            let Some((key, value)) = decoded else { continue };
            match &*key {
                "sslmode" => self.mode = Some(value.into_owned()),
                "sslrootcert" => self.roots = Some(value.into_owned()),
                "accept_unsafe_fsync" if value == "yes" => self.accept_unsafe_fsync = true,
                "accept_unsafe_fsync" => return Err(wrong("has `accept_unsafe_fsync`, which can only be `yes`")),
                "sslnegotiation" | "target_session_attrs" | "load_balance_hosts" => {
                    return Err(wrong(&format!("has `{key}`, which smm does not know; it speaks to one server")));
                }
                _ => left.push(pair),
            }
        }
        Ok(if left.is_empty() { rest.to_owned() } else { format!("{rest}?{}", left.join("&")) })
    }
}

fn wrong(what: &str) -> LedgerError {
    LedgerError::Storage(format!("the address of the ledger (`ledger` in smm.toml) {what}"))
}

/// On this very machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

fn place(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let ports = config.get_ports();
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => format!("{}:{port}", folder.display()),
            }
        })
        .collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

fn tls(encrypted: bool, roots: Option<&str>) -> Result<MakeRustlsConnect> {
    let mut trusted = RootCertStore::empty();
    if let Some(path) = roots.filter(|_| encrypted) {
        let unreadable = |why: &dyn std::fmt::Display| {
            LedgerError::Storage(format!("`sslrootcert` of the ledger's address: {path} cannot be used: {why}"))
        };
        let found = CertificateDer::pem_file_iter(Path::new(path)).map_err(|error| unreadable(&error))?;
        for certificate in found {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            trusted.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if trusted.is_empty() {
            return Err(unreadable(&"there is no certificate in it"));
        }
    } else if encrypted {
        trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| LedgerError::Storage(format!("TLS cannot be used: {error}")))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> std::result::Result<(String, SslMode), String> {
        let password = SecretString::from("hunter2");
        let address = Address::read(url, Some(&password), Duration::from_secs(5)).map_err(|error| error.to_string())?;
        assert!(!address.place.contains("hunter2") && !address.place.contains("smm@"), "{}", address.place);
        Ok((address.place, address.config.get_ssl_mode()))
    }

    #[test]
    fn a_server_elsewhere_proves_who_it_is() {
        let far = "postgres://smm@db.example/ledger";
        assert_eq!(read(far), Ok(("db.example:5432/ledger".to_owned(), SslMode::Require)));
        assert_eq!(read(&format!("{far}?sslmode=verify-full")).map(|it| it.1), Ok(SslMode::Require));
        for weak in ["disable", "allow", "prefer", "require", "verify-ca", "Verify-Full"] {
            let refused = read(&format!("{far}?sslmode={weak}")).expect_err("refused");
            assert!(refused.contains(weak) && refused.contains("leave it out"), "{refused}");
        }
        // One name that leads elsewhere is enough, and so is an address beside a near name.
        assert_eq!(read("postgres://smm@localhost,db.example/ledger").map(|it| it.1), Ok(SslMode::Require));
        assert_eq!(read("postgres://smm@localhost/ledger?hostaddr=192.0.2.1").map(|it| it.1), Ok(SslMode::Require));
    }

    #[test]
    fn on_this_machine_nothing_is_to_be_proved() {
        for near in
            ["postgres://smm@127.0.0.1:5433/ledger", "postgresql://smm@[::1]/ledger", "postgres://smm@localhost"]
        {
            assert_eq!(read(near).map(|it| it.1), Ok(SslMode::Disable), "{near}");
        }
        let socket = read("postgres:///ledger?host=/var/run/postgresql&user=smm");
        assert_eq!(socket, Ok(("/var/run/postgresql:5432/ledger".to_owned(), SslMode::Disable)));
        assert_eq!(read("postgres://smm@localhost/x?sslmode=verify-full").map(|it| it.1), Ok(SslMode::Require));
    }

    #[test]
    fn mistakes_are_told_without_a_secret() {
        for (url, word) in [
            ("postgres://smm:hunter2@localhost/ledger", "SMM_LEDGER_PASSWORD"),
            ("postgres://smm@localhost/ledger?password=hunter2", "SMM_LEDGER_PASSWORD"),
            ("postgres://localhost/ledger", "no user"),
            ("postgres://smm@/ledger", "no host"),
            ("postgres://smm@localhost/ledger?colour=hunter2", "colour"),
            ("postgres://smm@localhost:port/ledger", "cannot be read"),
            ("postgres://smm@localhost/ledger?accept_unsafe_fsync=1", "can only be `yes`"),
            ("postgres://smm@db.example/ledger?sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ] {
            let refused = read(url).expect_err(url);
            assert!(refused.contains(word) && !refused.contains("hunter2"), "{url}: {refused}");
        }
    }
}
