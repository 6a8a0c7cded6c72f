//! The door and the listener at the border.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::caches::{Answer, AnswerCache};
use super::counters::{Clock, Counters};
use super::plain_name;
use super::plans::Plans;
use super::wire::message_to_tuple;
use crate::exchange::{self, Ask, Got, Outcome, ports};
use crate::listen::{self, BindError, Miss, Networks, Origin, Views};
use crate::wire::ask::Options;
use crate::wire::{HEADER, MESSAGE_MAX};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Listener>()?;
    module.add_class::<Door>()
}

/// Threads of one class: more than any machine has use for, and a bound for a slip in a file.
const WORKERS_MAX: usize = 1024;

fn check_workers(workers: usize) -> PyResult<usize> {
    if (1..=WORKERS_MAX).contains(&workers) {
        Ok(workers)
    } else {
        Err(PyValueError::new_err(format!("workers: {workers} is not within 1 to {WORKERS_MAX}")))
    }
}

/// The longest time that may be asked for. Deadlines are sums with the present, which must not
/// overflow.
const SECONDS_MAX: f64 = 86_400.0;

pub(super) fn seconds(what: &str, value: f64) -> PyResult<Duration> {
    if (0.0..=SECONDS_MAX).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(PyValueError::new_err(format!("{what}: {value} is not within 0 to {SECONDS_MAX} s")))
    }
}

#[pyclass(frozen, module = "resolver._native")]
struct Door {
    inner: exchange::Door,
}

type AskTuple<'py> = (u64, Bound<'py, PyAny>, Bound<'py, PyAny>, u16, u32, f64, bool, u8, bool, u8);

fn ask_from_python(ask: AskTuple<'_>) -> PyResult<Ask> {
    let (ticket, address, name, rtype, slot, timeout, tcp, edns, randomise_case, needed) = ask;
    Ok(Ask {
        ticket,
        address: address_from_octets(address.extract()?)?,
        name: plain_name(name.extract()?)?.into(),
        rtype,
        slot,
        timeout: seconds("timeout", timeout)?,
        tcp,
        edns: Options::from_number(edns),
        randomise_case,
        needed,
        raw: None,
    })
}

type RawAskTuple<'py> = (u64, Bound<'py, PyAny>, Bound<'py, PyAny>, u32, f64, bool);

fn raw_ask_from_python(ask: RawAskTuple<'_>) -> PyResult<Ask> {
    let (ticket, address, query, slot, timeout, tcp) = ask;
    let query: &[u8] = query.extract()?;
    if !(HEADER..=MESSAGE_MAX).contains(&query.len()) {
        return Err(PyValueError::new_err("a query has a header and at most 65,535 octets"));
    }
    Ok(Ask {
        ticket,
        address: address_from_octets(address.extract()?)?,
        name: Box::default(),
        rtype: 0,
        slot,
        timeout: seconds("timeout", timeout)?,
        tcp,
        edns: Options::Plain,
        randomise_case: false,
        needed: u8::MAX, // the apex of a zone is all that transfers ask of
        raw: Some(query.into()),
    })
}

pub(super) fn address_from_octets(octets: &[u8]) -> PyResult<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        Ok(IpAddr::from(v4))
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        Ok(IpAddr::from(v6))
    } else {
        Err(PyValueError::new_err("an address has 4 or 16 octets"))
    }
}

pub(super) fn address_to_octets(py: Python<'_>, address: IpAddr) -> Bound<'_, PyBytes> {
    match address {
        IpAddr::V4(v4) => PyBytes::new(py, &v4.octets()),
        IpAddr::V6(v6) => PyBytes::new(py, &v6.octets()),
    }
}

fn outcome_to_tuple<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyTuple>> {
    let (failure, message) = match &outcome.result {
        Ok(Got::Message(message)) => (0, Some(message_to_tuple(py, message)?)),
        Ok(Got::Octets { .. }) => (0, None),
        Err(failure) => (*failure as u8, None),
    };
    (outcome.ticket, failure, message, outcome.rtt.as_secs_f64(), outcome.octets).into_pyobject(py)
}

fn raw_outcome_to_tuple<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyTuple>> {
    let (failure, octets, more) = match &outcome.result {
        Ok(Got::Octets { octets, more }) => (0, Some(PyBytes::new(py, octets)), *more),
        Ok(Got::Message(_)) => (0, None, false),
        Err(failure) => (*failure as u8, None, false),
    };
    (outcome.ticket, failure, octets, more, outcome.rtt.as_secs_f64()).into_pyobject(py)
}

#[pymethods]
impl Door {
    #[new]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (
        clock, counters, port, workers, in_flight_max, linger, tcp_idle, kernel_ports=None
    ))]
    fn new(
        clock: &Clock,
        counters: &Counters,
        port: u16,
        workers: usize,
        in_flight_max: usize,
        linger: f64,
        tcp_idle: f64,
        kernel_ports: Option<bool>,
    ) -> PyResult<Self> {
        // Time-outs and round trips are real time: a test that moves the clock must not end
        // exchanges that are under way.
        let _ = clock;
        let settings = exchange::Settings {
            port,
            workers: check_workers(workers)?,
            in_flight_max,
            linger: seconds("linger", linger)?,
            tcp_idle: seconds("tcp_idle", tcp_idle)?,
            kernel_ports: kernel_ports.unwrap_or_else(ports::kernel_range_is_wide),
        };
        Ok(Self { inner: exchange::Door::open(&counters.inner, settings)? })
    }

    fn fileno(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    fn submit(&self, asks: &Bound<'_, PyAny>) -> PyResult<()> {
        let asks = asks
            .try_iter()?
            .map(|ask| ask_from_python(ask?.extract()?))
            .collect::<PyResult<Vec<Ask>>>()?;
        self.inner.submit(asks);
        Ok(())
    }

    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for outcome in self.inner.take(most) {
            list.append(outcome_to_tuple(py, &outcome)?)?;
        }
        Ok(list)
    }

    fn submit_raw(&self, asks: &Bound<'_, PyAny>) -> PyResult<()> {
        let asks = asks
            .try_iter()?
            .map(|ask| raw_ask_from_python(ask?.extract()?))
            .collect::<PyResult<Vec<Ask>>>()?;
        self.inner.submit(asks);
        Ok(())
    }

    fn take_raw<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for outcome in self.inner.take(most) {
            list.append(raw_outcome_to_tuple(py, &outcome)?)?;
        }
        Ok(list)
    }

    fn proceed(&self, ticket: u64) {
        self.inner.proceed(ticket);
    }

    fn abandon(&self, ticket: u64) {
        self.inner.abandon(ticket);
    }

    fn kernel_ports(&self) -> bool {
        self.inner.kernel_ports()
    }

    fn in_flight(&self) -> usize {
        self.inner.in_flight()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }
}

#[pyclass(frozen, module = "resolver._native")]
struct Listener {
    inner: listen::Listener,
}

fn networks(allow: &[String]) -> PyResult<Networks> {
    Networks::parse(allow).map_err(PyValueError::new_err)
}

fn socket_address((host, port): (String, u16)) -> PyResult<SocketAddr> {
    let address: IpAddr =
        host.parse().map_err(|_| PyValueError::new_err(format!("{host:?} is not an address")))?;
    Ok(SocketAddr::new(address, port))
}

fn bind_error(failed: &BindError) -> PyErr {
    let place = failed.address.map_or_else(|| "listener".to_owned(), |address| address.to_string());
    // With a number and a place Python makes the fitting subclass, and says both.
    match failed.error.raw_os_error() {
        Some(code) => {
            let text = std::io::Error::from_raw_os_error(code).to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((code, text, place))
        }
        None => PyOSError::new_err(format!("{place}: {}", failed.error)),
    }
}

pub(super) fn miss_to_tuple<'py>(
    py: Python<'py>,
    token: u64,
    miss: &Miss,
) -> PyResult<Bound<'py, PyTuple>> {
    let (name, rest) = miss.question.split_at(miss.question.len() - 4);
    let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let transport = match miss.origin {
        Origin::Udp { .. } => 0,
        Origin::Tcp { .. } => 1,
    };
    let address = address_to_octets(py, miss.origin.client().ip());
    (
        token,
        PyBytes::new(py, &name.to_ascii_lowercase()),
        number(0),
        number(2),
        miss.client.rd(),
        miss.client.do_bit(),
        miss.client.cd(),
        transport,
        address,
        miss.view,
        miss.generation,
    )
        .into_pyobject(py)
}

#[pymethods]
impl Listener {
    #[new]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (
        clock, answers, counters, addresses, allow, workers, misses_max, udp_payload_max,
        tcp_connections_max, tcp_per_client_max, tcp_idle, plans=None
    ))]
    fn new(
        py: Python<'_>,
        clock: &Clock,
        answers: &AnswerCache,
        counters: &Counters,
        addresses: Vec<(String, u16)>,
        allow: Vec<String>,
        workers: usize,
        misses_max: usize,
        udp_payload_max: usize,
        tcp_connections_max: usize,
        tcp_per_client_max: usize,
        tcp_idle: f64,
        plans: Option<&Plans>,
    ) -> PyResult<Self> {
        let settings = listen::Settings {
            workers: check_workers(workers)?,
            misses_max,
            udp_payload_max,
            tcp_connections_max,
            tcp_per_client_max,
            tcp_idle: seconds("tcp_idle", tcp_idle)?,
        };
        let addresses =
            addresses.into_iter().map(socket_address).collect::<PyResult<Vec<SocketAddr>>>()?;
        let allow = networks(&allow)?;
        let (clock, answers) = (Arc::clone(&clock.inner), Arc::clone(&answers.inner));
        let counters = &counters.inner;
        let plans = plans.map(|plans| Arc::clone(&plans.inner));
        py.detach(|| {
            let (addresses, answers) = (&addresses, answers);
            listen::Listener::open(clock, answers, counters, addresses, allow, settings, plans)
        })
        .map(|inner| Self { inner })
        .map_err(|failed| bind_error(&failed))
    }

    fn fileno(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    fn addresses(&self) -> Vec<(String, u16)> {
        let text = |address: &SocketAddr| (address.ip().to_string(), address.port());
        self.inner.addresses().iter().map(text).collect()
    }

    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (token, miss) in self.inner.take(most) {
            list.append(miss_to_tuple(py, token, &miss)?)?;
        }
        Ok(list)
    }

    fn reply(&self, py: Python<'_>, replies: Vec<(u64, Py<Answer>)>) {
        let answers = replies
            .into_iter()
            .map(|(token, answer)| (token, Arc::clone(&answer.get().inner)))
            .collect();
        py.detach(|| self.inner.reply(answers));
    }

    fn notices_fileno(&self) -> RawFd {
        self.inner.notices()
    }

    fn set_notifiers(&self, addresses: Vec<String>) -> PyResult<()> {
        self.inner.set_notifiers(networks(&addresses)?);
        Ok(())
    }

    fn take_notices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (token, notice) in self.inner.take_notices() {
            let address = address_to_octets(py, notice.origin.client().ip());
            list.append((token, address, PyBytes::new(py, &notice.question)))?;
        }
        Ok(list)
    }

    fn reply_notices(&self, py: Python<'_>, replies: Vec<(u64, Vec<u8>)>) {
        py.detach(|| self.inner.reply_notices(replies));
    }

    fn silence(&self, tokens: Vec<u64>) {
        self.inner.silence(tokens);
    }

    fn view(&self, address: &[u8]) -> PyResult<u32> {
        Ok(self.inner.view(address_from_octets(address)?))
    }

    fn set_views(&self, rows: Vec<(String, u32)>, generation: u64) -> PyResult<()> {
        self.inner.set_views(Views::parse(&rows).map_err(PyValueError::new_err)?, generation);
        Ok(())
    }

    fn set_access(&self, allow: Vec<String>) -> PyResult<()> {
        self.inner.set_access(networks(&allow)?);
        Ok(())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }
}
