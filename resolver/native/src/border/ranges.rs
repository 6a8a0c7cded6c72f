//! Ranges of addresses at the border.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::ranges::{Layer, Row, Steps, Table, mmdb};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RangeLayer>()?;
    module.add_class::<RangeTable>()
}

/// Octets of a packed row: two addresses in network order, then the value in the machine's.
const ROW_V4: usize = 4 + 4 + 4;
const ROW_V6: usize = 16 + 16 + 4;

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct RangeLayer {
    pub(super) inner: Arc<Layer>,
}

#[pymethods]
impl RangeLayer {
    #[staticmethod]
    fn from_rows(py: Python<'_>, v4: &[u8], v6: &[u8]) -> PyResult<Self> {
        let whole = v4.chunks_exact(ROW_V4).remainder().is_empty()
            && v6.chunks_exact(ROW_V6).remainder().is_empty();
        if !whole {
            return Err(PyValueError::new_err("not whole rows"));
        }
        let layer = py.detach(|| -> Result<Layer, (u8, usize, usize)> {
            let rows: Vec<Row<u32>> = v4.chunks_exact(ROW_V4).map(row_v4).collect();
            let v4 = Steps::flatten(&rows).map_err(|two| (4, two.earlier, two.later))?;
            let rows: Vec<Row<u128>> = v6.chunks_exact(ROW_V6).map(row_v6).collect();
            let v6 = Steps::flatten(&rows).map_err(|two| (6, two.earlier, two.later))?;
            Ok(Layer { v4, v6 })
        });
        match layer {
            Ok(layer) => Ok(Self { inner: Arc::new(layer) }),
            Err(overlap) => Err(PyValueError::new_err(overlap)),
        }
    }

    #[staticmethod]
    fn from_mmdb(
        py: Python<'_>,
        data: &[u8],
        node_count: u32,
        record_size: u16,
        ip_version: u16,
    ) -> PyResult<Self> {
        py.detach(|| mmdb::walk(data, node_count, record_size, ip_version))
            .map(|layer| Self { inner: Arc::new(layer) })
            .map_err(|damage| PyValueError::new_err(damage.to_string()))
    }

    fn steps(&self) -> (usize, usize) {
        (self.inner.v4.len(), self.inner.v6.len())
    }
}

fn row_v4(row: &[u8]) -> Row<u32> {
    let number = |at: usize| u32::from_be_bytes(row[at..at + 4].try_into().expect("four octets"));
    (number(0), number(4), value(&row[8..]))
}

fn row_v6(row: &[u8]) -> Row<u128> {
    let number =
        |at: usize| u128::from_be_bytes(row[at..at + 16].try_into().expect("sixteen octets"));
    (number(0), number(16), value(&row[32..]))
}

fn value(octets: &[u8]) -> u32 {
    u32::from_ne_bytes(octets.try_into().expect("four octets"))
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct RangeTable {
    inner: Table,
}

#[pymethods]
impl RangeTable {
    #[new]
    fn new(py: Python<'_>, layers: Vec<PyRef<'_, RangeLayer>>) -> Self {
        let layers: Vec<Arc<Layer>> = layers.iter().map(|layer| layer.inner.clone()).collect();
        let inner = py.detach(|| Table::new(&layers.iter().map(Arc::as_ref).collect::<Vec<_>>()));
        Self { inner }
    }

    fn find(&self, address: &[u8]) -> PyResult<u32> {
        self.inner
            .find(address)
            .ok_or_else(|| PyValueError::new_err("an address has 4 or 16 octets"))
    }

    fn values<'py>(&self, py: Python<'py>, combination: u32) -> PyResult<Bound<'py, PyTuple>> {
        match self.inner.values(combination) {
            Some(values) => PyTuple::new(py, values),
            None => Err(PyValueError::new_err("no such combination")),
        }
    }

    fn sizes(&self) -> (usize, usize, usize, usize) {
        self.inner.sizes()
    }
}
