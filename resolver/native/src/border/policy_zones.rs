//! Response policy zones, and the reader of zone files, at the border.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::names::NameTable;
use super::plain_name;
use crate::policy_zone::{PolicyZone as Zone, Record};
use crate::zone_file;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PolicyZone>()?;
    module.add_function(wrap_pyfunction!(read_zone_file, module)?)
}

type RecordTuple<'py> = (u16, u32, Vec<Bound<'py, PyBytes>>);
type SpecialTuple<'py> = (Bound<'py, PyBytes>, Vec<RecordTuple<'py>>);

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct PolicyZone {
    inner: Arc<Zone>,
    names: Py<NameTable>,
}

impl PolicyZone {
    fn of(py: Python<'_>, zone: Zone) -> PyResult<Self> {
        let names = Py::new(py, NameTable { inner: zone.names.clone() })?;
        Ok(Self { inner: Arc::new(zone), names })
    }
}

fn records<'py>(py: Python<'py>, sets: Vec<Record<'_>>) -> Vec<RecordTuple<'py>> {
    sets.into_iter()
        .map(|(rtype, ttl, rdatas)| {
            (rtype, ttl, rdatas.into_iter().map(|rdata| PyBytes::new(py, rdata)).collect())
        })
        .collect()
}

#[pymethods]
impl PolicyZone {
    #[new]
    fn new(py: Python<'_>, apex: &[u8], data: &[u8]) -> PyResult<Self> {
        let apex = plain_name(apex)?;
        let zone = py
            .detach(|| Zone::new(apex, data))
            .map_err(|bad| PyValueError::new_err(bad.to_string()))?;
        Self::of(py, zone)
    }

    fn changed(&self, py: Python<'_>, before: &[u8], data: &[u8]) -> PyResult<Self> {
        let zone = py
            .detach(|| self.inner.changed(before, data))
            .map_err(|bad| PyValueError::new_err(bad.to_string()))?;
        Self::of(py, zone)
    }

    #[getter]
    fn names(&self, py: Python<'_>) -> Py<NameTable> {
        self.names.clone_ref(py)
    }

    fn action<'py>(&self, py: Python<'py>, value: u32) -> PyResult<Vec<RecordTuple<'py>>> {
        match self.inner.action(value) {
            Some(sets) => Ok(records(py, sets)),
            None => Err(PyValueError::new_err("no such action")),
        }
    }

    fn actions(&self) -> usize {
        self.inner.actions()
    }

    fn specials<'py>(&self, py: Python<'py>) -> Vec<SpecialTuple<'py>> {
        self.inner
            .specials()
            .map(|(owner, sets)| (PyBytes::new(py, owner), records(py, sets)))
            .collect()
    }

    /// Names without usable records, octets held.
    fn sizes(&self) -> (usize, usize) {
        (self.inner.unusable(), self.inner.size())
    }
}

type ReadTuple<'py> =
    (usize, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Vec<(Bound<'py, PyBytes>, u32)>);

#[pyfunction]
fn read_zone_file<'py>(
    py: Python<'py>,
    apex: &[u8],
    text: &[u8],
    records_max: usize,
) -> PyResult<ReadTuple<'py>> {
    let apex = plain_name(apex)?;
    match py.detach(|| zone_file::read(apex, text, records_max)) {
        Ok(zone) => Ok((
            zone.records,
            PyBytes::new(py, &zone.data),
            PyBytes::new(py, &zone.offsets),
            zone.specials.iter().map(|(owner, line)| (PyBytes::new(py, owner), *line)).collect(),
        )),
        Err(wrong) => {
            let wrong: Vec<_> = wrong.into_iter().map(|one| (one.line, one.text)).collect();
            Err(PyValueError::new_err((wrong,)))
        }
    }
}
