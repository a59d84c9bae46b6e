//! A disk that forgets: what was not synced may be lost in a crash, in part or whole, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use windlass_model::Digest;

use crate::disk::{Fs, Guard, Item, Writer};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
}

/// A change of names that is not durable yet.
#[derive(Clone)]
struct Change {
    dir: PathBuf,
    remove: Option<PathBuf>,
    insert: Option<(PathBuf, Node)>,
}

type Tree = BTreeMap<PathBuf, Node>;

fn apply(tree: &mut Tree, change: &Change) {
    if let Some(path) = &change.remove {
        tree.remove(path);
    }
    if let Some((path, node)) = &change.insert {
        tree.insert(path.clone(), *node);
    }
}

/// What a crash leaves of content that was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tail {
    Nothing,
    Half,
    Zeros,
    HalfZeros,
    All,
}

pub(crate) const TAILS: [Tail; 5] = [Tail::Nothing, Tail::Half, Tail::Zeros, Tail::HalfZeros, Tail::All];

/// What goes wrong at an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The machine stops before it.
    Crash,
    /// It is not done and fails; a write is done by half.
    Fails(ErrorKind),
    /// It is done, and fails nevertheless.
    Lies(ErrorKind),
}

#[derive(Clone, Default)]
struct World {
    inodes: Vec<Inode>,
    live: Tree,
    durable: Tree,
    pending: Vec<Change>,
    locks: BTreeSet<PathBuf>,
    count: usize,
    fault: Option<(usize, Fault)>,
    crashed: bool,
    /// Protections that are left out, to see that the tests notice.
    pub skip_sync: bool,
    pub skip_sync_dir: bool,
}

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct SimFs(Arc<Mutex<World>>);

struct SimGuard(SimFs, PathBuf);
struct SimFile(SimFs, usize);

impl Guard for SimGuard {}

impl Drop for SimGuard {
    fn drop(&mut self) {
        self.0.world().locks.remove(&self.1);
    }
}

fn not_found() -> io::Error {
    ErrorKind::NotFound.into()
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap().to_owned()
}

impl World {
    /// Counts an operation; whether it is done, and whether it fails.
    fn turn(&mut self) -> (bool, io::Result<()>) {
        let at = self.count;
        self.count += 1;
        if self.crashed {
            return (false, Err(io::Error::other("the machine stopped")));
        }
        match self.fault {
            Some((when, fault)) if when == at => match fault {
                Fault::Crash => {
                    self.crashed = true;
                    (false, Err(io::Error::other("the machine stopped")))
                }
                Fault::Fails(kind) => (false, Err(kind.into())),
                Fault::Lies(kind) => (true, Err(kind.into())),
            },
            _ => (true, Ok(())),
        }
    }

    fn change(&mut self, dir: PathBuf, remove: Option<&Path>, insert: Option<(&Path, Node)>) {
        let change = Change {
            dir,
            remove: remove.map(Path::to_owned),
            insert: insert.map(|(p, n)| (p.to_owned(), n)),
        };
        apply(&mut self.live, &change);
        self.pending.push(change);
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.live.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Dir) => Err(ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn need_dir(&self, dir: &Path) -> io::Result<()> {
        match self.live.get(dir) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn need_free(&self, path: &Path) -> io::Result<()> {
        self.need_dir(&parent(path))?;
        if self.live.contains_key(path) { Err(ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    fn add_file(&mut self, path: &Path) -> usize {
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.change(parent(path), None, Some((path, Node::File(inode))));
        inode
    }
}

impl SimFs {
    /// A disk with one directory.
    pub fn new(root: &Path) -> SimFs {
        let fs = SimFs::default();
        let mut world = fs.world();
        for dir in root.ancestors() {
            world.live.insert(dir.to_owned(), Node::Dir);
            world.durable.insert(dir.to_owned(), Node::Dir);
        }
        drop(world);
        fs
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub fn set_fault(&self, at: usize, fault: Fault) {
        self.world().fault = Some((at, fault));
    }

    pub fn skip(&self, sync: bool, sync_dir: bool) {
        let mut world = self.world();
        (world.skip_sync, world.skip_sync_dir) = (sync, sync_dir);
    }

    /// How many operations there were.
    pub fn count(&self) -> usize {
        self.world().count
    }

    /// How many changes of names are not durable.
    pub fn pending(&self) -> usize {
        self.world().pending.len()
    }

    /// The disk after a crash: of the pending changes those that `kept` says, of content that was not synced what `tail` says.
    pub fn after_crash(&self, kept: impl Fn(usize) -> bool, tail: impl Fn(usize) -> Tail) -> SimFs {
        let mut world = self.world().clone();
        for (at, change) in world.pending.iter().enumerate() {
            if kept(at) {
                apply(&mut world.durable, change);
            }
        }
        let durable = world.durable.clone();
        let reachable =
            |path: &Path| path.ancestors().skip(1).all(|dir| durable.get(dir) == Some(&Node::Dir));
        world.durable.retain(|path, _| reachable(path));
        for (at, inode) in world.inodes.iter_mut().enumerate() {
            let synced = inode.durable.len();
            let lost = inode.live.len() - synced;
            let tail = tail(at);
            let (keep, zeros) = match tail {
                Tail::Nothing => (0, 0),
                Tail::Half => (lost / 2, 0),
                Tail::Zeros => (0, lost),
                Tail::HalfZeros => (lost, lost / 2),
                Tail::All => (lost, 0),
            };
            inode.live.truncate(synced + keep);
            if tail == Tail::HalfZeros {
                inode.live[synced..synced + zeros].fill(0);
            } else {
                inode.live.resize(inode.live.len() + zeros, 0);
            }
            inode.durable = inode.live.clone();
        }
        let world = World {
            inodes: world.inodes,
            live: world.durable.clone(),
            durable: world.durable,
            ..World::default()
        };
        SimFs(Arc::new(Mutex::new(world)))
    }

    /// What tells two disks apart.
    pub fn fingerprint(&self) -> Digest {
        let world = self.world();
        let mut bytes = Vec::new();
        for (path, node) in &world.live {
            bytes.extend_from_slice(path.to_str().unwrap().as_bytes());
            if let Node::File(inode) = node {
                let content = &world.inodes[*inode].live;
                bytes.extend_from_slice(format!("\0{}\0", content.len()).as_bytes());
                bytes.extend_from_slice(content);
            }
        }
        Digest::of(&bytes)
    }

    /// The disk after a mere end of the process.
    pub fn after_kill(&self) -> SimFs {
        self.after_crash(|_| true, |_| Tail::All)
    }
}

impl Writer for SimFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.world();
        let (done, result) = world.turn();
        let written = if done { bytes } else { &bytes[..bytes.len() / 2] };
        if !world.crashed {
            world.inodes[self.1].live.extend_from_slice(written);
        }
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.0.world();
        let (done, result) = world.turn();
        if done && !world.skip_sync {
            let inode = &mut world.inodes[self.1];
            inode.durable = inode.live.clone();
        }
        result
    }
}

impl Fs for SimFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let world = self.world();
        Ok(world.inodes[world.file(path)?].live.clone())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        let world = self.world();
        world.need_dir(dir)?;
        let inside = world.live.iter().filter(|(path, _)| path.parent() == Some(dir));
        let item = |(path, node): (&PathBuf, &Node)| Item {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            is_dir: *node == Node::Dir,
        };
        Ok(inside.map(item).collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.world().live.contains_key(path)
    }

    fn modified_ms(&self, path: &Path) -> io::Result<u64> {
        self.world().live.get(path).map(|_| 0).ok_or_else(not_found)
    }

    fn touch(&self, path: &Path, _now_ms: u64) -> io::Result<()> {
        self.world().file(path).map(|_| ())
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.need_free(dir)?;
        let (done, result) = world.turn();
        if done {
            world.change(parent(dir), None, Some((dir, Node::Dir)));
        }
        result
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Writer>> {
        let mut world = self.world();
        world.need_free(path)?;
        let (done, result) = world.turn();
        if !done {
            return Err(result.unwrap_err());
        }
        let inode = world.add_file(path);
        result.map(|()| Box::new(SimFile(self.clone(), inode)) as Box<dyn Writer>)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Writer>> {
        let mut world = self.world();
        let inode = world.file(path)?;
        world.turn().1.map(|()| Box::new(SimFile(self.clone(), inode)) as Box<dyn Writer>)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let inode = world.file(from)?;
        let (done, result) = world.turn();
        if done {
            world.change(parent(to), Some(from), Some((to, Node::File(inode))));
        }
        result
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let inode = world.file(from)?;
        world.need_free(to)?;
        let (done, result) = world.turn();
        if done {
            world.change(parent(to), None, Some((to, Node::File(inode))));
        }
        result
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.file(path)?;
        let (done, result) = world.turn();
        if done {
            world.change(parent(path), Some(path), None);
        }
        result
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.need_dir(dir)?;
        if world.live.keys().any(|path| path.parent() == Some(dir)) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let (done, result) = world.turn();
        if done {
            world.change(parent(dir), Some(dir), None);
        }
        result
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.need_dir(dir)?;
        let (done, result) = world.turn();
        if done && !world.skip_sync_dir {
            let world = &mut *world;
            let (now, later): (Vec<_>, Vec<_>) =
                world.pending.drain(..).partition(|change| change.dir == dir);
            now.iter().for_each(|change| apply(&mut world.durable, change));
            world.pending = later;
        }
        result
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>> {
        let lock = self.try_lock(path)?;
        Ok(lock.expect("waits for itself for ever"))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>> {
        let mut world = self.world();
        world.need_dir(&parent(path))?;
        world.turn().1?;
        if !world.live.contains_key(path) {
            world.add_file(path);
        }
        let free = world.locks.insert(path.to_owned());
        Ok(free.then(|| Box::new(SimGuard(self.clone(), path.to_owned())) as Box<dyn Guard>))
    }
}
