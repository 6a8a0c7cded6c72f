//! The caches at the border.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::plain_name;
use super::wire::rrsets_from_python;
use crate::cache::answers::{self, Key};
use crate::wire::compose;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Answer>()?;
    module.add_class::<AnswerCache>()
}

#[pyclass(frozen, module = "resolver._native")]
pub(crate) struct Answer {
    pub(crate) inner: Arc<compose::Answer>,
}

#[pymethods]
impl Answer {
    #[new]
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
    ) -> PyResult<Self> {
        let sections = [answer, authority, additional].map(rrsets_from_python);
        let [answer, authority, additional] = sections;
        let (answer, authority, additional) = (answer?, authority?, additional?);
        let sections = [&*answer, &*authority, &*additional];
        let ede: Vec<_> = ede.iter().map(|(code, text)| (*code, text.as_str())).collect();
        let name = plain_name(name)?;
        let inner = compose::Answer::compose(name, rtype, rclass, rcode, sections, &ede, now);
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

#[pymethods]
impl AnswerCache {
    #[new]
    fn new(bytes_max: usize) -> Self {
        Self { inner: Arc::new(answers::AnswerCache::new(bytes_max)) }
    }

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
    ) {
        let key = Key { view, name, rtype, do_bit: r#do, cd };
        let answer = Arc::clone(&answer.get().inner);
        self.inner.put(&key, generation, answer, lifetime, destination, now);
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
        self.inner.peek(&key, now).map(|answer| PyBytes::new(py, &answer.message(now)))
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
