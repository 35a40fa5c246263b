//! The lake's files, and the list of those that count: it changes in one transaction, so a query sees each quote
//! once before, while and after files are written or merged.
//!
//! A file is written under another name, synced, and renamed; what is not listed is nobody's. Replaced files stay
//! for an hour, longer than any query runs.

use super::{
    consumers::checkpoint,
    sql::LakeFile,
    state::{Folder, sync_folder},
};
use crate::error::Error;
use pipeline::{Date, Object, ObjectKind, PortError, Timestamp, lake};
use rusqlite::{Connection, Row, params};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How long a replaced file stays, in milliseconds.
const REPLACED_STAYS: i64 = 3_600_000;
/// So many live files make a day worth merging.
const MERGE_FILES: usize = 8;
/// Two do where the day is over and has so many bytes: files side by side cost a query more than one.
const MERGE_OVER_BYTES: u64 = 1 << 20;
/// The largest file of such a day is written anew only for others that are at least such a part of it.
const MERGE_PART: u64 = 16;
/// A file of this size is left as it is; merges aim at it. Bytes.
const MERGE_BYTES: u64 = 128 << 20;
/// The most files of a merge, each of which is open meanwhile and has pages in memory.
const MERGE_AT_ONCE: usize = 64;
/// From so many files on, one sync of the whole file system is less than one of each.
const SYNC_ALL_FROM: usize = 8;

/// Where archive puts objects: files now, their listing in the transaction that moves the checkpoint.
#[derive(Debug)]
pub struct Lake {
    root: PathBuf,
    written: Vec<Listed>,
}

/// A file of quotes, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name below the lake's folder.
    pub name: String,
    /// The day.
    pub dt: Date,
    /// The market time of its oldest quote.
    pub first: Timestamp,
    /// Of its newest.
    pub last: Timestamp,
    /// Its quotes.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

impl Lake {
    /// The lake of a stack.
    pub fn new(folder: &Folder) -> Self {
        Self { root: folder.lake(), written: Vec::new() }
    }

    /// The files of quotes that were written and are to be listed.
    pub fn written(&self) -> &[Listed] {
        &self.written
    }

    fn write(&self, objects: &[Object]) -> io::Result<()> {
        let mut files = Vec::with_capacity(objects.len());
        let mut folders = BTreeSet::new();
        for object in objects {
            let path = self.root.join(&object.key);
            if let Some(parent) = path.parent()
                && !folders.contains(parent)
            {
                fs::create_dir_all(parent)?;
                folders.insert(parent.to_owned());
            }
            let draft = draft(&path);
            let mut file = File::create(&draft)?;
            file.write_all(&object.bytes)?;
            files.push((file, draft, path));
        }
        // A file is durable before it has its name, and its name before it is listed.
        let all = files.len() >= SYNC_ALL_FROM && cfg!(target_os = "linux");
        if all {
            sync_all(&self.root)?;
        } else {
            files.iter().try_for_each(|(file, _, _)| file.sync_all())?;
        }
        files.iter().try_for_each(|(_, draft, path)| fs::rename(draft, path))?;
        if all {
            return sync_all(&self.root);
        }
        // A new folder is an entry in the one above it.
        let above: BTreeSet<PathBuf> = folders.iter().filter_map(|f| f.parent().map(Path::to_owned)).collect();
        folders.union(&above).try_for_each(|folder| sync_folder(folder))
    }
}

impl pipeline::Lake for Lake {
    async fn put(&mut self, objects: Vec<Object>) -> Result<(), PortError> {
        self.write(&objects).map_err(|e| PortError(format!("the lake cannot be written: {e}")))?;
        self.written.extend(objects.into_iter().filter_map(|object| match object.kind {
            ObjectKind::Raw => None,
            ObjectKind::Parquet { dt, first, last, rows } => {
                Some(Listed { name: object.key, dt, first, last, rows, bytes: object.bytes.len() as u64 })
            }
        }));
        Ok(())
    }
}

/// Another name in the same folder, that no query takes for a file of the lake.
fn draft(path: &Path) -> PathBuf {
    path.with_extension(format!("draft-{}", std::process::id()))
}

#[cfg(target_os = "linux")]
fn sync_all(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_all(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Lists files that were written.
pub fn list(tx: &Connection, files: &[Listed]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached("INSERT OR REPLACE INTO lake_files VALUES (?, ?, ?, ?, ?, ?, NULL)")?;
    for file in files {
        insert.execute(params![
            file.name,
            file.dt.days(),
            file.first.millis(),
            file.last.millis(),
            file.rows as i64,
            file.bytes as i64
        ])?;
    }
    Ok(())
}

/// The files that count, of all days, in the order of time.
pub fn live(folder: &Folder, db: &Connection) -> rusqlite::Result<Vec<LakeFile>> {
    let root = folder.lake();
    let mut statement = db.prepare_cached(
        "SELECT name, dt, first, last, rows, bytes FROM lake_files WHERE replaced_at IS NULL ORDER BY dt, first",
    )?;
    let rows = statement.query_map([], listed)?;
    rows.map(|file| {
        let Listed { name, dt, first, last, rows, bytes } = file?;
        Ok(LakeFile { path: root.join(name), dt, first, last, rows, bytes })
    })
    .collect()
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let time = |column| {
        let millis = row.get(column)?;
        Timestamp::from_millis(millis).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, millis))
    };
    Ok(Listed {
        name: row.get(0)?,
        dt: Date::from_days(row.get(1)?),
        first: time(2)?,
        last: time(3)?,
        rows: row.get::<_, i64>(4)? as u64,
        bytes: row.get::<_, i64>(5)? as u64,
    })
}

/// Files of a day that are to become one; none where no day has many small ones, or is over and has several.
pub fn merge_due(db: &Connection) -> rusqlite::Result<Option<Vec<Listed>>> {
    let day = "SELECT dt FROM lake_files WHERE replaced_at IS NULL AND bytes < ?1 GROUP BY dt
               HAVING count(*) >= ?2
                   OR (count(*) > 1 AND sum(bytes) >= ?3 AND (sum(bytes) - max(bytes)) * ?4 >= max(bytes)
                       AND dt < (SELECT max(dt) FROM lake_files))
               ORDER BY count(*) DESC LIMIT 1";
    let mut days = db.prepare_cached(day)?;
    let limits = [MERGE_BYTES, MERGE_FILES as u64, MERGE_OVER_BYTES, MERGE_PART].map(|n| n as i64);
    let mut days = days.query(limits)?;
    let Some(dt) = days.next()?.map(|row| row.get::<_, i64>(0)).transpose()? else { return Ok(None) };
    let mut statement = db.prepare_cached(
        "SELECT name, dt, first, last, rows, bytes FROM lake_files
         WHERE replaced_at IS NULL AND bytes < ? AND dt = ? ORDER BY bytes LIMIT ?",
    )?;
    let files: Vec<Listed> = statement
        .query_map(params![MERGE_BYTES as i64, dt, MERGE_AT_ONCE as i64], listed)?
        .collect::<Result<_, _>>()?;
    let mut total = 0;
    let few = files.iter().take_while(|file| {
        total += file.bytes;
        total <= MERGE_BYTES * 2
    });
    let files: Vec<Listed> = few.cloned().collect();
    Ok((files.len() > 1).then_some(files))
}

/// Writes one file with the quotes of these, each once. It is not listed yet.
pub fn merge(folder: &Folder, sources: &[Listed]) -> Result<Listed, Error> {
    let failed = |cause: &dyn std::fmt::Display| Error::new("files of the lake cannot be merged").because(cause);
    let dt = sources.first().map_or(Date::EPOCH, |file| file.dt);
    let names: Vec<&str> = sources.iter().map(|file| file.name.as_str()).collect();
    let name = lake::merged_key(dt, &names);
    let path = folder.lake().join(&name);
    let open = |name: &&str| -> io::Result<lake::Source<File>> {
        Ok(lake::Source { name: (*name).to_owned(), contents: File::open(folder.lake().join(name))? })
    };
    let opened = names.iter().map(open).collect::<io::Result<Vec<_>>>().map_err(|e| failed(&e))?;
    let draft = draft(&path);
    let file = File::create(&draft).map_err(|e| failed(&e))?;
    let span = lake::merge(opened, &file).map_err(|e| failed(&e))?;
    let bytes = file.sync_all().and_then(|()| file.metadata()).map_err(|e| failed(&e))?.len();
    fs::rename(&draft, &path).map_err(|e| failed(&e))?;
    path.parent().map_or(Ok(()), sync_folder).map_err(|e| failed(&e))?;
    Ok(Listed { name, dt, first: span.first, last: span.last, rows: span.rows, bytes })
}

/// Lists a merged file in place of its sources.
pub fn replace(tx: &Connection, sources: &[Listed], merged: &Listed, now: Timestamp) -> rusqlite::Result<()> {
    let mut statement = tx.prepare_cached("UPDATE lake_files SET replaced_at = ? WHERE name = ?")?;
    for source in sources {
        statement.execute(params![now.millis(), source.name])?;
    }
    list(tx, std::slice::from_ref(merged))
}

/// Deletes files that were replaced an hour ago and more.
pub fn remove_replaced(folder: &Folder, db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("SELECT name FROM lake_files WHERE replaced_at < ?")?;
    let names: Vec<String> =
        statement.query_map([now.millis() - REPLACED_STAYS], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let (mut gone, mut folders) = (Vec::new(), BTreeSet::new());
    for name in names {
        let path = folder.lake().join(&name);
        // Gone already is as good; anything else is tried again the next time.
        if fs::remove_file(&path).is_ok() || !path.exists() {
            folders.extend(path.parent().map(Path::to_owned));
            gone.push(name);
        }
    }
    // Without this a file could come back after a power loss, and nobody would know it any more.
    if folders.iter().all(|folder| sync_folder(folder).is_ok()) {
        for name in gone {
            db.execute("DELETE FROM lake_files WHERE name = ?", [name])?;
        }
    }
    Ok(())
}

/// Removes what a process left that ended without giving back the lease: drafts, and files past the checkpoint
/// that were never listed, which would otherwise be read twice by whoever reads the folder itself.
pub fn sweep(folder: &Folder, db: &Connection) -> rusqlite::Result<()> {
    let checkpoint = checkpoint(db, "archive")?;
    let mut known = db.prepare_cached("SELECT count(*) FROM lake_files WHERE name = ?")?;
    for kind in ["quotes", "raw-data"] {
        let below = fs::read_dir(folder.lake().join(kind)).into_iter().flatten().flatten();
        for entry in below {
            let files = fs::read_dir(entry.path()).into_iter().flatten().flatten().map(|f| f.path());
            for path in files.chain([entry.path()]) {
                let Ok(name) = path.strip_prefix(folder.lake()) else { continue };
                let name = name.to_string_lossy();
                let unlisted = match path.extension().and_then(|e| e.to_str()) {
                    Some("parquet") => known.query_row([&name], |row| row.get::<_, i64>(0))? == 0,
                    Some("json") => last_record(&name).is_some_and(|last| last > checkpoint),
                    Some(extension) => extension.starts_with("draft-"),
                    None => false,
                };
                if unlisted && path.is_file() {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }
    Ok(())
}

/// The last record of an object whose name ends with it.
fn last_record(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::{Local, Options, stream};
    use futures::executor::block_on;
    use pipeline::{ArchiveSettings, Raw, Record, RecordSequence};

    /// A stack whose lake has so many files, one quote each, of one day.
    fn stack(files: u64) -> (tempfile::TempDir, Local) {
        let home = tempfile::tempdir().expect("a folder");
        let local = Local::new(Folder::new(home.path(), "s"));
        local.up(&Options::default()).expect("a stack");
        for number in 1..=files {
            let lake = archived(&local, number);
            list(&local.folder().table().expect("a table"), lake.written()).expect("list");
        }
        let table = local.folder().table().expect("a table");
        table.execute("UPDATE checkpoints SET record = ?", [files as i64]).expect("a checkpoint");
        (home, local)
    }

    fn archived(local: &Local, number: u64) -> Lake {
        let mut lake = Lake::new(local.folder());
        let data = format!(r#"{{"symbol":"AAPL","timestamp":"2013-02-28T21:00:{number:02}Z","price":{number}}}"#);
        let record = Record {
            sequence: RecordSequence::local(number),
            partition_key: "AAPL".into(),
            arrived_at: stream::now(),
            data: data.into_bytes().into(),
        };
        let settings = ArchiveSettings { shard: "local".into(), raw: Raw::Symbol, anomaly: Default::default() };
        let done = block_on(pipeline::archive(&[record], &settings, &mut lake, || false));
        assert_eq!((done.quotes, done.failed), (vec![1], None));
        lake
    }

    fn files_on_disk(local: &Local) -> usize {
        let day = local.folder().lake().join("quotes/dt=2013-02-28");
        fs::read_dir(day).expect("a day").count()
    }

    /// Catches quotes that are lost or seen twice while files are merged, and files that go too early or never.
    #[test]
    fn merged_files_replace_their_sources_and_those_go_an_hour_later() {
        let (_home, local) = stack(9);
        let db = local.folder().table().expect("a table");
        let rows = || live(local.folder(), &db).expect("files").iter().map(|f| f.rows).sum::<u64>();
        let due = merge_due(&db).expect("due").expect("nine files are worth merging");
        let merged = merge(local.folder(), &due).expect("merged");
        assert_eq!((rows(), merged.rows), (9, 9));
        replace(&db, &due, &merged, stream::now()).expect("replaced");
        assert_eq!((rows(), live(local.folder(), &db).expect("files").len()), (9, 1));
        assert_eq!(merge_due(&db).expect("due"), None);

        remove_replaced(local.folder(), &db, stream::now()).expect("removal");
        assert_eq!(files_on_disk(&local), 10, "queries may still read them");
        remove_replaced(local.folder(), &db, stream::now().plus_millis(REPLACED_STAYS + 1)).expect("removal");
        assert_eq!((files_on_disk(&local), rows()), (1, 9));
    }

    /// Catches a past day that stays in pieces for ever, and one that is written anew for each late quote.
    #[test]
    fn a_day_that_is_over_becomes_one_file_where_that_is_worth_it() {
        let (_home, local) = stack(2);
        let db = local.folder().table().expect("a table");
        let due = |sizes: [u64; 2]| {
            for (size, smallest) in sizes.iter().zip(["min", "max"]) {
                let sql = format!(
                    "UPDATE lake_files SET bytes = ? WHERE name = (SELECT {smallest}(name) FROM lake_files WHERE dt = 15764)"
                );
                db.execute(&sql, [*size as i64]).expect("a size");
            }
            merge_due(&db).expect("due").map(|files| files.len())
        };
        assert_eq!(due([900_000, 900_000]), None, "the newest day goes on");
        db.execute("INSERT INTO lake_files VALUES ('later', 15765, 0, 0, 1, 1, NULL)", []).expect("a later day");
        assert_eq!(due([900_000, 900_000]), Some(2));
        assert_eq!(due([400_000, 400_000]), None, "small files cost little");
        assert_eq!(due([9_000_000, 500_000]), None, "little that is new");
        assert_eq!(due([9_000_000, 600_000]), Some(2));
    }

    /// Catches files of a killed process that whoever reads the folder would count twice, and a sweep that takes more.
    #[test]
    fn what_was_never_listed_is_swept_away() {
        let (_home, local) = stack(2);
        archived(&local, 3);
        let draft = local.folder().lake().join("quotes/dt=2013-02-28/x.draft-1");
        fs::write(&draft, "half").expect("a draft");
        let raw = local.folder().lake().join("raw-data/AAPL");
        assert_eq!((files_on_disk(&local), fs::read_dir(&raw).expect("raw").count()), (4, 3));
        sweep(local.folder(), &local.folder().table().expect("a table")).expect("a sweep");
        assert_eq!((files_on_disk(&local), fs::read_dir(&raw).expect("raw").count()), (2, 2));
    }
}
