//! The caches at the border.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::plain_name;
use super::wire::{rrset_from_python, rrsets_from_python, rrsets_to_tuple};
use crate::cache::answers::{self, Key, Manner, Marks};
use crate::cache::records::{self, Kind, Source};
use crate::wire::compose;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RecordCache>()?;
    module.add_class::<Answer>()?;
    module.add_class::<AnswerCache>()
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct RecordCache {
    pub(crate) inner: Arc<records::RecordCache>,
}

#[pymethods]
impl RecordCache {
    #[new]
    #[pyo3(signature = (bytes_max, ttl_max, ttl_negative_max, stale_max=0))]
    fn new(bytes_max: usize, ttl_max: u32, ttl_negative_max: u32, stale_max: u32) -> Self {
        let inner = records::RecordCache::new(bytes_max, ttl_max, ttl_negative_max);
        Self { inner: Arc::new(inner.keeping(stale_max)) }
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &[u8],
        rtype: u16,
        now: f64,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.inner.get(name, rtype, now).map(|found| found_to_tuple(py, &found)).transpose()
    }

    fn find<'py>(
        &self,
        py: Python<'py>,
        name: &[u8],
        rtype: u16,
        now: f64,
        stale: bool,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = self.inner.find(plain_name(name)?, rtype, now, stale);
        found.map(|found| found_to_tuple(py, &found)).transpose()
    }

    fn addresses<'py>(
        &self,
        py: Python<'py>,
        names: &Bound<'py, PyTuple>,
        now: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for name in names.iter_borrowed() {
            let found = self.inner.addresses(name.cast::<PyBytes>()?.as_bytes(), now);
            list.append(PyTuple::new(py, found.iter().map(|data| PyBytes::new(py, data)))?)?;
        }
        Ok(list)
    }

    fn put(
        &self,
        rrset: &Bound<'_, PyAny>,
        rank: u8,
        security: u8,
        origin: &[u8],
        now: f64,
    ) -> PyResult<bool> {
        let source = Source { rank, security, origin: Box::from(origin) };
        Ok(self.inner.put(rrset_from_python(rrset)?, source, now))
    }

    #[allow(clippy::too_many_arguments)]
    fn put_negative(
        &self,
        name: &[u8],
        rtype: u16,
        kind: u8,
        ttl: u32,
        proofs: &Bound<'_, PyAny>,
        security: u8,
        origin: &[u8],
        now: f64,
    ) -> PyResult<()> {
        let kind = match kind {
            1 => Kind::NoData,
            2 => Kind::NxDomain,
            _ => return Err(PyValueError::new_err("kind of a negative entry is 1 or 2")),
        };
        let (name, proofs) = (plain_name(name)?, rrsets_from_python(proofs)?);
        self.inner.put_negative(name, rtype, kind, ttl, proofs, security, origin, now);
        Ok(())
    }

    fn flush(&self, py: Python<'_>, name: &[u8], subtree: bool) -> PyResult<usize> {
        let name = plain_name(name)?;
        Ok(py.detach(|| self.inner.flush(name, subtree)))
    }

    fn entries(&self) -> usize {
        self.inner.entries()
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }
}

fn found_to_tuple<'py>(py: Python<'py>, found: &records::Found) -> PyResult<Bound<'py, PyTuple>> {
    let sets = rrsets_to_tuple(py, &found.sets)?;
    let (kind, rrset, proofs) = match found.kind {
        Kind::Records => (0, Some(sets.get_item(0)?), PyTuple::empty(py)),
        Kind::NoData => (1, None, sets),
        Kind::NxDomain => (2, None, sets),
    };
    let Source { rank, security, origin } = &found.source;
    (kind, rrset, proofs, *rank, *security, PyBytes::new(py, origin)).into_pyobject(py)
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct Answer {
    pub(crate) inner: Arc<compose::Answer>,
}

#[pymethods]
impl Answer {
    #[new]
    #[pyo3(signature = (
        name, rtype, rclass, rcode, answer, authority, additional, ede, now, truncated=false
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        name: &[u8],
        rtype: u16,
        rclass: u16,
        rcode: u16,
        answer: &Bound<'_, PyAny>,
        authority: &Bound<'_, PyAny>,
        additional: &Bound<'_, PyAny>,
        ede: Vec<(u16, String)>,
        now: f64,
        truncated: bool,
    ) -> PyResult<Self> {
        let sections = [answer, authority, additional].map(rrsets_from_python);
        let [answer, authority, additional] = sections;
        let (answer, authority, additional) = (answer?, authority?, additional?);
        let sections = [&*answer, &*authority, &*additional];
        let ede: Vec<_> = ede.iter().map(|(code, text)| (*code, text.as_str())).collect();
        let name = plain_name(name)?;
        let mut inner = compose::Answer::compose(name, rtype, rclass, rcode, sections, &ede, now);
        if truncated {
            inner.truncate();
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    fn message<'py>(&self, py: Python<'py>, now: f64) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.message(now))
    }
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct AnswerCache {
    pub(crate) inner: Arc<answers::AnswerCache>,
}

type DueTuple<'py> = (u32, Bound<'py, PyBytes>, u16, bool, bool);

#[pymethods]
impl AnswerCache {
    #[new]
    fn new(bytes_max: usize) -> Self {
        Self { inner: Arc::new(answers::AnswerCache::new(bytes_max)) }
    }

    #[pyo3(signature = (
        view, name, rtype, r#do, cd, generation, answer, lifetime, destination, now, stale=false,
        manner=0, tag=0
    ))]
    #[allow(clippy::too_many_arguments)]
    fn put(
        &self,
        view: u32,
        name: &[u8],
        rtype: u16,
        r#do: bool,
        cd: bool,
        generation: u64,
        answer: &Bound<'_, Answer>,
        lifetime: f64,
        destination: u8,
        now: f64,
        stale: bool,
        manner: u8,
        tag: u16,
    ) {
        let key = Key { view, name, rtype, do_bit: r#do, cd };
        let answer = &answer.get().inner;
        let marks = Marks { destination, stale, manner: Manner::from_number(manner), tag };
        self.inner.put(&key, generation, answer, lifetime, marks, now);
    }

    #[allow(clippy::too_many_arguments)]
    fn peek<'py>(
        &self,
        py: Python<'py>,
        view: u32,
        name: &[u8],
        rtype: u16,
        r#do: bool,
        cd: bool,
        now: f64,
    ) -> Option<Bound<'py, PyBytes>> {
        let key = Key { view, name, rtype, do_bit: r#do, cd };
        self.inner.peek(&key, now).map(|message| PyBytes::new(py, &message))
    }

    fn take_due<'py>(&self, py: Python<'py>, most: usize) -> Vec<DueTuple<'py>> {
        let tuple = |due: answers::Due| {
            (due.view, PyBytes::new(py, &due.name), due.rtype, due.do_bit, due.cd)
        };
        self.inner.take_due(most).into_iter().map(tuple).collect()
    }

    fn set_generation(&self, generation: u64) {
        self.inner.set_generation(generation);
    }

    fn flush(&self, py: Python<'_>, name: &[u8], subtree: bool) -> PyResult<usize> {
        let name = plain_name(name)?;
        Ok(py.detach(|| self.inner.flush(name, subtree)))
    }

    fn entries(&self) -> usize {
        self.inner.entries()
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }
}
