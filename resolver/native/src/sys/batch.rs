//! Datagrams in batches (recvmmsg, sendmmsg), each with the local address that it came to or
//! leaves from (IP_PKTINFO, RFC 3542 section 6).

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::time::Duration;

use super::address::RawAddress;
use super::check;
use super::socket::{Socket, would_block};

/// Datagrams in one call: the cost of the call is spread thin, and a batch stays in the cache.
pub const BATCH: usize = 32;

/// How long a full buffer is waited for: its megabytes leave in less on any link that a resolver
/// stands behind, and queries that come meanwhile wait in a buffer of their own.
const DRAIN_MAX: Duration = Duration::from_millis(20);

/// Octets of a query that we read. What is longer is cut, and so malformed.
const QUERY_OCTETS: usize = 4096;

/// Room for the control messages of one datagram: packet info and the count of drops.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 128]);

/// The local end of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    pub address: IpAddr,
    /// Interface, for link-local addresses only: for others, routing decides.
    interface: u32,
}

/// A datagram that came in.
pub struct Received<'a> {
    pub data: &'a [u8],
    pub source: SocketAddr,
    pub local: Option<Local>,
    /// Datagrams that the kernel has dropped on this socket so far.
    pub drops: Option<u32>,
}

/// What the two directions share: arrays for the kernel, one entry a datagram. The pointers of
/// entries are written once: what they point to is never moved.
struct Arrays {
    headers: Vec<libc::mmsghdr>,
    /// Only pointed to.
    pieces: Vec<libc::iovec>,
    addresses: Vec<RawAddress>,
    controls: Vec<Control>,
    room: Vec<u8>,
    room_each: usize,
}

// SAFETY: the pointers in `headers` and `pieces` point into vectors of the same value, which own
// their memory and never grow.
unsafe impl Send for Arrays {}

impl Arrays {
    fn new(room_each: usize) -> Self {
        // SAFETY: mmsghdr and iovec are plain data; null pointers and zero lengths are valid.
        let (header, piece) = unsafe { (zeroed::<libc::mmsghdr>(), zeroed::<libc::iovec>()) };
        let mut arrays = Self {
            headers: vec![header; BATCH],
            pieces: vec![piece; BATCH],
            addresses: vec![RawAddress::default(); BATCH],
            controls: vec![Control([0; 128]); BATCH],
            room: vec![0; BATCH * room_each],
            room_each,
        };
        let (room, pieces) = (arrays.room.as_mut_ptr(), arrays.pieces.as_mut_ptr());
        let (addresses, controls) = (arrays.addresses.as_mut_ptr(), arrays.controls.as_mut_ptr());
        for (at, header) in arrays.headers.iter_mut().enumerate() {
            // SAFETY: `at` is below BATCH, the length of all arrays.
            unsafe {
                (*pieces.add(at)).iov_base = room.add(at * room_each).cast();
                (*pieces.add(at)).iov_len = room_each;
                header.msg_hdr.msg_name = (&raw mut (*addresses.add(at)).storage).cast();
                header.msg_hdr.msg_iov = pieces.add(at);
                header.msg_hdr.msg_control = controls.add(at).cast();
            }
            header.msg_hdr.msg_iovlen = 1;
        }
        arrays
    }

    fn room(&mut self, at: usize) -> &mut [u8] {
        &mut self.room[at * self.room_each..(at + 1) * self.room_each]
    }
}

/// Datagrams from clients.
pub struct Inbound {
    arrays: Arrays,
    /// Entries that the kernel has written lengths to since they were last set.
    written: usize,
}

impl Default for Inbound {
    fn default() -> Self {
        Self { arrays: Arrays::new(QUERY_OCTETS), written: BATCH }
    }
}

impl Inbound {
    /// Receive what waits, at most [`BATCH`]; their number, 0 when nothing waits.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for header in &mut self.arrays.headers[..self.written] {
            let header = &mut header.msg_hdr;
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_controllen = size_of::<Control>();
        }
        // The kernel writes to no entry that it does not count, but the one that it stops at.
        self.written = BATCH;
        // SAFETY: BATCH headers, each pointing to memory of `self` that nobody else touches.
        let count = check(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.arrays.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                null_mut(),
            )
        });
        match count {
            Ok(count) => {
                self.written = (count as usize + 1).min(BATCH);
                Ok(count as usize)
            }
            Err(error) if would_block(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Datagram `at` of the last batch; `None` when its source cannot be answered.
    pub fn get(&self, at: usize) -> Option<Received<'_>> {
        let Arrays { headers, addresses, room, .. } = &self.arrays;
        let header = &headers[at];
        let start = at * QUERY_OCTETS;
        let octets = (header.msg_len as usize).min(QUERY_OCTETS);
        let source = addresses[at].to_socket().filter(|source| source.port() != 0)?;
        let (local, drops) = match header.msg_hdr.msg_controllen {
            0 => (None, None),
            _ => read_control(&header.msg_hdr),
        };
        Some(Received { data: &room[start..start + octets], source, local, drops })
    }
}

fn read_control(header: &libc::msghdr) -> (Option<Local>, Option<u32>) {
    let (mut local, mut drops) = (None, None);
    // SAFETY: the kernel has filled the control buffer of `header` and set its length; the CMSG
    // functions stay inside, and each payload is read as what its level and type say it is.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(head) = message.as_ref() {
            let payload = libc::CMSG_DATA(message);
            match (head.cmsg_level, head.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = payload.cast::<libc::in_pktinfo>().read_unaligned();
                    let octets = info.ipi_spec_dst.s_addr.to_ne_bytes();
                    let address = IpAddr::V4(Ipv4Addr::from(octets));
                    local = Some(Local { address, interface: 0 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = payload.cast::<libc::in6_pktinfo>().read_unaligned();
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    let link_local = address.is_unicast_link_local();
                    let interface = if link_local { info.ipi6_ifindex } else { 0 };
                    local = Some(Local { address: IpAddr::V6(address), interface });
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    drops = Some(payload.cast::<u32>().read_unaligned());
                }
                _ => {}
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    (local, drops)
}

/// Replies to clients, gathered and sent together.
pub struct Outbound {
    arrays: Arrays,
    count: usize,
}

impl Outbound {
    /// For replies of at most `octets_max`.
    pub fn new(octets_max: usize) -> Self {
        Self { arrays: Arrays::new(octets_max), count: 0 }
    }

    /// Number of replies that wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it must be sent before another reply fits.
    pub fn is_full(&self) -> bool {
        self.count == BATCH
    }

    /// Room for the next reply. Not to be called when full.
    pub fn room(&mut self) -> &mut [u8] {
        self.arrays.room(self.count)
    }

    /// Keep the reply of `octets` that was written to [`Outbound::room`].
    pub fn push(&mut self, octets: usize, client: SocketAddr, local: Option<Local>) {
        let at = self.count;
        debug_assert!(octets <= self.arrays.room_each, "a reply is within its room");
        let Arrays { headers, pieces, addresses, controls, .. } = &mut self.arrays;
        addresses[at].set(client);
        pieces[at].iov_len = octets;
        let header = &mut headers[at].msg_hdr;
        header.msg_namelen = addresses[at].length;
        header.msg_controllen = local.map_or(0, |local| write_control(&mut controls[at], &local));
        self.count += 1;
    }

    /// Send all. Returns how many the kernel took. When the socket's buffer is full its drain is
    /// waited for, for a moment; what then remains is dropped, as any datagram may be.
    pub fn send(&mut self, socket: &Socket) -> usize {
        let (mut at, mut sent, mut waited) = (0, 0, false);
        while at < self.count {
            // SAFETY: `count` headers prepared by `push`; nothing they point to has moved.
            let result = check(unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.arrays.headers[at..].as_mut_ptr(),
                    (self.count - at) as libc::c_uint,
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            });
            match result {
                Ok(count) => {
                    at += count as usize;
                    sent += count as usize;
                    waited = false;
                }
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                    if std::mem::replace(&mut waited, true) || !socket.wait_writable(DRAIN_MAX) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The first of them cannot be sent (no route, a firewall): go on with the next.
                Err(_) => at += 1,
            }
        }
        self.count = 0;
        sent
    }
}

/// Write the local address that a datagram is to leave from; the length of the control messages.
fn write_control(control: &mut Control, local: &Local) -> usize {
    match local.address {
        IpAddr::V4(v4) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(v4.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            put_control(control, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
        }
        IpAddr::V6(v6) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: v6.octets() },
                ipi6_ifindex: local.interface,
            };
            put_control(control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
        }
    }
}

fn put_control<T>(control: &mut Control, level: i32, kind: i32, payload: T) -> usize {
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: the lengths are computed from the size of a payload of at most 20 octets, far below
    // the size of `Control`, which is aligned for a cmsghdr.
    unsafe {
        let head = control.0.as_mut_ptr().cast::<libc::cmsghdr>();
        (*head).cmsg_level = level;
        (*head).cmsg_type = kind;
        (*head).cmsg_len = libc::CMSG_LEN(size) as usize;
        libc::CMSG_DATA(head).cast::<T>().write_unaligned(payload);
        libc::CMSG_SPACE(size) as usize
    }
}
