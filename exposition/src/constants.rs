//! What never changes of an exposition, in one buffer.

/// A part of the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }
}

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    bytes: Vec<u8>,
}

impl Constants {
    /// Appends what `write` writes.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.bytes.len();
        write(&mut self.bytes);
        Span {
            start,
            end: self.bytes.len(),
        }
    }

    pub(crate) fn get(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    /// No more will be added.
    pub(crate) fn finish(&mut self) {
        self.bytes.shrink_to_fit();
    }
}
