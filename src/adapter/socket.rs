//! `WebSockets` (RFC 6455) as adapters may use them. The only file that names `tokio_tungstenite`.
//!
//! A socket is opened for one exchange and bounded in time and size, as a call over HTTP is: `wss` with the roots that
//! servers are trusted by elsewhere, or plain `ws` to this very machine. It carries texts. Nothing is sent before the
//! handshake has ended, so whatever goes wrong in [`Http::socket`] proves that nothing arrived; what a connection that
//! breaks later means is for the adapter to say, who knows what it had sent.
//!
//! The protocol is run over buffers in memory ([`Pipe`]); only [`Socket::pump`] touches the connection. So everything can
//! be given up at any moment, and the bytes that come with the end of the handshake are not lost.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::{HandshakeError, HandshakeRole};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::Fault;
use super::http::{Http, is_loopback, tls};

/// Largest message that is read, in bytes.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// Longest time until a connection is there.
const CONNECT: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub struct Socket {
    connection: TcpStream,
    web: WebSocket<Line>,
    until: Instant,
}

/// Checks the address of a WebSocket: `wss`, or plain `ws` to loopback alone; no user, query or fragment. Gives it without
/// a trailing slash.
pub fn socket_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its address holds no user name and no password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("its address has no `?` and no `#`".to_owned());
    }
    let loopback = url.host().ok_or("its address needs a host").map(|host| is_loopback(&host))?;
    match url.scheme() {
        "wss" => {}
        "ws" if loopback => {}
        "ws" => return Err("plain ws is for this very machine alone; write wss".to_owned()),
        other => return Err(format!("`{other}` is not a way to open a socket; write wss")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Http {
    /// Opens a WebSocket. Both the opening and all that is said over it have the time of one call, or `timeout` where that
    /// is shorter. Every fault is [`Fault::NotSent`].
    pub async fn socket(&self, url: &str, timeout: Option<Duration>) -> Result<Socket, Fault> {
        let limit = self.timeout();
        let until = Instant::now() + timeout.map_or(limit, |timeout| timeout.min(limit));
        open(url, until).await.map_err(|why| Fault::NotSent(format!("{url}: {why}")))
    }
}

async fn open(address: &str, until: Instant) -> Result<Socket, String> {
    let url = url::Url::parse(&socket_url(address)?).map_err(|error| error.to_string())?;
    let host = url.host().ok_or("its address needs a host")?.to_owned();
    let port = url.port_or_known_default().ok_or("its address needs a port")?;
    let secure = url.scheme() == "wss";
    let connecting = async {
        match &host {
            url::Host::Domain(name) => TcpStream::connect((name.as_str(), port)).await,
            url::Host::Ipv4(v4) => TcpStream::connect((*v4, port)).await,
            url::Host::Ipv6(v6) => TcpStream::connect((*v6, port)).await,
        }
    };
    let mut connection = timeout_at(until.min(Instant::now() + CONNECT), connecting)
        .await
        .map_err(|_| "cannot connect: no answer in time".to_owned())?
        .map_err(|error| format!("cannot connect: {error}"))?;
    let _ = connection.set_nodelay(true);
    let line = if secure { Line::secure(&host)? } else { Line::Plain(Pipe::default()) };
    let begun = client::client_with_config(url.as_str(), line, Some(config()));
    let (web, _) = shake(&mut connection, begun, until).await?;
    Ok(Socket { connection, web, until })
}

/// Ends a handshake that waits for the other side.
async fn shake<R: HandshakeRole<InternalStream = Line>>(
    connection: &mut TcpStream,
    mut begun: Result<R::FinalResult, HandshakeError<R>>,
    until: Instant,
) -> Result<R::FinalResult, String> {
    loop {
        match begun {
            Ok(done) => return Ok(done),
            Err(HandshakeError::Interrupted(mut half)) => {
                pump(connection, half.get_mut().get_mut().pipe(), until).await?;
                begun = half.handshake();
            }
            Err(HandshakeError::Failure(error)) => return Err(told(&error)),
        }
    }
}

impl Socket {
    /// Sends a text. An error does not prove that it did not arrive.
    pub async fn send(&mut self, text: &str) -> Result<(), String> {
        self.web.send(Message::text(text)).map_err(|error| told(&error))?;
        push(&mut self.connection, self.web.get_mut().pipe(), self.until).await
    }

    /// Waits for the next text.
    pub async fn next(&mut self) -> Result<String, String> {
        loop {
            match self.web.read() {
                Ok(Message::Text(text)) => return Ok(text.as_str().to_owned()),
                Ok(Message::Close(Some(frame))) if !frame.reason.is_empty() => {
                    return Err(format!("the other side has closed the connection: {}", frame.reason));
                }
                Ok(Message::Close(_)) => return Err("the other side has closed the connection".to_owned()),
                // Pings are answered with the next read.
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => self.pump().await?,
                Err(error) => return Err(told(&error)),
            }
        }
    }

    async fn pump(&mut self) -> Result<(), String> {
        pump(&mut self.connection, self.web.get_mut().pipe(), self.until).await
    }

    /// The other side of a socket, for stand-ins: ends the handshake of a connection that has come in.
    #[cfg(feature = "testing")]
    pub async fn accept(mut connection: TcpStream, timeout: Duration) -> Result<Self, String> {
        let until = Instant::now() + timeout;
        let begun = tokio_tungstenite::tungstenite::accept(Line::Plain(Pipe::default()));
        let mut web = shake(&mut connection, begun, until).await?;
        push(&mut connection, web.get_mut().pipe(), until).await?;
        Ok(Self { connection, web, until })
    }
}

/// Writes what is to be written, then waits for bytes to read.
async fn pump(connection: &mut TcpStream, pipe: &mut Pipe, until: Instant) -> Result<(), String> {
    push(connection, pipe, until).await?;
    let mut bytes = vec![0; 16 * 1024];
    let count = timeout_at(until, connection.read(&mut bytes))
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|error| format!("the connection broke: {error}"))?;
    pipe.incoming.extend(&bytes[..count]);
    pipe.ended |= count == 0;
    Ok(())
}

async fn push(connection: &mut TcpStream, pipe: &mut Pipe, until: Instant) -> Result<(), String> {
    let bytes = std::mem::take(&mut pipe.outgoing);
    timeout_at(until, connection.write_all(&bytes))
        .await
        .map_err(|_| "nothing was taken in time".to_owned())?
        .map_err(|error| format!("the connection broke: {error}"))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT))
}

fn told(error: &Error) -> String {
    match error {
        Error::Http(answer) => format!("HTTP {} instead of a socket", answer.status().as_u16()),
        Error::ConnectionClosed | Error::AlreadyClosed => "the other side has closed the connection".to_owned(),
        error => format!("the connection broke: {error}"),
    }
}

/// Bytes on their way in and out.
#[derive(Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    /// Nothing comes in any more.
    ended: bool,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.incoming.read(into)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the protocol is run over.
enum Line {
    Plain(Pipe),
    Secure(Box<StreamOwned<ClientConnection, Pipe>>),
}

impl Line {
    fn secure(host: &url::Host) -> Result<Self, String> {
        static TLS: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let config = Arc::clone(TLS.get_or_init(|| Arc::new(tls())));
        let name = match host {
            url::Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| error.to_string())?,
            url::Host::Ipv4(v4) => ServerName::IpAddress((*v4).into()),
            url::Host::Ipv6(v6) => ServerName::IpAddress((*v6).into()),
        };
        let connection = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
        Ok(Self::Secure(Box::new(StreamOwned::new(connection, Pipe::default()))))
    }

    fn pipe(&mut self) -> &mut Pipe {
        match self {
            Self::Plain(pipe) => pipe,
            Self::Secure(stream) => &mut stream.sock,
        }
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(pipe) => pipe.read(into),
            Self::Secure(stream) => stream.read(into),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(pipe) => pipe.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(pipe) => pipe.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::http::HttpSettings;
    use super::*;

    fn http(milliseconds: u64) -> Http {
        Http::new(HttpSettings { timeout: Duration::from_millis(milliseconds), private_pages: false })
    }

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        (listener, url)
    }

    async fn accepted(listener: &TcpListener) -> Socket {
        let (connection, _) = listener.accept().await.expect("a connection");
        Socket::accept(connection, Duration::from_secs(5)).await.expect("a socket")
    }

    #[tokio::test]
    async fn texts_go_both_ways() {
        let (listener, url) = listening().await;
        let server = tokio::spawn(async move {
            let mut socket = accepted(&listener).await;
            // Comes in with the end of the handshake.
            socket.send("welcome").await.expect("sent");
            while let Ok(text) = socket.next().await {
                socket.send(&text.to_uppercase()).await.expect("sent");
            }
        });
        let mut socket = http(5000).socket(&url, None).await.expect("open");
        assert_eq!(socket.next().await.as_deref(), Ok("welcome"));
        let long = "x".repeat(300_000);
        for text in ["hello", "Äpfel 🍎", &long] {
            socket.send(text).await.expect("sent");
            assert_eq!(socket.next().await, Ok(text.to_uppercase()));
        }
        drop(socket);
        server.await.expect("it has ended");
    }

    #[tokio::test]
    async fn nothing_is_sent_before_the_handshake_has_ended() {
        let (listener, url) = listening().await;
        let server = tokio::spawn(async move {
            for answer in ["HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "hello\r\n\r\n", ""] {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(answer.as_bytes()).await;
            }
            // The last one is kept waiting.
            let kept = listener.accept().await.expect("a connection");
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(kept);
        });
        for why in ["HTTP 403", "", "", "in time"] {
            match http(1000).socket(&url, None).await.map(drop) {
                Err(Fault::NotSent(told)) => assert!(told.contains(why), "{told}"),
                other => panic!("{other:?}"),
            }
        }
        server.abort();
        let _ = server.await;
        let refused = http(400).socket(&url, None).await.map(drop);
        assert!(matches!(&refused, Err(Fault::NotSent(why)) if why.contains("cannot connect")), "{refused:?}");
    }

    #[tokio::test]
    async fn an_answer_is_bounded_in_time_and_size() {
        let (listener, url) = listening().await;
        let server = tokio::spawn(async move {
            let mut first = accepted(&listener).await;
            let mut second = accepted(&listener).await;
            let _ = second.send(&"x".repeat(MESSAGE_LIMIT + 1)).await;
            let _ = first.next().await;
        });
        let mut silent = http(5000).socket(&url, Some(Duration::from_secs(2))).await.expect("open");
        let mut loud = http(5000).socket(&url, None).await.expect("open");
        assert!(loud.next().await.is_err_and(|why| why.contains("broke")));
        assert!(silent.next().await.is_err_and(|why| why.contains("in time")));
        drop(silent);
        server.await.expect("it has ended");
    }

    #[test]
    fn sockets_are_wss_or_loopback() {
        assert_eq!(socket_url("wss://relay.example/").as_deref(), Ok("wss://relay.example"));
        assert_eq!(socket_url("wss://relay.example/nostr").as_deref(), Ok("wss://relay.example/nostr"));
        assert_eq!(socket_url("ws://127.0.0.1:6969").as_deref(), Ok("ws://127.0.0.1:6969"));
        for bad in ["ws://relay.example", "https://relay.example", "wss://a:b@c.example", "wss://c.example/?x", "relay"]
        {
            assert!(socket_url(bad).is_err(), "{bad}");
        }
    }
}
