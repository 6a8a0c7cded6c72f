//! The Python border: classes and functions of `_native.pyi`.

mod caches;
mod counters;
mod names;
mod net;
mod plans;
mod policy_zones;
mod ranges;
mod transfers;
mod verify;
mod wire;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    wire::register(module)?;
    caches::register(module)?;
    counters::register(module)?;
    plans::register(module)?;
    ranges::register(module)?;
    names::register(module)?;
    policy_zones::register(module)?;
    transfers::register(module)?;
    verify::register(module)?;
    net::register(module)
}

/// `resolver.errors.BadMessage`.
pub(crate) fn bad_message(py: Python<'_>, text: impl ToString) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    of_class(py, &CLASS, "BadMessage", text)
}

/// `resolver.errors.StateError`.
pub(crate) fn state_error(py: Python<'_>, text: impl ToString) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    of_class(py, &CLASS, "StateError", text)
}

/// The exception tree is Python's; the class is imported when it is first needed.
fn of_class(
    py: Python<'_>,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
    text: impl ToString,
) -> PyErr {
    match class.import(py, "resolver.errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), (text.to_string(),)),
        Err(error) => error,
    }
}

/// A plain name from Python; anything else is a fault of ours there.
pub(crate) fn plain_name(name: &[u8]) -> PyResult<&[u8]> {
    if crate::wire::name::is_plain(name) {
        Ok(name)
    } else {
        Err(PyValueError::new_err("not an uncompressed wire name"))
    }
}
