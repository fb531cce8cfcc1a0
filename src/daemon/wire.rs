//! Messages over a stream: a length in 32 bits, little endian, then that many bytes of bincode.

use std::io;

use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use crate::store::schema;

/// Longest frame, in bytes: the longest answer ([`crate::model::Answer::BYTES_MAX`]) and the longest prompt (10 MB) fit with
/// room for their facts.
pub const FRAME_BYTES_MAX: usize = 24 << 20;

/// Bytes of the length before each message.
const LENGTH_BYTES: usize = size_of::<u32>();

/// One end of a connection whose handshake is done.
#[derive(Debug)]
pub struct Connection {
    reader: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    writer: OwnedWriteHalf,
}

impl Connection {
    /// Takes over a stream.
    pub fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        let codec =
            LengthDelimitedCodec::builder().little_endian().max_frame_length(FRAME_BYTES_MAX).new_codec();
        Self { reader: FramedRead::new(reader, codec), writer }
    }

    /// Writes one message. Not cancel-safe: half a frame breaks the connection.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        let mut frame = vec![0; LENGTH_BYTES];
        schema::encode_message(message, &mut frame).map_err(WireError::Garbled)?;
        let body = frame.len() - LENGTH_BYTES;
        if body > FRAME_BYTES_MAX {
            return Err(WireError::TooLong(body));
        }
        let length = u32::try_from(body).unwrap_or(u32::MAX).to_le_bytes();
        frame.iter_mut().zip(length).for_each(|(slot, byte)| *slot = byte);
        self.writer.write_all(&frame).await?;
        Ok(())
    }

    /// Writes one message and reads the next.
    pub async fn ask<T: Serialize, R: DeserializeOwned>(&mut self, message: &T) -> Result<R, WireError> {
        self.send(message).await?;
        self.receive().await?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }

    /// Says that nothing more is going to be said, and returns when the other side has taken in all of it and closes, too.
    pub async fn finish(mut self) -> io::Result<()> {
        self.writer.shutdown().await?;
        while let Some(frame) = self.reader.next().await {
            drop(frame?);
        }
        Ok(())
    }

    /// Returns whether nothing has come that nobody asked for: also a close counts, so a connection whose other side is
    /// gone is not used again.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let stream: &UnixStream = self.reader.get_ref().as_ref();
        self.reader.read_buffer().is_empty()
            && matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads one message; `None` when the other side has closed the connection between two. Cancel-safe: what was read
    /// of a frame stays in the buffer.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        match self.reader.next().await {
            None => Ok(None),
            Some(frame) => schema::decode_message(&frame?).map(Some).map_err(WireError::Garbled),
        }
    }
}

/// Why a message could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection failed, was closed in the middle of a message, or claims a message over the limit.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// Our own message is over the limit.
    #[error("a message of {0} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// The bytes are not a message.
    #[error("a message cannot be read: {0}")]
    Garbled(String),
}
