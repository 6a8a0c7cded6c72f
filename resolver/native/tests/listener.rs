//! The listener against sockets on loopback, without Python: whatever the address, a miss is
//! answered by token, a hit at once, and both from the address that was asked.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inland_native::cache::answers::{AnswerCache, Key};
use inland_native::clock::Clock;
use inland_native::counters::Counters;
use inland_native::listen::{Listener, Miss, Networks, Settings};
use inland_native::wire::compose::Answer;

const NAME: &[u8] = b"\x03www\x07example\x02in\0";
const WAIT: Duration = Duration::from_secs(10);

struct Rig {
    listener: Listener,
    answers: Arc<AnswerCache>,
    clock: Arc<Clock>,
}

fn rig(addresses: &[SocketAddr]) -> Rig {
    let clock = Arc::new(Clock::new(None));
    let answers = Arc::new(AnswerCache::new(1 << 16));
    let counters = Counters::new(None, 4).unwrap();
    let networks = Networks::parse(&["127.0.0.0/8", "::1"]).unwrap();
    let settings = Settings {
        workers: 2,
        misses_max: 100,
        udp_payload_max: 1232,
        tcp_connections_max: 10,
        tcp_per_client_max: 10,
        tcp_idle: WAIT,
    };
    let (clock_of, answers_of) = (Arc::clone(&clock), Arc::clone(&answers));
    let listener =
        Listener::open(clock_of, answers_of, &counters, addresses, networks, settings, None)
            .unwrap();
    Rig { listener, answers, clock }
}

impl Rig {
    fn answer(&self) -> Arc<Answer> {
        let now = self.clock.now();
        Arc::new(Answer::compose(NAME, 1, 1, 0, [&[], &[], &[]], &[], now))
    }

    fn store(&self) {
        let key = Key { view: 0, name: NAME, rtype: 1, do_bit: false, cd: false };
        self.answers.put(&key, 0, &self.answer(), 100.0, 3, self.clock.now());
    }

    fn misses(&self, count: usize) -> Vec<(u64, Miss)> {
        let start = Instant::now();
        let mut found = Vec::new();
        while found.len() < count {
            found.extend(self.listener.take(count));
            assert!(start.elapsed() < WAIT, "{} of {count}", found.len());
            std::thread::yield_now();
        }
        found
    }
}

fn query(id: u16) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend(NAME);
    query.extend([0, 1, 0, 1]);
    query
}

fn client(server: SocketAddr) -> UdpSocket {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket
}

fn id_of_reply(socket: &UdpSocket) -> u16 {
    let mut room = [0; 1232];
    let length = socket.recv(&mut room).unwrap();
    assert!(length >= 12 && room[2] & 0x80 != 0);
    u16::from_be_bytes([room[0], room[1]])
}

#[test]
fn datagrams_are_answered_from_the_address_that_was_asked() {
    let wildcards: [SocketAddr; 2] =
        [(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::UNSPECIFIED, 0).into()];
    let rig = rig(&wildcards);
    let ports: Vec<u16> = rig.listener.addresses().iter().map(SocketAddr::port).collect();
    let targets: [SocketAddr; 3] = [
        (Ipv4Addr::LOCALHOST, ports[0]).into(),
        (Ipv4Addr::new(127, 9, 9, 9), ports[0]).into(),
        (Ipv6Addr::LOCALHOST, ports[1]).into(),
    ];
    let clients: Vec<UdpSocket> = targets.into_iter().map(client).collect();
    for (id, client) in clients.iter().enumerate() {
        client.send(&query(id as u16)).unwrap();
    }
    let answer = rig.answer();
    let replies = rig.misses(3).into_iter().map(|(token, _)| (token, Arc::clone(&answer)));
    rig.listener.reply(replies.collect());
    for (id, client) in clients.iter().enumerate() {
        assert_eq!(usize::from(id_of_reply(client)), id);
    }
    rig.store();
    for client in &clients {
        client.send(&query(77)).unwrap();
        assert_eq!(id_of_reply(client), 77);
    }
}

#[test]
fn streams_are_answered_and_closed_with_the_listener() {
    let rig = rig(&[(Ipv4Addr::LOCALHOST, 0).into()]);
    let mut stream = TcpStream::connect(rig.listener.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let query = query(5);
    stream.write_all(&(query.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(&query).unwrap();
    let (token, _) = rig.misses(1).remove(0);
    rig.listener.reply(vec![(token, rig.answer())]);
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[2..], [0, 5]);
    rig.listener.close();
    assert!(stream.read_to_end(&mut Vec::new()).is_ok());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let first = rig(&[(Ipv4Addr::LOCALHOST, 0).into()]);
    let address = first.listener.addresses()[0];
    let second = Listener::open(
        Arc::clone(&first.clock),
        Arc::clone(&first.answers),
        &Counters::new(None, 4).unwrap(),
        &[address],
        Networks::default(),
        Settings {
            workers: 1,
            misses_max: 1,
            udp_payload_max: 512,
            tcp_connections_max: 1,
            tcp_per_client_max: 1,
            tcp_idle: WAIT,
        },
        None,
    );
    let failed = second.err().unwrap();
    assert_eq!(failed.address, Some(address));
    assert_eq!(failed.error.kind(), std::io::ErrorKind::AddrInUse);
}
