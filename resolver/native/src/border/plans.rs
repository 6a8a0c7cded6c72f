//! Plans at the border: what Python decides goes in, what became of it comes out in batches.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::caches::{Answer, AnswerCache, RecordCache};
use super::names::NameTable;
use super::net::{address_from_octets, address_to_octets, miss_to_tuple, seconds};
use super::plain_name;
use super::ranges::RangeLayer;
use super::wire::message_to_tuple;
use crate::exchange::ports;
use crate::plan::concern::Concern;
use crate::plan::proof::ProvenKey;
use crate::plan::report::{Punt, PuntResult, Unlocated};
use crate::plan::{self, Bounds, Plan, Server, Side};
use crate::wire::ask::Options;
use crate::wire::micros;
use crate::wire::name::labels;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Plans>()
}

/// In the place of a failure's number: the wait is over, and that is all.
const SILENT: u8 = 7;

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct Plans {
    pub(crate) inner: Arc<plan::Plans>,
}

type ServerTuple<'py> = (Bound<'py, PyBytes>, u32, f64, u8, f32);

fn server_from_python(server: ServerTuple<'_>) -> PyResult<Server> {
    let (address, slot, wait, edns, score) = server;
    let address = address_from_octets(address.as_bytes())?;
    let edns = Options::from_number(edns);
    Ok(Server { address, slot, wait: seconds("wait", wait)?, edns, score })
}

type ShownTuple<'py> = (u64, f64, Option<Vec<KeyTuple<'py>>>);
type KeyTuple<'py> = (u8, u16, Bound<'py, PyBytes>, f64);

fn key_from_python(key: KeyTuple<'_>) -> ProvenKey {
    let (algorithm, tag, public, until) = key;
    ProvenKey { algorithm, tag, public: Box::from(public.as_bytes()), until: micros(until) }
}

fn punt_to_tuple<'py>(py: Python<'py>, punt: &Punt) -> PyResult<Bound<'py, PyTuple>> {
    let (failure, message) = match &punt.result {
        PuntResult::Reply(message) => (0, Some(message_to_tuple(py, message)?)),
        PuntResult::Failed(failure) => (*failure, None),
        PuntResult::Silent => (SILENT, None),
    };
    let misses = PyList::empty(py);
    for (token, miss) in &punt.tokens {
        misses.append(miss_to_tuple(py, *token, miss)?)?;
    }
    let name = PyBytes::new(py, &punt.name);
    let Punt { plan, server, rtype, rtt, octets, .. } = *punt;
    (plan, server, name, rtype, failure, message, rtt, octets, misses).into_pyobject(py)
}

fn unlocated_to_tuple(py: Python<'_>, found: Unlocated) -> PyResult<Bound<'_, PyTuple>> {
    let Unlocated { lookup, addresses, answers, mut views, clients } = found;
    views.sort_unstable();
    views.dedup();
    let octets = |address: &IpAddr| address_to_octets(py, *address);
    let addresses = PyList::new(py, addresses.iter().map(octets))?;
    let made = PyList::empty(py);
    for (do_bit, cd, life, inner) in answers {
        made.append((do_bit, cd, life, Answer { inner }))?;
    }
    let told = PyList::empty(py);
    for client in &clients {
        told.append((client.transport, octets(&client.address), client.seconds))?;
    }
    let name = PyBytes::new(py, &lookup.name);
    let plan::report::Lookup { plan, server, rtype, rcode, end, rtt, .. } = lookup;
    let end = end as u8;
    (plan, server, name, rtype, rcode, end, rtt, addresses, made, told, views).into_pyobject(py)
}

#[pymethods]
impl Plans {
    #[new]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (
        answers, records, port, flights_max, per_zone, per_client, joiners_max, tries_max,
        backlog_max, sides_max, ttl_max, ttl_negative_max, explore_one_in, farther, linger,
        seconds_bounds, kernel_ports=None
    ))]
    fn new(
        answers: &AnswerCache,
        records: &RecordCache,
        port: u16,
        flights_max: usize,
        per_zone: usize,
        per_client: usize,
        joiners_max: usize,
        tries_max: usize,
        backlog_max: usize,
        sides_max: usize,
        ttl_max: u32,
        ttl_negative_max: u32,
        explore_one_in: u32,
        farther: f64,
        linger: f64,
        seconds_bounds: Vec<f64>,
        kernel_ports: Option<bool>,
    ) -> PyResult<Self> {
        let bounds = Bounds {
            flights_max: flights_max.max(1),
            per_zone: per_zone.max(1),
            per_client: per_client.max(1),
            joiners_max: joiners_max.max(1),
            tries_max,
            backlog_max,
            sides_max: sides_max.max(1),
            ttl_max,
            ttl_negative_max,
            explore_one_in: explore_one_in.max(1),
            farther: farther as f32,
            port,
            linger: seconds("linger", linger)?,
            kernel_ports: kernel_ports.unwrap_or_else(ports::kernel_range_is_wide),
        };
        let (answers, records) = (Arc::clone(&answers.inner), Arc::clone(&records.inner));
        let inner = plan::Plans::new(answers, records, bounds, seconds_bounds)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    fn fileno(&self) -> RawFd {
        self.inner.reports.as_raw_fd()
    }

    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (
        number, view, zone, any_depth, randomise_case, own_set, destination, servers, expires,
        until, tag=0, proven=None
    ))]
    fn publish(
        &self,
        number: u64,
        view: u32,
        zone: &[u8],
        any_depth: bool,
        randomise_case: bool,
        own_set: Vec<Bound<'_, PyBytes>>,
        destination: u8,
        servers: Vec<ServerTuple<'_>>,
        expires: f64,
        until: f64,
        tag: u16,
        proven: Option<Vec<KeyTuple<'_>>>,
    ) -> PyResult<()> {
        if servers.is_empty() || servers.len() > usize::from(u8::MAX) {
            return Err(PyValueError::new_err("a plan has 1 to 255 servers"));
        }
        let servers: PyResult<Vec<Server>> = servers.into_iter().map(server_from_python).collect();
        let plan = Plan {
            id: number,
            view,
            zone: Box::from(plain_name(zone)?),
            any_depth,
            needed: labels(zone) as u8 + 1, // a name has at most 127
            randomise_case,
            own_set: own_set.iter().map(|name| Box::from(name.as_bytes())).collect(),
            destination,
            tag,
            proven: proven.map(|keys| keys.into_iter().map(key_from_python).collect()),
            generation: 0, // as it is put in force
            servers: servers?.into_boxed_slice(),
            expires: micros(expires),
        };
        self.inner.publish(plan, until);
        Ok(())
    }

    fn bar(&self, view: u32, zone: &[u8], expires: f64) -> PyResult<()> {
        self.inner.bar(view, plain_name(zone)?, expires);
        Ok(())
    }

    fn forget(&self, zone: &[u8], subtree: bool) -> PyResult<()> {
        self.inner.forget(plain_name(zone)?, subtree);
        Ok(())
    }

    fn leave(&self, name: &[u8], rtype: u16, until: f64, now: f64) -> PyResult<()> {
        self.inner.leave(plain_name(name)?, rtype, until, now);
        Ok(())
    }

    fn forgive(&self) {
        self.inner.forgive();
    }

    fn locate(&self, sides: Vec<(Bound<'_, PyBytes>, u8)>) -> PyResult<()> {
        let side = |(address, side): (Bound<'_, PyBytes>, u8)| {
            let side = match side {
                0 => Side::Domestic,
                1 => Side::Foreign,
                _ => Side::Nowhere,
            };
            Ok((address_from_octets(address.as_bytes())?, side))
        };
        self.inner.locate(sides.into_iter().map(side).collect::<PyResult<Vec<_>>>()?);
        Ok(())
    }

    fn set_policy(
        &self,
        generation: u64,
        tables: Vec<Py<NameTable>>,
        views: Vec<u32>,
        ranges: Vec<Py<RangeLayer>>,
    ) {
        let tables = tables.iter().map(|table| Arc::clone(&table.get().inner)).collect();
        let ranges = ranges.iter().map(|layer| Arc::clone(&layer.get().inner)).collect();
        self.inner.set_policy(generation, Concern::new(tables, views, ranges));
    }

    fn stop(&self) {
        self.inner.stop();
    }

    fn under_way(&self) -> usize {
        self.inner.under_way.load(Ordering::Relaxed)
    }

    fn count(&self) -> (usize, usize) {
        self.inner.count()
    }

    fn shown<'py>(
        &self,
        py: Python<'py>,
        view: u32,
        zone: &[u8],
    ) -> PyResult<Option<ShownTuple<'py>>> {
        let seconds = |micros: i64| micros as f64 / 1e6;
        Ok(self.inner.shown(view, plain_name(zone)?).map(|plan| {
            let key = |key: &ProvenKey| {
                let public = PyBytes::new(py, &key.public);
                (key.algorithm, key.tag, public, seconds(key.until))
            };
            let proven = plan.proven.as_ref().map(|keys| keys.iter().map(key).collect());
            (plan.id, seconds(plan.expires), proven)
        }))
    }

    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let news = self.inner.reports.take();
        let sums = PyList::empty(py);
        for (class, sum) in news.sums {
            let plan::report::Class { plan, server, transport, destination } = class;
            let key = (plan, server, transport, destination);
            sums.append((key, sum.count, sum.buckets, sum.seconds))?;
        }
        let rtts = PyList::empty(py);
        for ((plan, server), list) in news.rtts {
            for trips in list {
                rtts.append((plan, server, trips.rtts, PyBytes::new(py, &trips.identity)))?;
            }
        }
        let records = PyBytes::new(py, &news.records);
        let unlocated = PyList::empty(py);
        for found in news.unlocated {
            unlocated.append(unlocated_to_tuple(py, found)?)?;
        }
        let punts = PyList::empty(py);
        for punt in &news.punts {
            punts.append(punt_to_tuple(py, punt)?)?;
        }
        (sums, rtts, records, news.records_count, unlocated, punts).into_pyobject(py)
    }
}
