//! Connections that end: each has so long, may send so much, and there are never more than so many.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// A connection is over after so long. It serves one request.
const TIME: Duration = Duration::from_secs(10);

/// Whoever asks may send so many bytes, with headers and body.
const BYTES: usize = 16 * 1024;

/// At once. More wait.
const CONNECTIONS: usize = 16;

/// A listener of bounded connections.
pub(super) struct Bounded<L> {
    inner: L,
    room: Arc<Semaphore>,
    time: Duration,
}

impl<L> Bounded<L> {
    pub(super) fn new(inner: L) -> Self {
        Self { inner, room: Arc::new(Semaphore::new(CONNECTIONS)), time: TIME }
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.room).acquire_owned().await.ok();
        let (inner, address) = self.inner.accept().await;
        let end = Box::pin(tokio::time::sleep(self.time));
        (Connection { inner, end, left: BYTES, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection with an end.
pub(super) struct Connection<S> {
    inner: S,
    end: Pin<Box<Sleep>>,
    left: usize,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    fn is_over(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_over(context)?;
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_over(context)?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over(context)?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over(context)?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn listener(time: Duration) -> (Bounded<TcpListener>, std::net::SocketAddr) {
        let inner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = inner.local_addr().expect("an address");
        (Bounded { time, ..Bounded::new(inner) }, address)
    }

    #[tokio::test]
    async fn whoever_is_slow_is_left() {
        let (mut listener, address) = listener(Duration::from_millis(50)).await;
        let mut silent = TcpStream::connect(address).await.expect("connected");
        silent.write_all(b"GET ").await.expect("sent");
        let (mut connection, _) = listener.accept().await;
        let mut got = Vec::new();
        let error = connection.read_to_end(&mut got).await.expect_err("its time is over");
        assert_eq!((error.kind(), &got[..]), (io::ErrorKind::TimedOut, &b"GET "[..]));
    }

    #[tokio::test]
    async fn whoever_says_much_is_not_listened_to() {
        let (mut listener, address) = listener(TIME).await;
        let mut loud = TcpStream::connect(address).await.expect("connected");
        tokio::spawn(async move { while loud.write_all(&[b'x'; 4096]).await.is_ok() {} });
        let (mut connection, _) = listener.accept().await;
        let (mut got, mut buffer) = (0, [0; 1000]);
        let error = loop {
            match connection.read(&mut buffer).await {
                Ok(count) => got += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!((BYTES..BYTES + 1000).contains(&got), "{got}");
    }

    #[tokio::test]
    async fn there_are_never_many() {
        let (mut listener, address) = listener(TIME).await;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            let asker = TcpStream::connect(address).await.expect("connected");
            held.push((asker, listener.accept().await));
        }
        let _waits = TcpStream::connect(address).await.expect("connected");
        let full = tokio::time::timeout(Duration::from_millis(30), listener.accept()).await;
        assert!(full.is_err(), "there is no room");
        held.pop();
        tokio::time::timeout(TIME, listener.accept()).await.expect("there is room again");
    }
}
