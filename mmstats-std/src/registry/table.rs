//! The series of a family, found by the values of their dimensions.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::{BuildHasher, RandomState};

/// A list that only grows. Its elements never move, so they can be borrowed while it grows.
#[derive(Debug)]
pub(super) struct Arena<T> {
    /// Chunk `i` has `FIRST_CHUNK << i` elements.
    chunks: [OnceCell<Box<[OnceCell<T>]>>; CHUNKS],
    len: Cell<usize>,
}

const FIRST_CHUNK: usize = 8;
const CHUNKS: usize = 24;

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Arena { chunks: [const { OnceCell::new() }; CHUNKS], len: Cell::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        let at = index.checked_add(FIRST_CHUNK)?;
        let chunk = (at / FIRST_CHUNK).ilog2();
        self.chunks.get(chunk as usize)?.get()?.get(at - (FIRST_CHUNK << chunk))?.get()
    }

    /// Adds an element and returns it.
    pub(super) fn push(&self, element: T) -> &T {
        let index = self.len.replace(self.len.get() + 1);
        let at = index + FIRST_CHUNK;
        let chunk = (at / FIRST_CHUNK).ilog2();
        let length = FIRST_CHUNK << chunk;
        self.chunks[chunk as usize].get_or_init(|| (0..length).map(|_| OnceCell::new()).collect())
            [at - length]
            .get_or_init(|| element)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|index| self.get(index))
    }
}

/// Elements with keys of `N` texts. It only grows; elements never move.
#[derive(Debug)]
pub(super) struct Table<T, const N: usize> {
    elements: Arena<Element<T, N>>,
    /// Open addressing with linear probing; the length is a power of two, and at least half is
    /// free.
    buckets: RefCell<Box<[Bucket]>>,
    /// Random, so that other users cannot choose values whose hashes collide.
    seeds: [u64; 2],
}

#[derive(Debug)]
struct Element<T, const N: usize> {
    /// All texts of the key, one after another.
    texts: Box<[u8]>,
    /// Where each of them ends.
    ends: [usize; N],
    value: T,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    hash: u64,
    /// [`FREE`] if there is no element.
    index: usize,
}

const FREE: usize = usize::MAX;
const FIRST_BUCKETS: usize = 16;

impl<T, const N: usize> Table<T, N> {
    pub(super) fn new() -> Self {
        let random = RandomState::new();
        Table {
            elements: Arena::new(),
            buckets: RefCell::new(free_buckets(FIRST_BUCKETS)),
            seeds: [random.hash_one(0), random.hash_one(1)],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        Some(&self.elements.get(index)?.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.iter().map(|element| &element.value)
    }

    #[inline]
    pub(super) fn find(&self, key: [&str; N]) -> Option<&T> {
        self.find_element(key).map(|(_, element)| &element.value)
    }

    pub(super) fn index_of(&self, key: [&str; N]) -> Option<usize> {
        self.find_element(key).map(|(index, _)| index)
    }

    #[inline(always)]
    fn find_element(&self, key: [&str; N]) -> Option<(usize, &Element<T, N>)> {
        let hash = self.hash(key);
        let buckets = self.buckets.borrow();
        let mask = buckets.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let Bucket { hash: other, index } = buckets[at & mask];
            if other == hash {
                // A free bucket has no element.
                let element = self.elements.get(index)?;
                if element.has_key(key) {
                    return Some((index, element));
                }
            } else if index == FREE {
                return None;
            }
            at += 1;
        }
    }

    /// Adds an element whose key is not in the table, and returns its index.
    pub(super) fn insert(&self, key: [&str; N], value: T) -> usize {
        let index = self.elements.len();
        let mut buckets = self.buckets.borrow_mut();
        if 2 * (index + 1) > buckets.len() {
            let mut larger = free_buckets(2 * buckets.len());
            buckets
                .iter()
                .filter(|bucket| bucket.index != FREE)
                .for_each(|bucket| put(&mut larger, *bucket));
            *buckets = larger;
        }
        put(&mut buckets, Bucket { hash: self.hash(key), index });
        let mut end = 0;
        let ends = key.map(|text| {
            end += text.len();
            end
        });
        let texts = key.concat().into_bytes().into_boxed_slice();
        self.elements.push(Element { texts, ends, value });
        index
    }

    #[inline(always)]
    fn hash(&self, key: [&str; N]) -> u64 {
        let [seed, other] = self.seeds;
        key.iter().fold(seed, |state, text| hash(state, other, text.as_bytes()))
    }
}

impl<T, const N: usize> Element<T, N> {
    #[inline(always)]
    fn has_key(&self, key: [&str; N]) -> bool {
        let mut start = 0;
        key.iter().zip(self.ends).all(|(text, end)| {
            let own = self.texts.get(start..end);
            start = end;
            own.is_some_and(|own| own == text.as_bytes())
        })
    }
}

fn free_buckets(length: usize) -> Box<[Bucket]> {
    vec![Bucket { hash: 0, index: FREE }; length].into()
}

/// Puts a bucket into the first free one from its place on.
fn put(buckets: &mut [Bucket], bucket: Bucket) {
    let mask = buckets.len() - 1;
    let mut at = bucket.hash as usize & mask;
    while buckets[at].index != FREE {
        at = (at + 1) & mask;
    }
    buckets[at] = bucket;
}

/// Adds a text to a hash: multiplications of 64 by 64 bits whose halves are combined, one for each
/// 16 bytes. Both factors depend on a random number.
#[inline(always)]
fn hash(state: u64, seed: u64, text: &[u8]) -> u64 {
    let length = text.len();
    let mut state = state.wrapping_add(length as u64);
    let (a, b) = if length > 16 {
        for chunk in text[..length - 1].chunks_exact(16) {
            state = fold(load(&chunk[..8]) ^ state, load(&chunk[8..]) ^ seed);
        }
        (load(&text[length - 16..length - 8]), load(&text[length - 8..]))
    } else if length >= 8 {
        (load(&text[..8]), load(&text[length - 8..]))
    } else if length >= 4 {
        (load_4(&text[..4]), load_4(&text[length - 4..]))
    } else if length > 0 {
        let middle = u64::from(text[length / 2]) << 8;
        (u64::from(text[0]) | middle, u64::from(text[length - 1]))
    } else {
        (0, 0)
    };
    fold(a ^ state, b ^ seed)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn load(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

#[inline(always)]
fn load_4(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u32::from_ne_bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are() {
        let arena = Arena::new();
        let places: Vec<*const usize> = (0..1000).map(|i| &raw const *arena.push(i)).collect();
        for (i, place) in places.into_iter().enumerate() {
            let element = arena.get(i).unwrap();
            assert_eq!((*element, &raw const *element), (i, place));
        }
        assert_eq!(arena.get(1000), None);
        assert_eq!(arena.get(usize::MAX), None);
        assert!(arena.iter().copied().eq(0..1000));
    }

    /// Texts of all lengths around those at which the hash changes its way.
    #[test]
    fn every_key_finds_its_own_element() {
        let text = "abcdefghijklmnopqrstuvwxyzéABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let parts: Vec<&str> =
            (0..text.len()).filter(|at| text.is_char_boundary(*at)).map(|at| &text[..at]).collect();
        let table = Table::new();
        let keys = || parts.iter().flat_map(|a| parts.iter().map(move |b| [*a, *b]));
        for (i, key) in keys().enumerate() {
            assert_eq!(table.find(key), None, "{key:?}");
            assert_eq!(table.insert(key, i), i);
        }
        for (i, key) in keys().enumerate() {
            assert_eq!(table.find(key), Some(&i), "{key:?}");
            assert_eq!(table.index_of(key), Some(i));
        }
        assert_eq!(table.find(["a", "ABC"]), None);
        assert_eq!(table.find(["", "b"]), None);
        assert_eq!(table.len(), parts.len() * parts.len());
    }

    #[test]
    fn hashes_depend_on_every_byte() {
        for length in 1..70 {
            let mut text = vec![b'a'; length];
            let before = hash(1, 2, &text);
            for at in 0..length {
                text[at] = b'b';
                assert_ne!(hash(1, 2, &text), before, "byte {at} of {length}");
                text[at] = b'a';
            }
        }
    }
}
