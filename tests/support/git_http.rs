//! git's own server over HTTP: `git http-backend` behind a listener of this machine, as web servers run it (a CGI program).

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

/// A push of a ledger is small.
const BODY: usize = 64 * 1024 * 1024;

/// A server of the repositories below a folder. It stops with the value.
pub(crate) struct GitServer {
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl GitServer {
    /// Serves the repositories below `root`; anybody on this machine may push.
    pub(crate) async fn start(root: &Path) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(answer).with_state(Arc::new(root.to_owned()));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { url, server }
    }

    /// The address that repositories' names are added to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(root): State<Arc<PathBuf>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY).await.expect("a body");
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let variables = HashMap::from([
        ("GIT_PROJECT_ROOT", root.display().to_string()),
        ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
        ("REMOTE_USER", "ci".to_owned()),
        ("REQUEST_METHOD", head.method.to_string()),
        ("PATH_INFO", head.uri.path().to_owned()),
        ("QUERY_STRING", head.uri.query().unwrap_or_default().to_owned()),
        ("CONTENT_TYPE", header("content-type")),
        ("CONTENT_LENGTH", body.len().to_string()),
        ("HTTP_CONTENT_ENCODING", header("content-encoding")),
        ("GIT_PROTOCOL", header("git-protocol")),
    ]);
    tokio::task::spawn_blocking(move || run(&variables, &body)).await.expect("it runs")
}

/// Runs the program with one request.
fn run(variables: &HashMap<&str, String>, body: &Bytes) -> Response {
    let mut child = Command::new("git")
        .arg("http-backend")
        .envs(variables)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent = body.clone();
    let writer = std::thread::spawn(move || _ = stdin.write_all(&sent));
    let output = child.wait_with_output().expect("it ends").stdout;
    writer.join().expect("no panic");
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let mut response = Response::new(Body::from(output.get(end + 4..).unwrap_or_default().to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
            *response.status_mut() = StatusCode::from_u16(code).expect("a status");
        } else {
            let name: axum::http::HeaderName = name.parse().expect("a header");
            response.headers_mut().insert(name, value.parse().expect("a value"));
        }
    }
    response
}
