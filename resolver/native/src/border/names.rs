//! Tables of names at the border.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::plain_name;
use crate::names::Names;
use crate::wire::name::plain_length;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<NameTable>()
}

/// Stands for "no entry" in a batch of changes.
const GONE: u32 = u32::MAX;

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct NameTable {
    pub(crate) inner: Arc<Names>,
}

/// A batch is names, each followed by a number of four octets in network order.
fn entries(batch: &[u8]) -> PyResult<Vec<(&[u8], u32)>> {
    let mut out = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let torn = || PyValueError::new_err(format!("entry {}: torn", out.len()));
        let length = plain_length(rest).map_err(|_| torn())?;
        let (number, after) = rest[length..].split_first_chunk::<4>().ok_or_else(torn)?;
        out.push((&rest[..length], u32::from_be_bytes(*number)));
        rest = after;
    }
    Ok(out)
}

#[pymethods]
impl NameTable {
    #[new]
    fn new(py: Python<'_>, batch: &[u8]) -> PyResult<Self> {
        let inner = py.detach(|| -> PyResult<Names> {
            Names::new(entries(batch)?.into_iter())
                .map_err(|bad| PyValueError::new_err(bad.to_string()))
        })?;
        Ok(Self { inner: Arc::new(inner) })
    }

    fn changed(&self, py: Python<'_>, batch: &[u8]) -> PyResult<Self> {
        let inner = py.detach(|| -> PyResult<Names> {
            let changes: Vec<_> = entries(batch)?
                .into_iter()
                .map(|(owner, value)| (owner, (value != GONE).then_some(value)))
                .collect();
            self.inner.with(&changes).map_err(|bad| PyValueError::new_err(bad.to_string()))
        })?;
        Ok(Self { inner: Arc::new(inner) })
    }

    fn find(&self, name: &[u8]) -> PyResult<Option<(u32, usize)>> {
        Ok(self.inner.find(plain_name(name)?).map(|found| (found.value, found.below)))
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn sizes(&self) -> (usize, usize, usize) {
        (self.inner.len(), self.inner.overlaid(), self.inner.size())
    }
}
