//! The door and the listener at the border.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::counters::{Clock, Counters};
use super::plain_name;
use super::wire::message_to_tuple;
use crate::exchange::{self, Ask, Outcome, Settings};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
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

fn seconds(what: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{what}: {value} is not a time in seconds")))
}

#[pyclass(frozen, module = "resolver._native")]
struct Door {
    inner: exchange::Door,
}

type AskTuple<'py> = (u64, Bound<'py, PyAny>, Bound<'py, PyAny>, u16, u32, f64, bool, bool, bool);

fn ask_from_python(ask: AskTuple<'_>) -> PyResult<Ask> {
    let (ticket, address, name, rtype, slot, timeout, tcp, edns, randomise_case) = ask;
    Ok(Ask {
        ticket,
        address: address_from_octets(address.extract()?)?,
        name: plain_name(name.extract()?)?.into(),
        rtype,
        slot,
        timeout: seconds("timeout", timeout)?,
        tcp,
        edns,
        randomise_case,
    })
}

fn address_from_octets(octets: &[u8]) -> PyResult<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        Ok(IpAddr::from(v4))
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        Ok(IpAddr::from(v6))
    } else {
        Err(PyValueError::new_err("an address has 4 or 16 octets"))
    }
}

fn outcome_to_tuple<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyTuple>> {
    let (failure, message) = match &outcome.result {
        Ok(message) => (0, Some(message_to_tuple(py, message)?)),
        Err(failure) => (*failure as u8, None),
    };
    (outcome.ticket, failure, message, outcome.rtt.as_secs_f64(), outcome.octets).into_pyobject(py)
}

#[pymethods]
impl Door {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        clock: &Clock,
        counters: &Counters,
        port: u16,
        workers: usize,
        in_flight_max: usize,
        linger: f64,
        tcp_idle: f64,
    ) -> PyResult<Self> {
        // Time-outs and round trips are real time: a test that moves the clock must not end
        // exchanges that are under way.
        let _ = clock;
        let settings = Settings {
            port,
            workers: check_workers(workers)?,
            in_flight_max,
            linger: seconds("linger", linger)?,
            tcp_idle: seconds("tcp_idle", tcp_idle)?,
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

    fn in_flight(&self) -> usize {
        self.inner.in_flight()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }
}
