//! The clock and the counters at the border.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::state_error;
use crate::clock;
use crate::counters::{self, HIT_SECONDS_BOUNDS, SCALAR_NAMES, SlotSums};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let bounds = PyTuple::new(module.py(), HIT_SECONDS_BOUNDS)?;
    module.add("HIT_SECONDS_BOUNDS", bounds)?;
    module.add_class::<Clock>()?;
    module.add_class::<Counters>()?;
    module.add_function(wrap_pyfunction!(read_counters, module)?)
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct Clock {
    pub(crate) inner: Arc<clock::Clock>,
}

#[pymethods]
impl Clock {
    #[new]
    #[pyo3(signature = (offset_file=None))]
    fn new(offset_file: Option<PathBuf>) -> Self {
        Self { inner: Arc::new(clock::Clock::new(offset_file)) }
    }

    fn now(&self) -> f64 {
        self.inner.now()
    }

    fn wall(&self) -> f64 {
        self.inner.wall()
    }
}

type SlotTuple = (String, u64, u64, u64, u64, u64, u64, u64, u64);

fn slot_tuples(slots: Vec<SlotSums>) -> Vec<SlotTuple> {
    slots
        .into_iter()
        .map(|(label, sums)| {
            let [intended, sent, replies, octets_sent, octets_received, streams, labels, beyond] =
                sums;
            (label, intended, sent, replies, octets_sent, octets_received, streams, labels, beyond)
        })
        .collect()
}

fn scalar_names(sums: Vec<u64>) -> HashMap<&'static str, u64> {
    SCALAR_NAMES.iter().copied().zip(sums).collect()
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct Counters {
    pub(crate) inner: Arc<counters::Counters>,
}

#[pymethods]
impl Counters {
    #[new]
    fn new(py: Python<'_>, path: Option<PathBuf>, areas: usize) -> PyResult<Self> {
        let inner = counters::Counters::new(path.as_deref(), areas).map_err(|error| {
            let path = path.unwrap_or_default();
            state_error(py, format!("counters {}: {error}", path.display()))
        })?;
        Ok(Self { inner: Arc::new(inner) })
    }

    fn slot(&self, label: &str) -> u32 {
        self.inner.slot(label)
    }

    fn slots(&self, py: Python<'_>) -> Vec<SlotTuple> {
        py.detach(|| slot_tuples(self.inner.slots()))
    }

    fn scalars(&self) -> HashMap<&'static str, u64> {
        scalar_names(self.inner.scalars())
    }

    fn hits(&self) -> Vec<(usize, usize, u64)> {
        let rows = self.inner.hits().into_iter().enumerate();
        rows.flat_map(|(transport, row)| {
            row.into_iter().enumerate().map(move |(destination, n)| (transport, destination, n))
        })
        .collect()
    }

    fn tags(&self) -> Vec<(u16, u64)> {
        self.inner.tags()
    }

    fn hit_seconds(&self) -> (Vec<u64>, f64) {
        self.inner.hit_seconds()
    }
}

#[pyfunction]
#[allow(clippy::type_complexity)]
fn read_counters(
    py: Python<'_>,
    path: PathBuf,
) -> PyResult<(Vec<SlotTuple>, HashMap<&'static str, u64>)> {
    let (slots, scalars) = py
        .detach(|| counters::read_file(&path))
        .map_err(|error| state_error(py, format!("counters {}: {error}", path.display())))?;
    Ok((slot_tuples(slots), scalar_names(scalars)))
}
