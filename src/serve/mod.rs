//! What a daemon shows from outside, when it is told to (`--listen`): `GET /healthz` and `GET /metrics`.
//!
//! Both show numbers, the names of accounts and networks, and fixed words: no secret, no post's text, no path. Nothing here
//! can change anything. Whoever asks is bounded in time, bytes and number ([`bounded`]); on the loopback a request has to
//! name this machine as its host, so that no web page that a browser here has open can ask through a name of its own (DNS
//! rebinding). The ledger is counted once a second at most, however often it is asked for.

mod address;
mod bounded;
mod metrics;
#[cfg(test)]
mod samples;
#[cfg(unix)]
mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use address::{Address, NoAddress};

use bounded::Bounded;

use crate::engine::{Observer, Readiness, Snapshot};

/// What was counted is shown for so long.
const FRESH: Duration = Duration::from_secs(1);

/// What is shown.
#[async_trait]
pub trait Shown: Send + Sync + 'static {
    /// Whether it can publish. Asks nobody.
    fn readiness(&self) -> Readiness;

    /// Everything. Within seconds.
    async fn snapshot(&self) -> Snapshot;
}

#[async_trait]
impl Shown for Observer {
    fn readiness(&self) -> Readiness {
        Self::readiness(self)
    }

    async fn snapshot(&self) -> Snapshot {
        Self::snapshot(self).await
    }
}

/// A place that is listened at.
#[derive(Debug)]
pub struct Server {
    at: At,
    address: Address,
}

#[derive(Debug)]
enum At {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, socket::Name),
}

impl Server {
    /// Listens there. A socket's file is made for nobody but this user, and removed with the server.
    ///
    /// # Errors
    /// When another process listens there, or this one may not.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(wanted) => {
                let listener = TcpListener::bind(wanted).await?;
                let address = Address::Tcp(listener.local_addr()?);
                Ok(Self { at: At::Tcp(listener), address })
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let (listener, name) = socket::bind(path).await?;
                Ok(Self { at: At::Unix(listener, name), address: address.clone() })
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "there are no unix sockets here")),
        }
    }

    /// Where: the port, where any was asked for, is the one that it became.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Answers until it is dropped.
    pub async fn run(self, shown: Arc<dyn Shown>) -> io::Result<()> {
        match self.at {
            At::Tcp(listener) => {
                let local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
                serve(Bounded::new(listener), router(shown, local)).await
            }
            #[cfg(unix)]
            At::Unix(listener, _name) => serve(Bounded::new(listener), router(shown, false)).await,
        }
    }
}

/// What is asked for often.
struct Asked {
    shown: Arc<dyn Shown>,
    counted: Mutex<Option<(Instant, Arc<str>)>>,
}

/// `local`: only requests to this machine by its own names are answered.
fn router(shown: Arc<dyn Shown>, local: bool) -> Router {
    let asked = Arc::new(Asked { shown, counted: Mutex::default() });
    let mut router = Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics)).with_state(asked);
    if local {
        router = router.layer(middleware::from_fn(of_this_machine));
    }
    router.layer(middleware::map_response(once))
}

async fn healthz(State(asked): State<Arc<Asked>>) -> (StatusCode, String) {
    match asked.shown.readiness().trouble {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("nothing is published: {trouble}\n")),
    }
}

async fn metrics(State(asked): State<Arc<Asked>>) -> impl IntoResponse {
    // Whoever comes while it is counted waits for that.
    let mut counted = asked.counted.lock().await;
    let text = match &*counted {
        Some((at, text)) if at.elapsed() < FRESH => Arc::clone(text),
        _ => {
            let text: Arc<str> = metrics::text(asked.shown.snapshot().await).into();
            *counted = Some((Instant::now(), Arc::clone(&text)));
            text
        }
    };
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text.to_string())
}

/// Answers only who asks for this machine by a name that is always its own.
async fn of_this_machine(request: Request, next: Next) -> Response {
    if is_this_machine(request.headers()) {
        return next.run(request).await;
    }
    let why = "this is shown to this machine alone: ask for localhost or 127.0.0.1\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

fn is_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else { return false };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let number = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || number.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// One request a connection: its bounds are those of the request then. Nothing is kept by anybody in between.
async fn once(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::samples::snapshot;
    use super::*;
    use crate::engine::Trouble;

    #[derive(Default)]
    struct Fixed {
        trouble: Option<Trouble>,
        counted: AtomicUsize,
    }

    #[async_trait]
    impl Shown for Fixed {
        fn readiness(&self) -> Readiness {
            Readiness { trouble: self.trouble, turned: None }
        }

        async fn snapshot(&self) -> Snapshot {
            self.counted.fetch_add(1, Ordering::SeqCst);
            Snapshot { readiness: self.readiness(), ..snapshot() }
        }
    }

    async fn start(shown: Arc<Fixed>) -> SocketAddr {
        let server = Server::bind(&"0".parse().expect("an address")).await.expect("a port");
        let Address::Tcp(address) = *server.address() else { panic!("a port") };
        tokio::spawn(server.run(shown));
        address
    }

    /// Sends this, and gives all that comes back until the connection is closed.
    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await;
        read.expect("the connection is closed").expect("an answer");
        answer
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost:1\r\n\r\n")).await
    }

    #[tokio::test]
    async fn healthy_or_why_not() {
        let address = start(Arc::default()).await;
        let answer = get(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
        let full = Fixed { trouble: Some(Trouble::DiskFull), ..Fixed::default() };
        let answer = get(start(Arc::new(full)).await, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("nothing is published: the ledger's disk is full\n"), "{answer}");
    }

    #[tokio::test]
    async fn many_who_ask_are_one_count() {
        let shown = Arc::new(Fixed::default());
        let address = start(Arc::clone(&shown)).await;
        let mut askers = tokio::task::JoinSet::new();
        for _ in 0..10 {
            askers.spawn(async move { get(address, "/metrics").await });
        }
        for answer in askers.join_all().await {
            assert!(answer.contains("text/plain; version=0.0.4") && answer.contains("smm_ready 1.0"), "{answer}");
        }
        assert_eq!(shown.counted.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nothing_else_is_there() {
        let address = start(Arc::default()).await;
        let status = async |request: &str| -> String {
            let request = format!("{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
            ask(address, &request).await.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(status("HEAD /metrics").await, "200");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(status(&format!("{method} /metrics")).await, "405", "{method}");
            assert_eq!(status(&format!("{method} /healthz")).await, "405", "{method}");
        }
        for path in ["/", "/metrics/", "/healthz/../metrics", "/debug"] {
            assert_eq!(status(&format!("GET {path}")).await, "404", "{path}");
        }
    }

    #[tokio::test]
    async fn a_web_page_cannot_ask() {
        let shown = Arc::new(Fixed::default());
        let address = start(Arc::clone(&shown)).await;
        for host in
            ["evil.example", "localhost.evil.example:9464", "127.0.0.1.nip.example", "10.0.0.1:9464", "[::2]", ""]
        {
            let answer = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("smm_"), "{host}: {answer}");
        }
        let twice = ask(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n").await;
        assert!(twice.starts_with("HTTP/1.1 4"), "{twice}");
        assert_eq!(shown.counted.load(Ordering::SeqCst), 0);
        for host in ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "127.8.8.8", "[::1]:9464", "[::1]"] {
            let answer = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_connection_serves_one_request_of_bounded_size() {
        let address = start(Arc::default()).await;
        let twice = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2);
        assert_eq!(ask(address, &twice).await.matches("HTTP/1.1 200").count(), 1);
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ").await;
        for _ in 0..64 {
            if stream.write_all(&[b'x'; 4096]).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("it ends");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}
