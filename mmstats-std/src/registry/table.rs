//! The series of a family, found by the values of their dimensions.

use std::cell::{Cell, OnceCell};
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
    pub(super) fn get(&self, ArenaIndex { chunk, offset }: ArenaIndex) -> Option<&T> {
        self.chunks.get(usize::from(chunk))?.get()?.get(offset as usize)?.get()
    }

    /// Adds an element and returns it.
    pub(super) fn push(&self, element: T) -> &T {
        let index = ArenaIndex::new(self.len.replace(self.len.get() + 1));
        self.cell(index).get_or_init(|| element)
    }

    /// Returns the cell of an index, which may be beyond the elements that were pushed.
    pub(super) fn cell(&self, ArenaIndex { chunk, offset }: ArenaIndex) -> &OnceCell<T> {
        let length = FIRST_CHUNK << chunk;
        let cells = self.chunks[usize::from(chunk)]
            .get_or_init(|| (0..length).map(|_| OnceCell::new()).collect());
        &cells[offset as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|index| self.get(ArenaIndex::new(index)))
    }
}

/// The index of an element of an [`Arena`], split as its chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArenaIndex {
    chunk: u8,
    offset: u32,
}

impl ArenaIndex {
    /// Splits an index.
    pub(super) fn new(index: usize) -> ArenaIndex {
        let chunk = (index / FIRST_CHUNK + 1).ilog2();
        let offset = index + FIRST_CHUNK - (FIRST_CHUNK << chunk);
        ArenaIndex { chunk: chunk as u8, offset: offset as u32 }
    }

    fn index(self) -> usize {
        self.offset as usize + (FIRST_CHUNK << self.chunk) - FIRST_CHUNK
    }
}

/// Elements with keys of `N` texts. It only grows; elements never move.
#[derive(Debug)]
pub(super) struct Table<T, const N: usize> {
    elements: Arena<Element<T, N>>,
    /// Open addressing with linear probing; the length is a power of two, and at least half is
    /// free. The one that is in use is twice as long as the one before it, which stays, so that no
    /// look-up has to mark it as borrowed.
    buckets: [OnceCell<Box<[Cell<Bucket>]>>; usize::BITS as usize],
    /// The index of the buckets in use.
    current: Cell<usize>,
    /// Random, so that other users cannot choose values whose hashes collide.
    seeds: [u64; 2],
}

#[derive(Debug)]
struct Element<T, const N: usize> {
    summaries: [Summary; N],
    texts: [Box<str>; N],
    value: T,
}

/// The length of a text and its first and last bytes, which are the whole text if it has at most 16
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summary {
    length: usize,
    first: u64,
    last: u64,
}

/// The longest text that its summary determines.
const MAX_SUMMARY_BYTES: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    hash: u64,
    /// `None` if there is no element.
    index: Option<ArenaIndex>,
}

const FREE: Bucket = Bucket { hash: 0, index: None };
const FIRST_BUCKETS: usize = 16;

impl<T, const N: usize> Table<T, N> {
    pub(super) fn new() -> Self {
        let random = RandomState::new();
        Table {
            elements: Arena::new(),
            buckets: [const { OnceCell::new() }; usize::BITS as usize],
            current: Cell::new(0),
            seeds: [random.hash_one(0), random.hash_one(1)],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        Some(&self.elements.get(ArenaIndex::new(index))?.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.iter().map(|element| &element.value)
    }

    #[inline]
    pub(super) fn find(&self, key: [&str; N]) -> Option<&T> {
        self.find_element(key).map(|(_, element)| &element.value)
    }

    pub(super) fn index_of(&self, key: [&str; N]) -> Option<usize> {
        self.find_element(key).map(|(index, _)| index.index())
    }

    #[inline(always)]
    fn find_element(&self, key: [&str; N]) -> Option<(ArenaIndex, &Element<T, N>)> {
        let summaries = key.map(|text| Summary::new(text.as_bytes()));
        let hash = self.hash(key, &summaries);
        let buckets = self.buckets.get(self.current.get())?.get()?;
        let mask = buckets.len().wrapping_sub(1);
        let mut at = hash as usize;
        loop {
            let bucket = buckets.get(at & mask)?.get();
            let index = bucket.index?;
            if bucket.hash == hash {
                let element = self.elements.get(index)?;
                if element.summaries == summaries && element.has_long_texts(key) {
                    return Some((index, element));
                }
            }
            at = at.wrapping_add(1);
        }
    }

    /// Adds an element whose key is not in the table, and returns its index.
    pub(super) fn insert(&self, key: [&str; N], value: T) -> usize {
        let index = self.elements.len();
        let summaries = key.map(|text| Summary::new(text.as_bytes()));
        let hash = self.hash(key, &summaries);
        let bucket = Bucket { hash, index: Some(ArenaIndex::new(index)) };
        put(self.buckets_for(index + 1), bucket);
        self.elements.push(Element { summaries, texts: key.map(Into::into), value });
        index
    }

    /// Returns the buckets in use, which are at least twice as many as elements.
    fn buckets_for(&self, elements: usize) -> &[Cell<Bucket>] {
        let current = self.current.get();
        let new = |length| vec![Cell::new(FREE); length].into_boxed_slice();
        let buckets = self.buckets[current].get_or_init(|| new(FIRST_BUCKETS));
        if 2 * elements <= buckets.len() {
            return buckets;
        }
        let larger = self.buckets[current + 1].get_or_init(|| new(2 * buckets.len()));
        buckets.iter().map(Cell::get).for_each(|bucket| put(larger, bucket));
        self.current.set(current + 1);
        larger
    }

    /// The texts are hashed apart, so that a processor can do it at the same time.
    #[inline(always)]
    fn hash(&self, key: [&str; N], summaries: &[Summary; N]) -> u64 {
        key.iter().zip(summaries).fold(0_u64, |state, (text, summary)| {
            let hash = hash(self.seeds, text.as_bytes(), summary);
            state.rotate_left(29).wrapping_add(hash)
        })
    }
}

impl<T, const N: usize> Element<T, N> {
    /// Compares the texts that their summaries do not determine.
    #[inline(always)]
    fn has_long_texts(&self, key: [&str; N]) -> bool {
        key.iter()
            .zip(&self.texts)
            .all(|(text, own)| text.len() <= MAX_SUMMARY_BYTES || **text == **own)
    }
}

impl Summary {
    #[inline(always)]
    fn new(text: &[u8]) -> Summary {
        let length = text.len();
        let (first, last) = if length >= 8 {
            (load(&text[..8]), load(&text[length - 8..]))
        } else if length >= 4 {
            (load_4(&text[..4]), load_4(&text[length - 4..]))
        } else if length > 0 {
            let middle = u64::from(text[length / 2]) << 8;
            (u64::from(text[0]) | middle, text[length - 1].into())
        } else {
            (0, 0)
        };
        Summary { length, first, last }
    }
}

/// Puts a bucket into the first free one from where its hash says on.
fn put(buckets: &[Cell<Bucket>], bucket: Bucket) {
    let mask = buckets.len() - 1;
    let mut at = bucket.hash as usize & mask;
    while buckets[at].get().index.is_some() {
        at = (at + 1) & mask;
    }
    buckets[at].set(bucket);
}

/// Returns the hash of a text: multiplications of 64 by 64 bits whose halves are combined, one for
/// each 16 bytes. Both factors depend on a random number.
#[inline(always)]
fn hash([seed, other]: [u64; 2], text: &[u8], summary: &Summary) -> u64 {
    let mut state = seed.wrapping_add(text.len() as u64);
    if let Some(middle) = text.len().checked_sub(MAX_SUMMARY_BYTES).and_then(|n| text.get(8..8 + n))
    {
        for chunk in middle.chunks(16) {
            let Summary { first, last, .. } = Summary::new(chunk);
            state = fold(first ^ state, last ^ other);
        }
    }
    fold(summary.first ^ state, summary.last ^ other)
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
        let addresses: Vec<*const usize> = (0..1000).map(|i| &raw const *arena.push(i)).collect();
        for (i, address) in addresses.into_iter().enumerate() {
            let at = ArenaIndex::new(i);
            assert_eq!(at.index(), i);
            let element = arena.get(at).unwrap();
            assert_eq!((*element, &raw const *element), (i, address));
        }
        assert_eq!(arena.get(ArenaIndex::new(1000)), None);
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
            let of = |text: &[u8]| hash([1, 2], text, &Summary::new(text));
            let before = of(&text);
            for at in 0..length {
                text[at] = b'b';
                assert_ne!(of(&text), before, "byte {at} of {length}");
                text[at] = b'a';
            }
        }
    }
}
