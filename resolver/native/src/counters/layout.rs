//! Where everything stands in the counters file, in 64-bit words of the machine's own order.
//!
//! ```text
//! page 0     magic, version, layout, areas, process id
//! labels     SLOTS_MAX × (length word, LABEL_MAX octets); the length is written last
//! areas      each: slots × fields, scalars, hits, histogram, sum of nanoseconds, hits by tag;
//!            whole pages
//! ```
//!
//! `layout` is a hash of all names and sizes, so a file of another build is known as foreign.

use std::sync::atomic::Ordering;

use super::map::Map;

const PAGE: usize = 4096;
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"inlandct");
pub(super) const VERSION: u64 = 1;
pub(super) const OVERFLOW: &str = "overflow";

/// Labels that can exist: about 250 countries, few combinations each.
pub const SLOTS_MAX: usize = 2048;
/// Octets of a label: the longest words of the closed sets need 77.
pub const LABEL_MAX: usize = 88;
const LABEL_WORDS: usize = 1 + LABEL_MAX / 8;

/// What is counted in each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Before the send call.
    Intended,
    /// After the kernel accepted.
    Sent,
    Replies,
    OctetsSent,
    OctetsReceived,
    Connections,
    /// Of the names in what was sent (see `Shown`).
    Labels,
    LabelsBeyond,
}

/// Number of [`Field`]s.
pub const FIELDS: usize = 8;

macro_rules! scalars {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// Counters without a label. Names are the contract's and the exporter's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scalar { $($(#[$doc])* $variant,)* }

        /// Names of the scalars, in their order.
        pub const SCALAR_NAMES: &[&str] = &[$($name,)*];
    };
}

scalars! {
    /// Readable queries from allowed clients.
    QueriesUdp "queries_udp",
    QueriesTcp "queries_tcp",
    /// From clients: too short, or a response.
    MalformedDropped "malformed_dropped",
    /// From clients: FORMERR, NOTIMP or BADVERS.
    MalformedAnswered "malformed_answered",
    /// From addresses that the access list does not hold.
    Refused "refused",
    /// Datagrams that the kernel dropped before us (SO_RXQ_OVFL).
    KernelDrops "kernel_drops",
    /// Queries handed to Python.
    Misses "misses",
    /// Queries answered SERVFAIL since too many waited.
    MissesShed "misses_shed",
    /// Clients whose misses native took up by a plan.
    Planned "planned",
    /// Those of them that were given to Python in the end.
    PlannedPunted "planned_punted",
    /// Hits that were answers of stale data.
    StaleHits "stale_hits",
    RepliesSent "replies_sent",
    RepliesFailed "replies_failed",
    TcpClients "tcp_clients",
    TcpClientsRefused "tcp_clients_refused",
    /// Dropped since they left too much unread.
    TcpClientsSlow "tcp_clients_slow",
    /// From upstream addresses: wrong ID, address or question.
    UpstreamMismatched "upstream_mismatched",
    /// After the exchange had ended.
    UpstreamLate "upstream_late",
    UpstreamMalformed "upstream_malformed",
    IcmpErrors "icmp_errors",
    /// Sends that the kernel refused.
    SendFailures "send_failures",
}

const SCALARS: usize = SCALAR_NAMES.len();
/// Tags that answers may have, with 0 for none (`resolver/limits_policy.py` has the same).
pub const TAGS: usize = 4096;
/// Destinations: domestic, foreign, mixed, none.
pub const DESTINATIONS: usize = 4;
/// Upper bounds of the buckets of hit latency, in seconds: a hit is some microseconds of work,
/// a full batch before it some hundred.
pub const HIT_SECONDS_BOUNDS: [f64; 10] =
    [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2];
/// Buckets, with the one above all bounds.
pub const HIT_BUCKETS: usize = HIT_SECONDS_BOUNDS.len() + 1;

// Words of an area.
pub(super) const SLOTS_AT: usize = 0;
pub(super) const SCALARS_AT: usize = SLOTS_MAX * FIELDS;
pub(super) const HITS_AT: usize = SCALARS_AT + SCALARS;
pub(super) const BUCKETS_AT: usize = HITS_AT + 2 * DESTINATIONS;
pub(super) const HIT_NANOS_AT: usize = BUCKETS_AT + HIT_BUCKETS;
pub(super) const TAGS_AT: usize = HIT_NANOS_AT + 1;
const AREA_OCTETS: usize = (8 * (TAGS_AT + TAGS)).next_multiple_of(PAGE);
const AREAS_OFFSET: usize = PAGE + (8 * SLOTS_MAX * LABEL_WORDS).next_multiple_of(PAGE);

// Words of the header.
const MAGIC_WORD: usize = 0;
const VERSION_WORD: usize = 1;
const LAYOUT_WORD: usize = 2;
const AREAS_WORD: usize = 3;
const PROCESS_WORD: usize = 4;

/// Offset of an area in the file.
pub(super) fn area_offset(index: usize) -> usize {
    AREAS_OFFSET + index * AREA_OCTETS
}

/// Size of the file, in octets.
pub(super) fn file_size(areas: usize) -> usize {
    area_offset(areas)
}

/// FNV-1a of all that the layout depends on.
fn layout_hash() -> u64 {
    let sizes = [SLOTS_MAX, LABEL_MAX, FIELDS, DESTINATIONS, HIT_BUCKETS, AREA_OCTETS];
    let octets = sizes.iter().flat_map(|size| size.to_le_bytes());
    let names = SCALAR_NAMES.iter().flat_map(|name| name.bytes().chain([0]));
    octets.chain(names).fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

pub(super) fn write_header(map: &Map, areas: usize) {
    let put = |word: usize, value: u64| map.word(word).store(value, Ordering::Release);
    put(VERSION_WORD, VERSION);
    put(LAYOUT_WORD, layout_hash());
    put(AREAS_WORD, areas as u64);
    put(PROCESS_WORD, u64::from(std::process::id()));
    // Last: a file without it is not ready.
    put(MAGIC_WORD, MAGIC);
}

/// Number of areas of a file that this build can read.
pub(super) fn check_header(map: &Map) -> Result<usize, &'static str> {
    let get = |word: usize| map.word(word).load(Ordering::Acquire);
    if map.size() < PAGE || get(MAGIC_WORD) != MAGIC {
        return Err("not a counters file");
    }
    if get(VERSION_WORD) != VERSION || get(LAYOUT_WORD) != layout_hash() {
        return Err("counters file of another version");
    }
    let areas = (map.size().saturating_sub(AREAS_OFFSET)) / AREA_OCTETS;
    if get(AREAS_WORD) != areas as u64 || map.size() != file_size(areas) {
        return Err("torn counters file");
    }
    Ok(areas)
}

/// Areas of a mapping whose header is known to be good.
pub(super) fn areas(map: &Map) -> usize {
    (map.size() - AREAS_OFFSET) / AREA_OCTETS
}

fn label_word(slot: usize) -> usize {
    PAGE / 8 + slot * LABEL_WORDS
}

/// Write a label of at most `LABEL_MAX` octets; its length last, which makes it visible.
pub(super) fn write_label(map: &Map, slot: usize, label: &str) {
    let start = label_word(slot);
    for (index, chunk) in label.as_bytes().chunks(8).enumerate() {
        let mut octets = [0; 8];
        octets[..chunk.len()].copy_from_slice(chunk);
        map.word(start + 1 + index).store(u64::from_ne_bytes(octets), Ordering::Relaxed);
    }
    map.word(start).store(label.len() as u64, Ordering::Release);
}

/// The label of a slot; `None` when it has none.
pub(super) fn read_label(map: &Map, slot: usize) -> Option<String> {
    let start = label_word(slot);
    let length = map.word(start).load(Ordering::Acquire) as usize;
    if length == 0 || length > LABEL_MAX {
        return None;
    }
    let words = (1..LABEL_WORDS).map(|index| map.word(start + index).load(Ordering::Relaxed));
    let octets: Vec<u8> = words.flat_map(u64::to_ne_bytes).take(length).collect();
    Some(String::from_utf8_lossy(&octets).into_owned())
}
