//! A disk as the worst file system would leave it.
//!
//! Bytes of a file survive that were written before a sync of this file began and ended. A name survives where its
//! folder was synced after it was made; what a file's own sync does for its name depends on the [`Names`]. Of all else
//! anything may survive: each page by itself, torn between sectors, each change of a name by itself.

use super::trace::{Event, What};
use crate::durability::load::Random;
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

/// What is written at once unless it is torn.
const PAGE: usize = 4096;
/// What is never torn.
const SECTOR: usize = 512;

/// What makes names durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// A sync of their folder and nothing else: all that POSIX promises.
    ByFolder,
    /// Any sync, with all names before it, and in order: what a journal such as that of ext4 does.
    InOrder,
}

/// What becomes of what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is gone.
    Lost,
    /// All of it survives, as if the process alone had died.
    Kept,
    /// Chance decides.
    Mixed,
}

/// A file system, as programs see it and as it is on the disk.
pub(crate) struct Disk {
    names: Names,
    /// Syncs of these files and folders do nothing, to prove that they are needed.
    deaf_to: fn(&str) -> bool,
    nodes: Vec<Node>,
    by_inode: HashMap<u64, usize>,
    /// The syncs that have begun: when.
    began: HashMap<u64, usize>,
    now: usize,
}

struct Node {
    /// The path that it was made with.
    path: String,
    kind: Kind,
}

enum Kind {
    File { seen: Vec<u8>, durable: Vec<u8>, pending: Vec<(usize, Change)> },
    Folder { seen: Entries, durable: Entries, pending: Vec<(usize, Renaming)> },
}

type Entries = BTreeMap<String, usize>;

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
    Room(usize),
}

#[derive(Clone)]
enum Renaming {
    Set(String, usize),
    Remove(String),
    Rename(String, String, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(data);
            }
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Room(end) => bytes.resize(bytes.len().max(*end), 0),
        }
    }

    /// Each part of it by chance.
    fn apply_in_part(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let Self::Write(at, data) = self else {
            if random.percent(50) {
                self.apply(bytes);
            }
            return;
        };
        let part = if random.percent(30) { SECTOR } else { PAGE };
        let (mut start, end) = (*at, at + data.len());
        while start < end {
            let next = (start / part + 1) * part;
            if random.percent(50) {
                Self::Write(start, data[start - at..next.min(end) - at].to_vec()).apply(bytes);
            }
            start = next;
        }
    }
}

impl Renaming {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Set(name, node) => {
                entries.insert(name.clone(), *node);
            }
            Self::Remove(name) => {
                entries.remove(name);
            }
            Self::Rename(old, new, node) => {
                entries.remove(old);
                entries.insert(new.clone(), *node);
            }
        }
    }
}

impl Disk {
    /// Empty folders that are durable, with their inodes; the first is that of all others.
    pub(crate) fn new(folders: &[(String, u64)], names: Names, deaf_to: fn(&str) -> bool) -> Self {
        let mut disk =
            Self { names, deaf_to, nodes: Vec::new(), by_inode: HashMap::new(), began: HashMap::new(), now: 0 };
        for (i, (path, inode)) in folders.iter().enumerate() {
            disk.nodes.push(Node { path: path.clone(), kind: Kind::folder() });
            disk.by_inode.insert(*inode, i);
            if i > 0 {
                let (parent, name) = disk.parent(path);
                disk.rename(parent, Renaming::Set(name, i));
                disk.nodes[parent].kind.sync(0);
            }
        }
        disk
    }

    /// Does what was done.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.now += 1;
        match &event.what {
            What::Made { inode, path, folder } => {
                let kind = if *folder { Kind::folder() } else { Kind::file() };
                self.nodes.push(Node { path: path.clone(), kind });
                // An inode that is made again is another file.
                self.by_inode.insert(*inode, self.nodes.len() - 1);
                let (parent, name) = self.parent(path);
                self.rename(parent, Renaming::Set(name, self.nodes.len() - 1));
            }
            What::Removed { path } => {
                let (parent, name) = self.parent(path);
                self.rename(parent, Renaming::Remove(name));
            }
            What::Renamed { old, new } => {
                let ((parent, old_name), (new_parent, new_name)) = (self.parent(old), self.parent(new));
                assert_eq!(parent, new_parent, "a rename from folder to folder is not modelled");
                self.rename(parent, Renaming::Rename(old_name, new_name, self.find(old)));
            }
            What::Linked { old, new } => {
                let (parent, name) = self.parent(new);
                self.rename(parent, Renaming::Set(name, self.find(old)));
            }
            What::Written { inode, at, data } => self.change(*inode, Change::Write(*at, data.clone())),
            What::LengthSet { inode, length } => self.change(*inode, Change::Length(*length)),
            What::RoomMade { inode, end } => self.change(*inode, Change::Room(*end)),
            What::SyncBegan { number } | What::SyncAllBegan { number } => {
                self.began.insert(*number, self.now);
            }
            What::SyncEnded { inode, number } => {
                let began = self.began[number];
                let node = self.by_inode[inode];
                if !(self.deaf_to)(&self.nodes[node].path) {
                    self.nodes[node].kind.sync(began);
                    self.sync_names(began);
                }
            }
            What::SyncAllEnded { number } => {
                let began = self.began[number];
                let heard = |node: &&mut Node| !(self.deaf_to)(&node.path);
                self.nodes.iter_mut().filter(heard).for_each(|node| node.kind.sync(began));
            }
            What::Printed(_) => {}
        }
    }

    fn sync_names(&mut self, began: usize) {
        if self.names == Names::InOrder {
            let folders = self.nodes.iter_mut().filter(|node| matches!(node.kind, Kind::Folder { .. }));
            folders.for_each(|folder| folder.kind.sync(began));
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        let node = &mut self.nodes[self.by_inode[&inode]];
        let Kind::File { seen, pending, .. } = &mut node.kind else { panic!("'{}' is no file", node.path) };
        change.apply(seen);
        pending.push((self.now, change));
    }

    fn rename(&mut self, folder: usize, renaming: Renaming) {
        let node = &mut self.nodes[folder];
        let Kind::Folder { seen, pending, .. } = &mut node.kind else { panic!("'{}' is no folder", node.path) };
        renaming.apply(seen);
        pending.push((self.now, renaming));
    }

    fn parent(&self, path: &str) -> (usize, String) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(parent), name.to_owned())
    }

    fn find(&self, path: &str) -> usize {
        self.lookup(path).unwrap_or_else(|| panic!("the trace knows no '{path}'"))
    }

    fn lookup(&self, path: &str) -> Option<usize> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(0, |folder, name| match &self.nodes[folder].kind {
            Kind::Folder { seen, .. } => seen.get(name).copied(),
            Kind::File { .. } => None,
        })
    }

    /// The files whose paths begin so, by the rest of their paths, as programs saw them.
    pub(crate) fn files(&self, prefix: &str) -> HashMap<String, Vec<u8>> {
        let mut files = HashMap::new();
        self.collect(0, "", prefix, &mut files);
        files
    }

    fn collect(&self, node: usize, path: &str, prefix: &str, files: &mut HashMap<String, Vec<u8>>) {
        match &self.nodes[node].kind {
            Kind::File { seen, .. } => {
                if let Some(name) = path.strip_prefix(prefix) {
                    files.insert(name.to_owned(), seen.clone());
                }
            }
            Kind::Folder { seen, .. } => {
                for (name, node) in seen {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    self.collect(*node, &path, prefix, files);
                }
            }
        }
    }

    /// Writes what a loss of power now leaves into this folder.
    pub(crate) fn lose_power(&self, to: &Path, rest: Rest, random: &mut Random) -> io::Result<()> {
        let kept = Kept { until: self.now.saturating_sub(random.spread(1, 300) as usize), rest };
        self.write(0, to, kept, random, &mut HashMap::new())
    }

    fn write(
        &self,
        node: usize,
        to: &Path,
        kept: Kept,
        random: &mut Random,
        written: &mut HashMap<usize, Vec<u8>>,
    ) -> io::Result<()> {
        match &self.nodes[node].kind {
            Kind::File { durable, pending, .. } => {
                let bytes = written.entry(node).or_insert_with(|| {
                    let mut bytes = durable.clone();
                    for (_, change) in pending {
                        match kept.rest {
                            Rest::Lost => {}
                            Rest::Kept => change.apply(&mut bytes),
                            Rest::Mixed => change.apply_in_part(&mut bytes, random),
                        }
                    }
                    bytes
                });
                if to.to_string_lossy().ends_with("-shm") {
                    // Shared memory that was written back at any time.
                    *bytes = (0..32_768).map(|_| random.next() as u8).collect();
                }
                fs::write(to, bytes)
            }
            Kind::Folder { durable, pending, .. } => {
                let mut entries = durable.clone();
                for (at, renaming) in pending {
                    let survives = match (kept.rest, self.names) {
                        (Rest::Lost, _) => false,
                        (Rest::Kept, _) => true,
                        (Rest::Mixed, Names::ByFolder) => random.percent(50),
                        (Rest::Mixed, Names::InOrder) => *at <= kept.until,
                    };
                    if survives {
                        renaming.apply(&mut entries);
                    }
                }
                fs::create_dir_all(to)?;
                entries.iter().try_for_each(|(name, node)| self.write(*node, &to.join(name), kept, random, written))
            }
        }
    }
}

/// What survives of what is not durable.
#[derive(Clone, Copy)]
struct Kept {
    rest: Rest,
    /// Where names survive in order: up to then.
    until: usize,
}

impl Kind {
    fn file() -> Self {
        Self::File { seen: Vec::new(), durable: Vec::new(), pending: Vec::new() }
    }

    fn folder() -> Self {
        Self::Folder { seen: Entries::new(), durable: Entries::new(), pending: Vec::new() }
    }

    /// Makes durable what was done before this moment.
    fn sync(&mut self, began: usize) {
        match self {
            Self::File { durable, pending, .. } => {
                let done = pending.iter().take_while(|(at, _)| *at <= began).count();
                pending.drain(..done).for_each(|(_, change)| change.apply(durable));
            }
            Self::Folder { durable, pending, .. } => {
                let done = pending.iter().take_while(|(at, _)| *at <= began).count();
                pending.drain(..done).for_each(|(_, renaming)| renaming.apply(durable));
            }
        }
    }
}
