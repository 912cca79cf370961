//! `restore`: puts saved statistics of requests into a segment, once.

use shmetrics::Segment;
use shmetrics::stats::requests::{FolderStore, Place, Restored, default_state_key, restore};

use super::save::told;
use crate::cli::{RecordPlace, Restore};
use crate::exit::{Failure, io_failure};
use crate::{discover, terminal};

pub(crate) fn run(flags: &Restore) -> Result<(), Failure> {
    let path = discover::path_of(Some(&flags.path))?;
    let place = &flags.place;
    let store = FolderStore::new(&place.dir);
    let instances = match &place.instance {
        Some(instance) => vec![instance.clone()],
        None => instances(&store, place)?,
    };
    if instances.is_empty() {
        return Err(Failure::Check(format!(
            "no records are in the store {} of {}; see `shmetrics save`",
            terminal::quoted(&place.kvs),
            terminal::clean(&place.dir.display().to_string()),
        )));
    }
    let segment = Segment::options().role("shmetrics-restore").open_at(&path)?;
    for instance in &instances {
        let key = place.key(instance);
        let record = Place::new(&store, &place.kvs, &key);
        let name = terminal::quoted(instance);
        let text = match restore(&segment, &place.prefix, instance, record)? {
            Restored::Done(figures) => format!("restored {}", told(&figures)),
            Restored::SameSegment => {
                format!(
                    "{name}: nothing to restore: the record was made from this segment, which has all of it"
                )
            }
            Restored::Already => {
                format!("{name}: nothing to restore: a record was restored into this segment already")
            }
            Restored::Reset => {
                format!(
                    "{name}: nothing to restore: the record was restored into this segment, and reset there"
                )
            }
            _ => {
                return Err(Failure::Check(format!(
                    "no record of {name}{}",
                    place.file(&store, &key, "it would be")
                )));
            }
        };
        // At once: what is done is said, whatever comes next.
        let from = place.file(&store, &key, "from");
        terminal::print(&format!("{text}{from}\n"))?;
    }
    Ok(())
}

/// The instances whose records are under their usual keys, by name.
fn instances(store: &FolderStore, place: &RecordPlace) -> Result<Vec<String>, Failure> {
    let (dir, kvs) = (&place.dir, &*place.kvs);
    let folder = store.path(kvs, "x").unwrap_or_default();
    let folder = folder.parent().unwrap_or(dir);
    let failed = |error| {
        let folder = terminal::clean(&folder.display().to_string()).into_owned();
        io_failure(&format!("list {folder}"), &error, "see `shmetrics save`")
    };
    let mut instances = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let record = std::fs::read_to_string(&file).unwrap_or_default();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap_or_default();
        // A file that is another's is passed over.
        if let Some(instance) = record["statsId"].as_str()
            && store
                .path(kvs, &default_state_key(&place.prefix, instance))
                .is_ok_and(|usual| usual == file)
        {
            instances.push(instance.to_owned());
        }
    }
    instances.sort_unstable();
    Ok(instances)
}
