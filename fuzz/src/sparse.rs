//! Inputs as bytes, and as words.

/// Longest file that is made: the small geometries of the golden files, and what a header may lie about.
pub const MAX_FILE_LENGTH: u32 = 4 << 20;

const WORD: usize = 12;

/// A segment as its nonzero words, in any order; of two with the same number the later one counts.
#[derive(Clone, Debug, Default)]
pub struct Sparse {
    /// Bytes of the file.
    pub length: u32,
    /// Stored before the file is opened: number of the word, value.
    pub before: Vec<(u32, u64)>,
    /// Stored while it is mapped.
    pub after: Vec<(u32, u64)>,
}

impl Sparse {
    /// Any bytes are an input.
    pub fn decode(data: &[u8]) -> Sparse {
        let number = |at: usize| {
            data.get(at..at + 4)
                .map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()))
        };
        let (words, _) = data.get(8..).unwrap_or_default().as_chunks::<WORD>();
        let mut before: Vec<(u32, u64)> = words
            .iter()
            .map(|word| {
                let (index, value) = word.split_at(4);
                (
                    u32::from_le_bytes(index.try_into().unwrap()),
                    u64::from_le_bytes(value.try_into().unwrap()),
                )
            })
            .collect();
        let after = before.split_off((number(4) as usize).min(before.len()));
        Sparse {
            length: number(0).min(MAX_FILE_LENGTH),
            before,
            after,
        }
    }

    /// The bytes that decode to this.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(8 + WORD * (self.before.len() + self.after.len()));
        data.extend(self.length.to_le_bytes());
        data.extend((self.before.len() as u32).to_le_bytes());
        for (index, value) in self.before.iter().chain(&self.after) {
            data.extend(index.to_le_bytes());
            data.extend(value.to_le_bytes());
        }
        data
    }

    /// The words of a file of `length` bytes.
    pub fn of_words(words: &[u64], length: u64) -> Sparse {
        let words = words.iter().copied().zip(0..);
        let before = words
            .filter(|(word, _)| *word != 0)
            .map(|(word, index)| (index, word))
            .collect();
        Sparse {
            length: length as u32,
            before,
            after: Vec::new(),
        }
    }

    /// The word with this number as the first part leaves it.
    pub fn word(&self, index: u32) -> u64 {
        self.before
            .iter()
            .rev()
            .find(|(found, _)| *found == index)
            .map_or(0, |(_, value)| *value)
    }

    /// Stores in the first part.
    pub fn set(&mut self, index: u32, value: u64) {
        match self.before.iter_mut().rev().find(|(found, _)| *found == index) {
            Some((_, word)) => *word = value,
            None => self.before.push((index, value)),
        }
    }
}
