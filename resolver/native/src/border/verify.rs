//! Signatures at the border.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PySequence};

use super::plain_name;
use crate::verify::signed::{Rrsig, canonical};
use crate::verify::{self, Job};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(verify_signatures, module)?)?;
    module.add_function(wrap_pyfunction!(signed_data, module)?)?;
    module.add_function(wrap_pyfunction!(canonical_rdata, module)?)
}

type JobTuple = (u8, PyBackedBytes, PyBackedBytes, PyBackedBytes);

#[pyfunction]
fn verify_signatures<'py>(
    py: Python<'py>,
    jobs: &Bound<'py, PySequence>,
    jobs_max: usize,
    octets_max: usize,
    sha1: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    if jobs.len()? > jobs_max {
        return Err(PyValueError::new_err("too many jobs"));
    }
    let jobs: Vec<JobTuple> = jobs.extract()?;
    let found = py.detach(|| {
        let jobs: Vec<Job<'_>> = jobs
            .iter()
            .map(|(algorithm, key, data, signature)| Job {
                algorithm: *algorithm,
                key,
                data,
                signature,
            })
            .collect();
        verify::batch(&jobs, jobs_max, octets_max, sha1)
    });
    match found {
        Ok(found) => {
            let octets: Vec<u8> = found.into_iter().map(|outcome| outcome as u8).collect();
            Ok(PyBytes::new(py, &octets))
        }
        Err(verify::TooMuch::Jobs) => Err(PyValueError::new_err("too many jobs")),
        Err(verify::TooMuch::Octets) => Err(PyValueError::new_err("too many octets")),
    }
}

#[pyfunction]
fn signed_data<'py>(
    py: Python<'py>,
    owner: &[u8],
    rtype: u16,
    rdatas: Vec<Bound<'py, PyBytes>>,
    rrsig: &[u8],
) -> PyResult<Option<(Bound<'py, PyBytes>, bool)>> {
    let owner = plain_name(owner)?;
    let rdatas = rdatas.iter().map(|rdata| rdata.as_bytes());
    let found = Rrsig::read(rrsig).and_then(|rrsig| rrsig.signed(owner, rtype, rdatas));
    Ok(found.ok().map(|found| (PyBytes::new(py, &found.data), found.expanded)))
}

#[pyfunction]
fn canonical_rdata<'py>(
    py: Python<'py>,
    rtype: u16,
    rdata: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::with_capacity(rdata.len());
    canonical(rtype, rdata, &mut out).map_err(|bad| PyValueError::new_err(bad.to_string()))?;
    Ok(PyBytes::new(py, &out))
}
