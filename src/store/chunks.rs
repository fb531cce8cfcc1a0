//! Values of any size over stored values of at most 4096 bytes: above that the engine leaks space.
//!
//! A stored value begins with a tag. A value that fits follows its tag. A larger one is cut into pieces under keys of
//! their own, named after the digest of the whole, and a head tells how many there are. Pieces are written before their
//! head and removed after it, so whoever finds a head finds its pieces; what a crash leaves without a head is invisible
//! until it is swept up.

use std::ops::{Bound, ControlFlow};

use crate::model::Digest;
use crate::store::database::{Database, Direction, EngineError};
use crate::store::keys;

/// Longest value that is stored in one place, in bytes.
pub const INLINE_BYTES_MAX: usize = 4095;

/// Size of a piece, in bytes.
pub const PIECE_BYTES: usize = 4096;

/// Longest value at all, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How far empty places are made ahead of the pieces that fill them. The engine cuts a leaf of 17 entries in two by writing
/// both halves anew, so that pieces which are added one after the other are written three times. A place that has as many
/// behind it as this lies in a leaf that is not cut again. Not all places first: what is left of the cuts would fill
/// stretches of the log by itself, and the engine moves everything that has a part in such a stretch.
const PLACES_AHEAD: u32 = 24;

/// How often a value that is replaced while it is read is read again.
const READS_MAX: u32 = 16;

const NOT_WHAT_WAS_STORED: &str = "its pieces do not add up to what was stored";

const INLINE: u8 = 0;
const IN_PIECES: u8 = 1;
const GENERATION_BYTES: usize = 16;
const INDEX_BYTES: usize = 4;

/// The head of a value in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Pieces {
    count: u32,
    bytes: u64,
    digest: Digest,
}

impl Pieces {
    fn of(value: &[u8]) -> Self {
        let count = u32::try_from(value.len().div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        Self { count, bytes: value.len() as u64, digest: Digest::of(value) }
    }

    fn encode(&self) -> Vec<u8> {
        let (count, bytes) = (self.count.to_be_bytes(), self.bytes.to_be_bytes());
        [&[IN_PIECES], count.as_slice(), &bytes, self.digest.as_bytes()].concat()
    }

    /// Returns the head that a stored value is, if it is one.
    pub(in crate::store) fn decode(raw: &[u8]) -> Option<Self> {
        let rest = raw.strip_prefix(&[IN_PIECES])?;
        let (count, rest) = rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        rest.is_empty().then_some(Self {
            count: u32::from_be_bytes(*count),
            bytes: u64::from_be_bytes(*bytes),
            digest: Digest::from_bytes(*digest),
        })
    }

    /// Returns the key of a piece. The generation keeps the pieces of two values of one key apart.
    fn key(&self, owner: &[u8], index: u32) -> Vec<u8> {
        [keys::CHUNK, owner, &[0], self.generation(), &index.to_be_bytes()].concat()
    }

    fn generation(&self) -> &[u8] {
        self.digest.as_bytes().first_chunk::<GENERATION_BYTES>().map_or(&[], |generation| generation)
    }
}

/// Returns the stored form of a value of at most [`INLINE_BYTES_MAX`] bytes.
pub(in crate::store) fn inline(value: &[u8]) -> Vec<u8> {
    [&[INLINE], value].concat()
}

/// Returns the value that is stored in one place, if it is.
pub(in crate::store) fn inlined(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(&[INLINE])
}

/// Returns the stored form of a value, having written its pieces if it is large.
pub(in crate::store) fn store(
    database: &Database,
    owner: &[u8],
    value: &[u8],
) -> Result<Vec<u8>, EngineError> {
    if value.len() <= INLINE_BYTES_MAX {
        return Ok(inline(value));
    }
    let pieces = Pieces::of(value);
    // What is there already must not be emptied: it may be a value that lives.
    let live = database.get_raw(owner)?.and_then(|raw| Pieces::decode(&raw));
    let lives = live.is_some_and(|live| live.generation() == pieces.generation());
    let mut filled =
        (0..).zip(value.chunks(PIECE_BYTES)).map(|(index, piece)| (pieces.key(owner, index), Some(piece)));
    let parts = (0..pieces.count.saturating_add(PLACES_AHEAD)).flat_map(|step| {
        let place = (step < pieces.count && !lives).then(|| (pieces.key(owner, step), Some([].as_slice())));
        [place, if step < PLACES_AHEAD { None } else { filled.next() }]
    });
    database.write_parts(parts.flatten())?;
    Ok(pieces.encode())
}

/// Returns the value whose stored form under `key` was `raw` a moment ago; `None` if it has been removed since.
pub(in crate::store) fn whole(
    database: &Database,
    key: &[u8],
    raw: Vec<u8>,
) -> Result<Option<Vec<u8>>, EngineError> {
    steadily(database, key, raw, |raw| unshared(database, key, raw))
}

/// Returns what `read` makes of the value under `key` where its bytes lie; `None` if there is none.
pub(in crate::store) fn in_place<R, E: From<EngineError>>(
    database: &Database,
    key: &[u8],
    read: impl Fn(&InPlace<'_>) -> Result<R, E>,
) -> Result<Option<R>, E> {
    let Some(raw) = database.get_raw(key)? else { return Ok(None) };
    steadily(database, key, raw, |raw| read(&InPlace { database, key, raw }))
}

/// Returns what `read` makes of a stored form that was `raw` a moment ago; `None` if it has been removed since.
fn steadily<R, E: From<EngineError>>(
    database: &Database,
    key: &[u8],
    mut raw: Vec<u8>,
    read: impl Fn(&[u8]) -> Result<R, E>,
) -> Result<Option<R>, E> {
    for _ in 0..READS_MAX {
        let error = match read(&raw) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        // A value that was replaced meanwhile has lost its pieces rightly.
        match database.get_raw(key)? {
            None => return Ok(None),
            Some(now) if now == raw => return Err(error),
            Some(now) => raw = now,
        }
    }
    Err(damaged(key, "it changes faster than it can be read").into())
}

/// A value of which a part is read, where its bytes lie.
#[derive(Debug)]
pub(in crate::store) struct InPlace<'r> {
    database: &'r Database,
    key: &'r [u8],
    raw: &'r [u8],
}

impl InPlace<'_> {
    /// Shows `look` the bytes from `at` to the end, one stretch after the other, until it has seen enough. No stretch is
    /// missing and each has its length; whether the bytes are those that were written only [`whole`] can tell, because
    /// the digest is over all of them.
    pub(in crate::store) fn each(
        &self,
        at: u64,
        mut look: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let (first, mut skip) = (at / PIECE_BYTES as u64, at % PIECE_BYTES as u64);
        if let Some(value) = inlined(self.raw) {
            let _all_there_is = look(beyond(value, at));
            return Ok(());
        }
        let pieces = Pieces::decode(self.raw).ok_or_else(|| damaged(self.key, "it has no known form"))?;
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        each_piece(self.database, self.key, &pieces, first, |piece| {
            look(beyond(piece, std::mem::take(&mut skip)))
        })
    }

    /// Returns at most `count` bytes from `at` on.
    pub(in crate::store) fn some(&self, at: u64, count: usize) -> Result<Vec<u8>, EngineError> {
        let mut some = Vec::new();
        self.each(at, |bytes| {
            some.extend(bytes.iter().take(count - some.len()));
            if some.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(some)
    }
}

fn beyond(bytes: &[u8], at: u64) -> &[u8] {
    usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// Returns the value in `raw`, whose pieces nobody else can be removing.
pub(in crate::store) fn unshared(
    database: &Database,
    key: &[u8],
    raw: &[u8],
) -> Result<Vec<u8>, EngineError> {
    if let Some(value) = inlined(raw) {
        return Ok(value.to_vec());
    }
    let pieces = Pieces::decode(raw).ok_or_else(|| damaged(key, "it has no known form"))?;
    gather(database, key, &pieces)
}

/// Puts the pieces together.
fn gather(database: &Database, owner: &[u8], pieces: &Pieces) -> Result<Vec<u8>, EngineError> {
    let bytes = usize::try_from(pieces.bytes).unwrap_or(usize::MAX);
    let mut value = Vec::with_capacity(bytes.min(VALUE_BYTES_MAX));
    each_piece(database, owner, pieces, 0, |piece| {
        value.extend_from_slice(piece);
        ControlFlow::Continue(())
    })?;
    if Digest::of(&value) == pieces.digest { Ok(value) } else { Err(damaged(owner, NOT_WHAT_WAS_STORED)) }
}

/// Shows `look` the pieces from `first` on, in order, until it has seen enough.
fn each_piece(
    database: &Database,
    owner: &[u8],
    pieces: &Pieces,
    first: u32,
    mut look: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), EngineError> {
    let mut due = first..pieces.count;
    if due.is_empty() {
        return Ok(());
    }
    let range = (Bound::Included(pieces.key(owner, first)), Bound::Excluded(pieces.key(owner, pieces.count)));
    for entry in database.scan_raw(range, Direction::Forward) {
        let (key, piece) = entry?;
        let Some(index) = due.next().filter(|index| key == pieces.key(owner, *index)) else {
            return Err(damaged(owner, "a piece of it is missing"));
        };
        let left = pieces.bytes.saturating_sub(u64::from(index) * PIECE_BYTES as u64);
        if piece.len() as u64 != left.min(PIECE_BYTES as u64) {
            return Err(damaged(owner, NOT_WHAT_WAS_STORED));
        }
        if look(&piece).is_break() {
            return Ok(());
        }
    }
    if due.is_empty() { Ok(()) } else { Err(damaged(owner, "a piece of it is missing")) }
}

/// Removes the pieces of a value under `owner`, unless they are still, or again, in use.
pub(in crate::store) fn remove_unless_live(
    database: &Database,
    owner: &[u8],
    pieces: &Pieces,
) -> Result<(), EngineError> {
    let live = database.get_raw(owner)?.and_then(|raw| Pieces::decode(&raw));
    if live.is_some_and(|live| live.generation() == pieces.generation()) {
        return Ok(());
    }
    database.write_parts((0..pieces.count).map(|index| (pieces.key(owner, index), None::<&[u8]>)))
}

/// Returns the keys of pieces that seem to belong to no value: left behind by a crash, or of a value that is just being
/// written or replaced. Whoever removes them looks again. A value that lives costs one look, however large it is.
pub(in crate::store) fn orphans(database: &Database) -> Result<Vec<Vec<u8>>, EngineError> {
    let (mut start, end) = keys::under(keys::CHUNK);
    let mut found = Vec::new();
    while let Some(entry) = database.scan_raw((start, end.clone()), Direction::Forward).next() {
        let (mut key, _) = entry?;
        match PieceKey::parse(&key) {
            Some(piece) if piece.is_of(database.get_raw(piece.owner)?.as_deref()) => {
                // Past all pieces of this value.
                key.truncate(key.len() - INDEX_BYTES);
                key.extend([u8::MAX; INDEX_BYTES]);
            }
            Some(_) => found.push(key.clone()),
            None => {}
        }
        start = Bound::Excluded(key);
    }
    Ok(found)
}

/// Returns whether a piece belongs to no value, `raw` giving the stored form of values. What is no piece at all belongs to
/// somebody else.
pub(in crate::store) fn is_orphan(
    key: &[u8],
    raw: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, EngineError>,
) -> Result<bool, EngineError> {
    match PieceKey::parse(key) {
        Some(piece) => Ok(!piece.is_of(raw(piece.owner)?.as_deref())),
        None => Ok(false),
    }
}

/// A piece, as its key tells.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct PieceKey<'k> {
    /// Key of the value it belongs to.
    pub(in crate::store) owner: &'k [u8],
    generation: &'k [u8],
}

impl<'k> PieceKey<'k> {
    /// Returns what a key of a piece is made of.
    pub(in crate::store) fn parse(key: &'k [u8]) -> Option<Self> {
        let (rest, _index) = key.strip_prefix(keys::CHUNK)?.split_last_chunk::<INDEX_BYTES>()?;
        let (rest, generation) = rest.split_last_chunk::<GENERATION_BYTES>()?;
        Some(Self { owner: rest.strip_suffix(&[0])?, generation })
    }

    /// Returns whether it belongs to the value whose stored form is `raw`.
    pub(in crate::store) fn is_of(&self, raw: Option<&[u8]>) -> bool {
        raw.and_then(Pieces::decode).is_some_and(|pieces| pieces.generation() == self.generation)
    }
}

fn damaged(key: &[u8], what: &'static str) -> EngineError {
    EngineError::Damaged { key: key.escape_ascii().to_string(), what }
}

#[cfg(test)]
mod tests;
