//! A TCP proxy that knows nothing of what it carries, and cuts it: at a message of the client's, before or after it was
//! passed on, or by carrying nothing any more without a word.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A proxy before one server. It stops with the value.
pub(crate) struct Wire {
    port: u16,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// When the client sends this, it is passed on, and the connection is cut before the answer.
    cut_after: Mutex<Option<Vec<u8>>>,
    /// Carries nothing, and says nothing.
    silent: AtomicBool,
    cuts: AtomicUsize,
    connections: AtomicUsize,
}

impl Wire {
    /// Stands before a port of this machine.
    pub(crate) async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let for_server = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                for_server.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, upstream, Arc::clone(&for_server)));
            }
        });
        Self { port, shared, server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next message with these bytes is passed on, and its answer is not.
    pub(crate) fn cut_after(&self, bytes: &[u8]) {
        *self.shared.cut_after.lock().expect("no panic") = Some(bytes.to_vec());
    }

    /// Carries nothing from now on, or again.
    pub(crate) fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// How often it has cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn carry(client: TcpStream, upstream: u16, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upwards = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from_client.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            heard(&shared).await;
            let wanted = shared.cut_after.lock().expect("no panic").clone();
            let cut = wanted.is_some_and(|bytes| buffer[..count].windows(bytes.len()).any(|some| some == bytes));
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
            if cut {
                *shared.cut_after.lock().expect("no panic") = None;
                // The server does what it was told; nobody hears of it.
                let _ = from_server_soon(&mut from_server).await;
                shared.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
            let mut answer = vec![0; 64 * 1024];
            // Answers are carried in between: one direction at a time is enough for questions and answers.
            loop {
                match tokio::time::timeout(Duration::from_millis(2), from_server.read(&mut answer)).await {
                    Ok(Ok(count)) if count > 0 => {
                        heard(&shared).await;
                        if to_client.write_all(&answer[..count]).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) => return,
                    Err(_) => {
                        // Nothing more from the server for now: has the client something?
                        let mut peeked = [0; 1];
                        if tokio::time::timeout(Duration::from_millis(1), from_client.peek(&mut peeked)).await.is_ok() {
                            break;
                        }
                    }
                }
            }
        }
    };
    upwards.await;
}

/// Waits while the wire is silent.
async fn heard(shared: &Shared) {
    while shared.silent.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the server has answered, and says no more: it has done all that it was told.
async fn from_server_soon(server: &mut tokio::net::tcp::OwnedReadHalf) -> usize {
    let mut answer = vec![0; 64 * 1024];
    let mut all = 0;
    let mut wait = Duration::from_secs(5);
    while let Ok(Ok(count)) = tokio::time::timeout(wait, server.read(&mut answer)).await {
        if count == 0 {
            break;
        }
        all += count;
        wait = Duration::from_millis(300);
    }
    all
}
