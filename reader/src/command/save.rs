//! `save`: keeps the statistics of requests in files that outlive the segment.

use shmetrics::stats::requests::{Figures, FolderStore, Place, RequestsError, View, default_state_key, save};

use crate::cli::{RecordPlace, Save};
use crate::exit::Failure;
use crate::format::grouped;
use crate::{discover, terminal};

pub(crate) fn run(flags: &Save) -> Result<(), Failure> {
    let mut reader = discover::open_place(&flags.path)?;
    let snapshot = reader.snapshot()?;
    let place = &flags.place;
    let instances: Vec<String> = match &place.instance {
        Some(instance) => vec![instance.clone()],
        None => {
            let view = View::with_prefix(&snapshot, &place.prefix);
            view.instances().into_iter().map(str::to_owned).collect()
        }
    };
    if instances.is_empty() {
        let place = terminal::clean(&reader.path().display().to_string()).into_owned();
        return Err(Failure::Check(format!(
            "no statistics of requests are in {place}; see `shmetrics snapshot`"
        )));
    }
    let store = FolderStore::new(&place.dir);
    for instance in &instances {
        let key = place.key(instance);
        let record = Place::new(&store, &place.kvs, &key);
        let saved = save(&mut reader, &place.prefix, instance, record)?;
        // At once: what is done is said, whatever comes next.
        terminal::print(&format!(
            "saved {}{}\n",
            told(&saved),
            place.file(&store, &key, "to")
        ))?;
    }
    Ok(())
}

/// What an instance has.
pub(super) fn told(figures: &Figures) -> String {
    format!(
        "{}: {} finished, {} failed, run time {}",
        terminal::quoted(&figures.instance),
        grouped(figures.requests_finished),
        grouped(figures.requests_failed),
        shmetrics::stats::requests::humanised(figures.crawler_runtime),
    )
}

impl RecordPlace {
    pub(super) fn key(&self, instance: &str) -> String {
        let key = self.key.clone();
        key.unwrap_or_else(|| default_state_key(&self.prefix, instance))
    }

    /// The file of a record, behind what is said of it.
    pub(super) fn file(&self, store: &FolderStore, key: &str, word: &str) -> String {
        let path = store.path(&self.kvs, key).unwrap_or_default();
        format!("; {word} {}", terminal::clean(&path.display().to_string()))
    }
}

impl From<RequestsError> for Failure {
    fn from(error: RequestsError) -> Self {
        match error {
            RequestsError::NoInstance { .. } => Failure::Check(error.to_string()),
            error => Failure::Input(error.to_string()),
        }
    }
}
