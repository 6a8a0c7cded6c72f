//! Sockets with the options that a resolver wants, and the calls on them.

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::address::RawAddress;
use super::{check, check_size};

/// Queries of a burst that wait in the kernel: about 4,000 small datagrams. Without
/// CAP_NET_ADMIN the kernel caps it at net.core.rmem_max.
const LISTEN_BUFFER: libc::c_int = 4 << 20;

/// Connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
const BACKLOG: libc::c_int = 1024;

/// An open socket, not blocking.
pub struct Socket(OwnedFd);

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Socket {
    fn open(address: &SocketAddr, kind: libc::c_int) -> io::Result<Self> {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers; the result is checked and owned at once.
        let fd = unsafe {
            let fd = check(libc::socket(family, kind, 0))?;
            OwnedFd::from_raw_fd(fd)
        };
        let socket = Self(fd);
        if address.is_ipv6() {
            // A mapped address (::ffff:0:0/96) must not slip past a verdict about IPv6.
            socket.option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        Ok(socket)
    }

    fn option(&self, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: the kernel reads one int, which lives through the call.
        check(unsafe {
            libc::setsockopt(
                self.as_raw_fd(),
                level,
                name,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        })?;
        Ok(())
    }

    /// Never set DF and never learn a path MTU: forged ICMP could make us fragment otherwise, and
    /// nothing larger than 1,232 octets is sent (RFC 9715 section 3.1).
    fn ignore_path_mtu(&self, ipv4: bool) -> io::Result<()> {
        if ipv4 {
            self.option(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
        } else {
            self.option(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
        }
    }

    /// A datagram socket for one exchange with `server`, not bound yet.
    ///
    /// IP_RECVERR stays off on purpose. With it the kernel reports a full queue below the output
    /// hook as ENOBUFS, after the packet was counted there; without it, every error of send()
    /// means that the packet never left, and "sent" can be exact.
    pub fn upstream_udp(server: &SocketAddr) -> io::Result<Self> {
        let socket = Self::open(server, libc::SOCK_DGRAM)?;
        socket.ignore_path_mtu(server.is_ipv4())?;
        Ok(socket)
    }

    /// A stream socket for a channel to `server`.
    pub fn upstream_tcp(server: &SocketAddr) -> io::Result<Self> {
        let socket = Self::open(server, libc::SOCK_STREAM)?;
        socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        Ok(socket)
    }

    /// A datagram socket for clients at `address`; several may share the address.
    pub fn listen_udp(address: &SocketAddr) -> io::Result<Self> {
        let socket = Self::open(address, libc::SOCK_DGRAM)?;
        socket.option(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        socket.option(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
        // With the right to, past the kernel's cap. A smaller buffer is no reason not to start.
        if socket.option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, LISTEN_BUFFER).is_err() {
            let _ = socket.option(libc::SOL_SOCKET, libc::SO_RCVBUF, LISTEN_BUFFER);
        }
        let _ = socket.option(libc::SOL_SOCKET, libc::SO_SNDBUF, LISTEN_BUFFER);
        // A socket with an address of its own answers from it anyway, at less cost.
        let tell = libc::c_int::from(address.ip().is_unspecified());
        if address.is_ipv4() {
            socket.option(libc::IPPROTO_IP, libc::IP_PKTINFO, tell)?;
            socket.option(libc::IPPROTO_IP, libc::IP_FREEBIND, 1)?;
        } else {
            socket.option(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, tell)?;
            socket.option(libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)?;
        }
        socket.ignore_path_mtu(address.is_ipv4())?;
        socket.bind(*address)?;
        Ok(socket)
    }

    /// A listening stream socket at `address`; several may share the address. The first is bound
    /// alone, so that it meets whoever listens there already, with SO_REUSEPORT or without.
    pub fn listen_tcp(address: &SocketAddr, first: bool) -> io::Result<Self> {
        let socket = Self::open(address, libc::SOCK_STREAM)?;
        // Without it a restart would wait for the connections of the last run to leave TIME_WAIT.
        socket.option(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        if address.is_ipv4() {
            socket.option(libc::IPPROTO_IP, libc::IP_FREEBIND, 1)?;
        } else {
            socket.option(libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)?;
        }
        if !first {
            socket.option(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        socket.bind(*address)?;
        if first {
            socket.option(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        // SAFETY: no pointers.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        Ok(socket)
    }

    /// Bind to an address.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        let raw = RawAddress::from(address);
        // SAFETY: a valid address of the given length.
        check(unsafe {
            libc::bind(self.as_raw_fd(), (&raw const raw.storage).cast(), raw.length)
        })?;
        Ok(())
    }

    /// Bind to a port of every local address, in the family of `server`.
    pub fn bind_port(&self, server: &SocketAddr, port: u16) -> io::Result<()> {
        self.bind(if server.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
        })
    }

    /// Connect; for a stream `Ok(false)` means that the handshake is under way.
    pub fn connect(&self, server: &SocketAddr) -> io::Result<bool> {
        let raw = RawAddress::from(*server);
        // SAFETY: a valid address of the given length.
        let result = check(unsafe {
            libc::connect(self.as_raw_fd(), (&raw const raw.storage).cast(), raw.length)
        });
        match result {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Give up the peer, and the port where the kernel has chosen it: what comes for them from now
    /// on is not for this socket. What has come before can still be received.
    pub fn disconnect(&self) -> io::Result<()> {
        let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as _, sa_data: [0; 14] };
        let length = size_of::<libc::sockaddr>() as libc::socklen_t;
        // SAFETY: a valid address of the given length.
        check(unsafe { libc::connect(self.as_raw_fd(), &raw const nobody, length) })?;
        Ok(())
    }

    /// Accept one connection; `None` when nobody waits.
    pub fn accept(&self) -> io::Result<Option<(Self, SocketAddr)>> {
        let mut raw = RawAddress::default();
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: room for any address, with its length; the new descriptor is owned at once.
        let fd = unsafe {
            check(libc::accept4(
                self.as_raw_fd(),
                (&raw mut raw.storage).cast(),
                &raw mut raw.length,
                flags,
            ))
            .map(|fd| OwnedFd::from_raw_fd(fd))
        };
        match fd {
            Ok(fd) => {
                let socket = Self(fd);
                socket.option(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
                Ok(raw.to_socket().map(|address| (socket, address)))
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// The local address.
    pub fn local(&self) -> io::Result<SocketAddr> {
        let mut raw = RawAddress::default();
        // SAFETY: room for any address, with its length.
        check(unsafe {
            libc::getsockname(self.as_raw_fd(), (&raw mut raw.storage).cast(), &raw mut raw.length)
        })?;
        raw.to_socket().ok_or_else(|| io::Error::other("a socket of a family that we do not speak"))
    }

    /// The error that waits on the socket (the result of a handshake), cleared by asking.
    pub fn take_error(&self) -> io::Result<()> {
        let mut code: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: room for one int, with its length.
        check(unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut code).cast(),
                &raw mut length,
            )
        })?;
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    /// Send what the kernel takes now.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        // SAFETY: `data` is valid for its length; no SIGPIPE is raised.
        check_size(unsafe {
            libc::send(self.as_raw_fd(), data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL)
        })
    }

    /// Wait until something can be sent, at most `timeout`; whether it can.
    pub fn wait_writable(&self, timeout: Duration) -> bool {
        let mut wanted = libc::pollfd { fd: self.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        let milliseconds = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one valid pollfd, as the count says.
        unsafe { libc::poll(&raw mut wanted, 1, milliseconds) == 1 }
    }

    /// Receive what waits; 0 on a stream means that the peer has closed its side.
    pub fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        // SAFETY: `room` may be written for its length.
        check_size(unsafe { libc::recv(self.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), 0) })
    }
}

/// Whether an error says "not now".
pub fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
