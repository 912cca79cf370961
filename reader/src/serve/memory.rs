//! How much of what was answered is still held. An answer is freed when the last connection has sent it, and whoever does not read
//! could make us hold many; beyond a limit no new ones are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Most bytes of answers at one time: room for dozens of large ones, and harmless on a small host.
const MOST_HELD_BYTES: usize = 64 << 20;

/// Counts what is held.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

/// An answer that is counted as long as somebody holds it.
struct Held {
    content: Vec<u8>,
    memory: Memory,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A count, and nothing that it would order.
        self.memory
            .0
            .fetch_sub(self.content.capacity(), Ordering::Relaxed);
    }
}

impl Memory {
    /// Is there room for more?
    pub(super) fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) < MOST_HELD_BYTES
    }

    /// Content that can be handed out many times without a copy.
    pub(super) fn hold(&self, mut content: Vec<u8>) -> Bytes {
        content.shrink_to_fit();
        self.0.fetch_add(content.capacity(), Ordering::Relaxed);
        Bytes::from_owner(Held {
            content,
            memory: self.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_the_last_copy_is_gone() {
        let memory = Memory::default();
        let answer = memory.hold(vec![0; MOST_HELD_BYTES]);
        let copy = answer.clone();
        drop(answer);
        assert!(!memory.has_room());
        drop(copy);
        assert!(memory.has_room());
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
    }
}
