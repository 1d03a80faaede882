//! A TCP proxy that cuts connections where it hurts: before a request is passed on, after it was, or in the middle of the
//! answer. It reads HTTP/1.1 just well enough to tell where a message ends.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request is read and thrown away.
    BeforeForwarding,
    /// The request is passed on and answered, the answer is thrown away.
    AfterForwarding,
    /// The answer's head and so many bytes of its body are passed on.
    InBody(usize),
    /// The connection ends at once; the request is passed on all the same, after so many milliseconds.
    Late(u64),
    /// Nothing is cut: a request that goes through before the next rule holds.
    Not,
    /// This status, with this JSON, in the place of the server, which never sees the request.
    Answer(u16, &'static str),
}

/// A proxy before one server. It stops with the value.
pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: String,
    rules: Mutex<Vec<(String, String, Cut, usize)>>,
    seen: Mutex<Vec<(String, String)>>,
    taken: Mutex<Taken>,
}

/// Bytes of requests' bodies.
#[derive(Default)]
struct Taken {
    all: usize,
    /// Once there are so many, the connection is cut that brought them.
    cut: Option<usize>,
}

impl Proxy {
    /// Stands before `upstream`, an `http://host:port`.
    pub(crate) async fn before(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("http://").expect("a plain address").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared =
            Arc::new(Shared { upstream, rules: Mutex::default(), seen: Mutex::default(), taken: Mutex::default() });
        let for_server = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&for_server)));
            }
        });
        Self { url, shared, server }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the next `times` requests with this method and path. A path that ends with `*` stands for all that begin so.
    pub(crate) fn cut(&self, (method, path): (&str, &str), cut: Cut, times: usize) {
        self.shared.rules.lock().expect("no panic").push((method.to_owned(), path.to_owned(), cut, times));
    }

    /// Cuts the connection that brings the byte with this number, of all bodies together: in the middle of a request, of
    /// which the server sees nothing.
    pub(crate) fn cut_at(&self, bytes: usize) {
        self.shared.taken.lock().expect("no panic").cut = Some(bytes);
    }

    /// How many bytes of requests' bodies have come in.
    pub(crate) fn taken(&self) -> usize {
        self.shared.taken.lock().expect("no panic").all
    }

    /// Cuts nothing any more.
    pub(crate) fn clear(&self) {
        self.shared.rules.lock().expect("no panic").clear();
    }

    /// Everything that was to be cut was cut.
    pub(crate) fn is_spent(&self) -> bool {
        self.shared.taken.lock().expect("no panic").cut.is_none()
            && self.shared.rules.lock().expect("no panic").iter().all(|rule| rule.3 == 0)
    }

    /// How many requests came in.
    pub(crate) fn requests(&self) -> usize {
        self.shared.seen.lock().expect("no panic").len()
    }

    /// How many requests with this method and path came in.
    pub(crate) fn count(&self, (method, path): (&str, &str)) -> usize {
        self.shared
            .seen
            .lock()
            .expect("no panic")
            .iter()
            .filter(|seen| seen.0 == method && is_path(path, &seen.1))
            .count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn rule(&self, method: &str, path: &str) -> Option<Cut> {
        self.seen.lock().expect("no panic").push((method.to_owned(), path.to_owned()));
        let mut rules = self.rules.lock().expect("no panic");
        let rule = rules.iter_mut().find(|rule| rule.3 > 0 && rule.0 == method && is_path(&rule.1, path))?;
        rule.3 -= 1;
        Some(rule.2)
    }
}

impl Shared {
    /// Counts bytes of a body; `false`: here it is cut.
    fn take(&self, bytes: usize) -> bool {
        let mut taken = self.taken.lock().expect("no panic");
        taken.all += bytes;
        let cut = taken.cut.is_some_and(|cut| taken.all >= cut);
        if cut {
            taken.cut = None;
        }
        !cut
    }
}

fn is_path(wanted: &str, path: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == path, |start| path.starts_with(start))
}

/// One connection of a client: as many requests as it likes to make.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut early = Vec::new();
    while let Some(request) = message(&mut client, &mut early, |bytes| shared.take(bytes)).await {
        let line = String::from_utf8_lossy(&request.bytes).lines().next().unwrap_or_default().to_owned();
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
        let cut = shared.rule(method, path);
        if cut == Some(Cut::BeforeForwarding) {
            return;
        }
        if let Some(Cut::Answer(status, body)) = cut {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: \
                 close\r\n\r\n{body}"
            );
            let _ = client.write_all(answer.as_bytes()).await;
            return;
        }
        if let Some(Cut::Late(milliseconds)) = cut {
            drop(client);
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            if let Ok(mut upstream) = TcpStream::connect(&shared.upstream).await
                && upstream.write_all(&request.bytes).await.is_ok()
            {
                message(&mut upstream, &mut Vec::new(), |_| true).await;
            }
            return;
        }
        let Ok(mut upstream) = TcpStream::connect(&shared.upstream).await else { return };
        if upstream.write_all(&request.bytes).await.is_err() {
            return;
        }
        let Some(answer) = message(&mut upstream, &mut Vec::new(), |_| true).await else { return };
        let bytes = match cut {
            Some(Cut::AfterForwarding) => return,
            Some(Cut::InBody(count)) => &answer.bytes[..(answer.head + count).min(answer.bytes.len())],
            _ => &answer.bytes[..],
        };
        if client.write_all(bytes).await.is_err() || cut.is_some() || answer.last {
            return;
        }
    }
}

/// A whole message, and how long its head is.
struct Message {
    bytes: Vec<u8>,
    head: usize,
    /// Only the end of the connection ends it.
    last: bool,
}

/// Reads one message; `early` holds what came of the next one. `take` is told how much of its body has come, and may end it.
async fn message(stream: &mut TcpStream, early: &mut Vec<u8>, take: impl Fn(usize) -> bool) -> Option<Message> {
    let mut bytes = std::mem::take(early);
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, &mut bytes).await?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let header =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
    if header("transfer-encoding:").is_some_and(|value| value.contains("chunked")) {
        while !bytes.ends_with(b"\r\n0\r\n\r\n") {
            more(stream, &mut bytes).await?;
        }
        return Some(Message { bytes, head, last: false });
    }
    // An answer without a length ends with its connection, as PHP's own server has it.
    if text.starts_with("http/")
        && header("content-length:").is_none()
        && header("connection:").as_deref() == Some("close")
    {
        while more(stream, &mut bytes).await.is_some() {}
        return Some(Message { bytes, head, last: true });
    }
    let length: usize = header("content-length:").map_or(0, |value| value.parse().expect("a length"));
    let mut told = head;
    loop {
        let there = bytes.len().min(head + length);
        if !take(there - told) {
            return None;
        }
        told = there;
        if there == head + length {
            break;
        }
        more(stream, &mut bytes).await?;
    }
    *early = bytes.split_off(head + length);
    Some(Message { bytes, head, last: false })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = vec![0; 16 * 1024];
    let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
    bytes.extend_from_slice(&buffer[..count]);
    Some(())
}
