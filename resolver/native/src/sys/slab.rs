//! A bounded table of things in flight, addressed by keys that are never reused by accident.

/// Index and generation in one number, fit for the user data of epoll and for tokens.
///
/// A key of an entry that has left finds nothing, even when its place has been taken again.
pub type Key = u64;

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// Values by [`Key`]; insertion, look-up and removal in constant time.
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

const fn index(key: Key) -> usize {
    (key & 0xffff_ffff) as usize
}

impl<T> Slab<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keep a value.
    pub fn insert(&mut self, value: T) -> Key {
        let at = if let Some(at) = self.free.pop() {
            at as usize
        } else {
            self.places.push(Place { generation: 0, value: None });
            self.places.len() - 1
        };
        let place = &mut self.places[at];
        place.generation = place.generation.wrapping_add(1) & 0x7fff_ffff;
        place.value = Some(value);
        (u64::from(place.generation) << 32) | at as u64
    }

    fn place(&self, key: Key) -> Option<&Place<T>> {
        self.places.get(index(key)).filter(|place| u64::from(place.generation) == key >> 32)
    }

    /// The value, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.place(key).and_then(|place| place.value.as_ref())
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.places
            .get_mut(index(key))
            .filter(|place| u64::from(place.generation) == key >> 32)
            .and_then(|place| place.value.as_mut())
    }

    /// Take the value out; its key is dead from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self
            .places
            .get_mut(index(key))
            .filter(|place| u64::from(place.generation) == key >> 32)?;
        let value = place.value.take()?;
        self.free.push((key & 0xffff_ffff) as u32);
        Some(value)
    }

    /// Keys of all values, in no order.
    pub fn keys(&self) -> Vec<Key> {
        self.places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.value.is_some())
            .map(|(at, place)| (u64::from(place.generation) << 32) | at as u64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_value_that_left_finds_nothing() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!(first & 0xffff_ffff, second & 0xffff_ffff);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"b"));
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.keys(), vec![second]);
    }
}
