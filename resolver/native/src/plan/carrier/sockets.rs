//! Sockets of planned exchanges: fresh ones, and such as have rested (see [`ports`]).

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::Carrier;
use crate::counters::Area;
use crate::exchange::ports;
use crate::plan::flight::Flight;
use crate::sys::socket::Socket;

/// A socket that is ready to send, and whether epoll knows it.
pub struct Opened {
    pub socket: Socket,
    pub watched: bool,
}

impl Carrier {
    /// A socket that is connected to `server` from a port of its own.
    pub(super) fn open(&mut self, server: &SocketAddr, books: &Area) -> io::Result<Opened> {
        if self.plans.bounds.kernel_ports
            && let Some(socket) = self.rested(server, books)
        {
            socket.connect(server)?;
            return Ok(Opened { socket, watched: true });
        }
        let socket = match Socket::upstream_udp(server) {
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
                    && self.close_lingering() =>
            {
                Socket::upstream_udp(server)?
            }
            result => result?,
        };
        if !self.plans.bounds.kernel_ports {
            ports::bind_random(&socket, server, &mut self.random)?;
        }
        socket.connect(server)?;
        Ok(Opened { socket, watched: false })
    }

    /// The socket that has rested longest after a reply, if it may serve an exchange with `server`.
    fn rested(&mut self, server: &SocketAddr, books: &Area) -> Option<Socket> {
        let (until, key) = *self.replied.front()?;
        let linger = self.plans.bounds.linger;
        if until > Instant::now() + linger.saturating_sub(ports::REST)
            || self.flights.get(key)?.is_v4 != server.is_ipv4()
        {
            return None;
        }
        self.replied.pop_front();
        let Flight { socket, slot, .. } = self.flights.remove(key)?;
        ports::free(&socket, slot, &mut self.scratch, books).then_some(socket)
    }
}
