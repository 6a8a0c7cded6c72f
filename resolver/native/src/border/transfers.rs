//! Zone transfers at the border.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::plain_name;
use crate::zone_file::transfer::{Fault, Transfer};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TransferReader>()
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct TransferReader {
    inner: Mutex<Transfer>,
}

/// `ValueError(kind, what is wrong)`.
fn fault(fault: Fault) -> PyErr {
    let (kind, text) = match fault {
        Fault::Torn(text) => ("torn", text.to_owned()),
        Fault::Size => ("size", "more records than are taken".to_owned()),
        Fault::Unsound(text) => ("unsound", text),
    };
    PyValueError::new_err((kind, text))
}

type Signature<'py> = Option<(usize, Bound<'py, PyBytes>, usize, usize)>;

#[pymethods]
impl TransferReader {
    #[new]
    fn new(apex: &[u8], records_max: usize) -> PyResult<Self> {
        Ok(Self { inner: Mutex::new(Transfer::new(plain_name(apex)?, records_max)) })
    }

    fn take<'py>(&self, py: Python<'py>, message: &[u8]) -> PyResult<(u8, bool, Signature<'py>)> {
        let taken = py
            .detach(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner).take(message))
            .map_err(fault)?;
        let signature = taken
            .signature
            .map(|(start, owner, (begin, end))| (start, PyBytes::new(py, &owner), begin, end));
        Ok((taken.rcode, taken.done, signature))
    }

    fn finish<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(usize, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let (data, offsets, records) = py
            .detach(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner).finish())
            .map_err(fault)?;
        Ok((records, PyBytes::new(py, &data), PyBytes::new(py, &offsets)))
    }
}
