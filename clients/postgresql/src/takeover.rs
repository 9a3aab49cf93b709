//! The stream under a connection that `tokio-postgres` has opened, so that it can be read without that library: it makes a
//! message of its own of each row of a `COPY`, and hands them from one task to another.
//!
//! To the library all connections are encrypted at once, and this is its TLS: here it is decided whether there is any.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use headwater_sdk::futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_postgres::Socket;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type Handshake = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

/// A request for encryption, and the answer to it. Source: "SSLRequest" of the protocol's message formats.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const ACCEPTED: u8 = b'S';

/// What bytes come and go by.
pub enum Stream {
    Plain(Socket),
    Encrypted(Box<Encrypted>),
    #[cfg(unix)]
    Unix(UnixStream),
}

macro_rules! with {
    ($stream:expr, $inner:ident => $value:expr) => {
        match $stream {
            Stream::Plain($inner) => $value,
            Stream::Encrypted($inner) => $value,
            #[cfg(unix)]
            Stream::Unix($inner) => $value,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        with!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// A stream that can be taken away from whoever reads it.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Option<Stream>>>);

impl Shared {
    pub fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// Takes it away; the others find it closed.
    pub fn take(&self) -> Option<Stream> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self.lock() {
            Some(stream) => Pin::new(stream).poll_read(cx, buf),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self.lock() {
            Some(stream) => Pin::new(stream).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.lock() {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.lock() {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl TlsStream for Shared {
    fn channel_binding(&self) -> ChannelBinding {
        match &*self.lock() {
            Some(Stream::Encrypted(stream)) => stream.channel_binding(),
            _ => ChannelBinding::none(),
        }
    }
}

/// Opens streams for the library, and keeps hold of the last one.
#[derive(Clone)]
pub struct Opener {
    pub tls: MakeRustlsConnect,
    pub mode: SslMode,
    pub negotiation: SslNegotiation,
    pub last: Arc<Mutex<Option<Shared>>>,
}

impl MakeTlsConnect<Socket> for Opener {
    type Stream = Shared;
    type TlsConnect = Opening;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Opening, Self::Error> {
        // A name is needed only where there is encryption.
        let handshake = match self.mode {
            SslMode::Disable => None,
            _ => Some(MakeTlsConnect::<Socket>::make_tls_connect(&mut self.tls, host)?),
        };
        Ok(Opening { handshake, opener: self.clone() })
    }
}

/// A stream that is about to be opened.
pub struct Opening {
    handshake: Option<Handshake>,
    opener: Opener,
}

impl TlsConnect<Socket> for Opening {
    type Stream = Shared;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Shared>>;

    fn connect(self, mut socket: Socket) -> Self::Future {
        Box::pin(async move {
            let stream = match self.handshake {
                None => Stream::Plain(socket),
                Some(handshake) => {
                    let mut answer = [ACCEPTED];
                    if self.opener.negotiation == SslNegotiation::Postgres {
                        socket.write_all(&REQUEST).await?;
                        socket.read_exact(&mut answer).await?;
                    }
                    match (answer[0], self.opener.mode) {
                        (ACCEPTED, _) => Stream::Encrypted(Box::new(handshake.connect(socket).await?)),
                        (_, SslMode::Prefer) => Stream::Plain(socket),
                        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "server does not support TLS")),
                    }
                }
            };
            let shared = Shared::new(stream);
            *self.opener.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(shared.clone());
            Ok(shared)
        })
    }
}
