//! Messages at the border: the one funnel between tuples of the contract and our types.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::{bad_message, plain_name};
use crate::wire::ask::{self, CASE_OCTETS, Options, QUERY_MAX};
use crate::wire::message::{self, Edns, Message, RRset};
use crate::wire::{HEADER, MESSAGE_MAX};

/// Octets of a message that is long to read, so that other Python threads may go on meanwhile.
const LONG: usize = 4096;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parse_message, module)?)?;
    module.add_function(wrap_pyfunction!(build_query, module)?)
}

#[pyfunction]
fn parse_message<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
    let parsed =
        if data.len() > LONG { py.detach(|| message::parse(data)) } else { message::parse(data) };
    let message = parsed.map_err(|error| bad_message(py, error))?;
    message_to_tuple(py, &message)
}

#[pyfunction]
fn build_query<'py>(
    py: Python<'py>,
    name: &[u8],
    rtype: u16,
    message_id: u16,
    edns: u8,
    randomise_case: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut case = [0; CASE_OCTETS];
    if randomise_case {
        getrandom::fill(&mut case)
            .map_err(|error| pyo3::exceptions::PyOSError::new_err(error.to_string()))?;
    }
    let mut out = [0; QUERY_MAX];
    let case = randomise_case.then_some(&case);
    let edns = Options::from_number(edns);
    let length = ask::build_query(plain_name(name)?, rtype, message_id, edns, case, &mut out);
    Ok(PyBytes::new(py, &out[..length]))
}

/// `MessageTuple` of a message.
pub(crate) fn message_to_tuple<'py>(
    py: Python<'py>,
    message: &Message,
) -> PyResult<Bound<'py, PyTuple>> {
    let question = message
        .question
        .as_ref()
        .map(|question| (PyBytes::new(py, &question.name), question.qtype));
    let fields = (
        message.rcode,
        message.authoritative(),
        message.truncated(),
        message.recursive(),
        question,
        rrsets_to_tuple(py, &message.answer)?,
        rrsets_to_tuple(py, &message.authority)?,
        rrsets_to_tuple(py, &message.additional)?,
        message.edns.as_ref().map(|edns| edns_to_tuple(py, edns)).transpose()?,
    );
    fields.into_pyobject(py)
}

fn edns_to_tuple<'py>(py: Python<'py>, edns: &Edns) -> PyResult<Bound<'py, PyTuple>> {
    let options = edns.options.iter().map(|(code, data)| (*code, PyBytes::new(py, data)));
    let options = PyTuple::new(py, options.collect::<Vec<_>>())?;
    (edns.payload, edns.version, edns.do_bit, options).into_pyobject(py)
}

/// `RRsetTuple`s of RRsets.
pub(crate) fn rrsets_to_tuple<'py>(
    py: Python<'py>,
    sets: &[RRset],
) -> PyResult<Bound<'py, PyTuple>> {
    let sets = sets.iter().map(|set| rrset_to_tuple(py, set));
    PyTuple::new(py, sets.collect::<PyResult<Vec<_>>>()?)
}

/// `RRsetTuple` of an RRset.
fn rrset_to_tuple<'py>(py: Python<'py>, set: &RRset) -> PyResult<Bound<'py, PyTuple>> {
    let octets = |list: &[Box<[u8]>]| {
        PyTuple::new(py, list.iter().map(|data| PyBytes::new(py, data)).collect::<Vec<_>>())
    };
    let (rdatas, signatures) = (octets(&set.rdatas)?, octets(&set.signatures)?);
    (PyBytes::new(py, &set.name), set.rtype, set.ttl, rdatas, signatures).into_pyobject(py)
}

/// RRsets of a sequence of `RRsetTuple`s.
pub(crate) fn rrsets_from_python(sets: &Bound<'_, PyAny>) -> PyResult<Vec<RRset>> {
    sets.try_iter()?.map(|set| rrset_from_python(&set?)).collect()
}

/// The RRset of an `RRsetTuple`. Raises `ValueError` when it could not stand in a message.
pub(crate) fn rrset_from_python(set: &Bound<'_, PyAny>) -> PyResult<RRset> {
    let set = set.cast::<PyTuple>()?;
    if set.len() != 5 {
        return Err(PyValueError::new_err("an RRset has five fields"));
    }
    let name = set.get_borrowed_item(0)?;
    Ok(RRset {
        name: Box::from(plain_name(name.cast::<PyBytes>()?.as_bytes())?),
        rtype: set.get_borrowed_item(1)?.extract()?,
        ttl: set.get_borrowed_item(2)?.extract()?,
        rdatas: octets_from_python(&set.get_item(3)?)?,
        signatures: octets_from_python(&set.get_item(4)?)?,
    })
}

fn octets_from_python(list: &Bound<'_, PyAny>) -> PyResult<Vec<Box<[u8]>>> {
    let list = list.cast::<PyTuple>()?;
    list.iter_borrowed()
        .map(|item| {
            let item = item.cast::<PyBytes>()?;
            let octets = item.as_bytes();
            if octets.len() > MESSAGE_MAX - HEADER {
                return Err(PyValueError::new_err("rdata longer than a message"));
            }
            Ok(Box::from(octets))
        })
        .collect()
}
