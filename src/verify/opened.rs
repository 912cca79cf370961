//! A file that may be a segment: its header as far as it goes, and its words as far as the header is valid.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{LayoutError, OpenError};
use crate::layout::WORD_LENGTH;
use crate::layout::geometry::Geometry;
use crate::layout::header::{HEADER_LENGTH, IMMUTABLE_WORDS};
use crate::map::Mapping;
use crate::segment::file_system::FileSystem;
use crate::segment::host::{MAP, file_error};
use crate::segment::open::{head_has_holes, open_file_read_only, read_start, stored_from, stored_records};

/// The file, opened and mapped read-only.
pub(crate) struct Opened {
    path: PathBuf,
    pub(crate) file: File,
    /// Bytes of the file when it was opened.
    pub(crate) length: u64,
    pub(crate) file_system: FileSystem,
    /// The words of the first 4 KiB, fewer if the file is shorter. Copied once, by reading: that allocates nothing.
    pub(crate) header: Vec<u64>,
    content: Result<(Geometry, Mapping), LayoutError>,
}

impl Opened {
    /// Opens the file at `path`. What is not valid is told by [`refusal`](Self::refusal).
    pub(crate) fn open(path: &Path) -> Result<Opened, OpenError> {
        let (file, length, file_system) = open_file_read_only(path)?;
        let mut bytes = vec![0; length.min(HEADER_LENGTH) as usize];
        read_start(&file, &mut bytes, path)?;
        let header: Vec<u64> = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word))
            .collect();
        let content = match header.first_chunk::<IMMUTABLE_WORDS>() {
            Some(words) if length >= HEADER_LENGTH => Geometry::parse(words, length),
            _ => Err(LayoutError::TooShort { found: length }),
        };
        let content = match content {
            Ok((geometry, _)) => {
                let mapping = Mapping::read_only(&file, geometry.file_length)
                    .map_err(|error| file_error(MAP, path, error))?;
                Ok((geometry, mapping))
            }
            Err(error) => Err(error),
        };
        Ok(Opened {
            path: path.to_owned(),
            file,
            length,
            file_system,
            header,
            content,
        })
    }

    /// Fails if a valid segment has been truncated since it was opened: then what was read of it means nothing.
    pub(crate) fn ensure_whole(&self) -> Result<(), OpenError> {
        let Some((geometry, mapping)) = self.mapped() else {
            return Ok(());
        };
        let expected = geometry.file_length;
        let found = self.file.metadata();
        let found = found
            .map_err(|error| file_error("examine", &self.path, error))?
            .len();
        if found < expected {
            return Err(OpenError::Layout {
                path: self.path.clone(),
                source: LayoutError::Truncated { found, expected },
            });
        }
        if mapping.is_lost() {
            return Err(OpenError::Lost {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    /// Geometry and mapping of a valid segment.
    pub(crate) fn mapped(&self) -> Option<(&Geometry, &Mapping)> {
        self.content
            .as_ref()
            .ok()
            .map(|(geometry, mapping)| (geometry, mapping))
    }

    /// Why it is no valid segment.
    pub(crate) fn refusal(&self) -> Option<&LayoutError> {
        self.content.as_ref().err()
    }

    /// Records that have storage: all, but for a file that claims more than it has.
    pub(crate) fn stored_records(&self) -> u64 {
        match self.mapped() {
            Some((geometry, _)) if head_has_holes(&self.file, self.file_system, geometry) => {
                stored_records(&self.file, geometry)
            }
            Some((geometry, _)) => geometry.records,
            None => 0,
        }
    }

    /// Bytes of text that have storage.
    pub(crate) fn stored_text(&self) -> u64 {
        let Some((geometry, _)) = self.mapped() else {
            return 0;
        };
        let length = geometry.capacities.text_length;
        match head_has_holes(&self.file, self.file_system, geometry) {
            true => stored_from(&self.file, geometry.text_offset, length),
            false => length,
        }
    }

    /// A word of the copied header; 0 beyond its end.
    pub(crate) fn header_word(&self, offset: u64) -> u64 {
        self.header
            .get((offset / WORD_LENGTH) as usize)
            .copied()
            .unwrap_or(0)
    }
}
