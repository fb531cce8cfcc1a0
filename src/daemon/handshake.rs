//! The first bytes of a connection: who speaks which versions, and what for. Fixed for ever, never bincode, so that
//! programs of any two releases understand at least whether they understand each other.

/// Oldest and newest protocol this program speaks.
pub const VERSIONS: (u16, u16) = (1, 1);

const MAGIC: [u8; 4] = *b"ADSP";

/// What a connection is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// To talk.
    Talk,
    /// To ask the daemon to finish what it has begun and go. Understood whatever the versions: this is how a newer
    /// program replaces an older daemon.
    Stop,
}

/// First bytes of the opening side, fixed for ever: magic, oldest version, newest version, intent, process id.
pub const HELLO_BYTES: usize = 13;

/// Returns the opening bytes.
pub fn hello(intent: Intent, pid: u32) -> [u8; HELLO_BYTES] {
    let mut bytes = [0; HELLO_BYTES];
    let fields: [&[u8]; 5] = [
        &MAGIC,
        &VERSIONS.0.to_le_bytes(),
        &VERSIONS.1.to_le_bytes(),
        &[u8::from(intent == Intent::Stop)],
        &pid.to_le_bytes(),
    ];
    for (slot, byte) in bytes.iter_mut().zip(fields.concat()) {
        *slot = byte;
    }
    bytes
}

/// What an opening says: versions spoken and intent; `None` when it is not ours.
pub fn parse_hello(bytes: [u8; HELLO_BYTES]) -> Option<((u16, u16), Intent)> {
    let [a, b, c, d, oldest_low, oldest_high, newest_low, newest_high, intent, ..] = bytes;
    if [a, b, c, d] != MAGIC {
        return None;
    }
    let versions =
        (u16::from_le_bytes([oldest_low, oldest_high]), u16::from_le_bytes([newest_low, newest_high]));
    Some((versions, if intent == 0 { Intent::Talk } else { Intent::Stop }))
}

/// First bytes of the answering side, fixed for ever: magic, chosen version (0 refuses), oldest, newest, process id.
pub const WELCOME_BYTES: usize = 14;

/// Returns the answer to an opening: the newest version both speak, or 0.
pub fn welcome(theirs: (u16, u16), pid: u32) -> ([u8; WELCOME_BYTES], u16) {
    let chosen = VERSIONS.1.min(theirs.1);
    let chosen = if chosen >= VERSIONS.0.max(theirs.0) { chosen } else { 0 };
    let mut bytes = [0; WELCOME_BYTES];
    let fields: [&[u8]; 5] = [
        &MAGIC,
        &chosen.to_le_bytes(),
        &VERSIONS.0.to_le_bytes(),
        &VERSIONS.1.to_le_bytes(),
        &pid.to_le_bytes(),
    ];
    for (slot, byte) in bytes.iter_mut().zip(fields.concat()) {
        *slot = byte;
    }
    (bytes, chosen)
}

/// What an answer to an opening says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The version to speak; 0 refuses.
    pub chosen: u16,
    /// Versions the daemon speaks.
    pub versions: (u16, u16),
    /// Its process id.
    pub pid: u32,
}

/// Returns what these bytes say; `None` when they are not a daemon's.
pub fn parse_welcome(bytes: [u8; WELCOME_BYTES]) -> Option<Welcome> {
    let [a, b, c, d, c0, c1, o0, o1, n0, n1, p0, p1, p2, p3] = bytes;
    if [a, b, c, d] != MAGIC {
        return None;
    }
    let versions = (u16::from_le_bytes([o0, o1]), u16::from_le_bytes([n0, n1]));
    Some(Welcome {
        chosen: u16::from_le_bytes([c0, c1]),
        versions,
        pid: u32::from_le_bytes([p0, p1, p2, p3]),
    })
}

#[cfg(test)]
mod tests;
