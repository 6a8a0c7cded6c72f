//! Socket addresses between Rust and the kernel's form.

use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// A socket address as the kernel wants it.
#[derive(Clone, Copy)]
pub struct RawAddress {
    pub storage: libc::sockaddr_storage,
    pub length: libc::socklen_t,
}

impl Default for RawAddress {
    fn default() -> Self {
        // SAFETY: sockaddr_storage is plain data; all zeros is AF_UNSPEC.
        let storage = unsafe { zeroed() };
        Self { storage, length: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut raw = Self::default();
        raw.set(address);
        raw
    }
}

impl RawAddress {
    /// Write an address over the one that is here.
    pub fn set(&mut self, address: SocketAddr) {
        let raw = self;
        match address {
            SocketAddr::V4(v4) => {
                let form = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: sockaddr_storage is large enough and aligned for every address form.
                unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_in>().write(form) };
                raw.length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(v6) => {
                let form = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: sockaddr_storage is large enough and aligned for every address form.
                unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_in6>().write(form) };
                raw.length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
    }

    /// The address, if it is of a family that we speak.
    pub fn to_socket(&self) -> Option<SocketAddr> {
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that the storage holds a sockaddr_in.
                let form = unsafe { (&raw const self.storage).cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(form.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(form.sin_port)))
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that the storage holds a sockaddr_in6.
                let form = unsafe { (&raw const self.storage).cast::<libc::sockaddr_in6>().read() };
                Some(SocketAddr::V6(SocketAddrV6::new(
                    Ipv6Addr::from(form.sin6_addr.s6_addr),
                    u16::from_be(form.sin6_port),
                    form.sin6_flowinfo,
                    form.sin6_scope_id,
                )))
            }
            _ => None,
        }
    }
}
