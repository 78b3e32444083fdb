//! Opening the folders that were granted.
//!
//! Who uploads a module names the folders, and an activity that may write into one can put symbolic links there. So the path of a folder
//! is followed part by part through handles and never through a link: it leads to the folder that the settings name, or nowhere. What no
//! settings can grant is refused here too: the kernel's own file systems, devices, and what this server keeps for itself.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, stat, statat};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::grants::Folder;

/// Why a folder is not opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Its path leads through a symbolic link, which may lead elsewhere tomorrow.
    #[error(
        "the folder {folder} that was granted cannot be opened: {link} is a symbolic link, and links are not followed; name the folder \
         by the path that it has without links (`realpath {folder}` prints it)"
    )]
    Link {
        /// The folder as it is named.
        folder: PathBuf,
        /// The part of its path that is a link.
        link: PathBuf,
    },
    /// It is a view of the kernel or of devices: there are the server's memory, environment and disks.
    #[error(
        "the folder {folder} cannot be granted: it belongs to the operating system's own file systems (/proc, /sys, /dev and the like); \
         grant a folder of plain files"
    )]
    System {
        /// The folder as it is named.
        folder: PathBuf,
    },
    /// This server keeps its own files there.
    #[error(
        "the folder {folder} cannot be granted: {own} is in it or around it, which belongs to the server itself; grant a folder beside it"
    )]
    Own {
        /// The folder as it is named.
        folder: PathBuf,
        /// What is the server's.
        own: PathBuf,
    },
    /// The operating system does not open it.
    #[error("the folder {folder} that was granted cannot be opened: {source}")]
    Open {
        /// The folder as it is named.
        folder: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// An open folder, under the guest's name for it.
pub(crate) struct Opened {
    pub(crate) dir: Dir,
    pub(crate) guest: String,
    device: u64,
}

/// Open what was granted; nothing of `own` may be within reach. Blocks.
pub(crate) fn open(folders: &[Folder], own: &[PathBuf]) -> Result<Vec<Opened>, FolderError> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let own: Vec<Own> = own.iter().map(|path| Own::of(path)).collect();
    folders
        .iter()
        .map(|folder| {
            let (file, device) = open_one(&folder.host, &own)?;
            let (perms, mode) = if folder.write {
                (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
            } else {
                (FsPerms::ReadOnly, OpenMode::READ)
            };
            Ok(Opened {
                dir: Dir::new(file, perms, mode, false),
                guest: folder.guest.clone(),
                device,
            })
        })
        .collect()
}

/// Look whether the folders can be granted, as far as they are there now. Blocks.
pub(crate) fn check(folders: &[Folder], own: &[PathBuf]) -> Result<(), FolderError> {
    let own: Vec<Own> = own.iter().map(|path| Own::of(path)).collect();
    for folder in folders {
        match open_one(&folder.host, &own) {
            // It may be made later.
            Ok(_) | Err(FolderError::Open { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What tells one folder or file from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id {
    device: u64,
    node: u64,
}

impl Id {
    #[allow(clippy::unnecessary_cast, reason = "the types differ between architectures")]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            node: stat.st_ino as u64,
        }
    }
}

/// A file or folder of the server's.
struct Own {
    path: PathBuf,
    /// Itself, if it is there.
    id: Option<Id>,
    /// All folders that it is in, as far as they are there.
    around: Vec<Id>,
}

impl Own {
    fn of(path: &Path) -> Self {
        // What is not there yet will be made in its folder; a relative path begins where the process is.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let real = absolute.ancestors().find_map(|part| {
            let real = part.canonicalize().ok()?;
            let rest = absolute.strip_prefix(part).ok()?;
            Some(real.join(rest))
        });
        let real = real.unwrap_or(absolute);
        let id = |path: &Path| stat(path).ok().map(|stat| Id::of(&stat));
        Self {
            path: path.to_owned(),
            id: id(&real),
            around: real.ancestors().skip(1).filter_map(id).collect(),
        }
    }
}

/// Open a folder, and say on which device it is.
fn open_one(folder: &Path, own: &[Own]) -> Result<(File, u64), FolderError> {
    let failed = |source: rustix::io::Errno| FolderError::Open {
        folder: folder.to_owned(),
        source: source.into(),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Of a folder that is beneath another one, both are looked at.
    let mut passed = Vec::new();
    let mut way = PathBuf::from("/");
    let mut at: OwnedFd = openat(CWD, "/", flags, Mode::empty()).map_err(failed)?;
    for part in folder.components() {
        let name = match part {
            Component::RootDir | Component::CurDir => continue,
            Component::Normal(name) => name,
            // The settings are checked for these; nothing may lead upwards.
            Component::ParentDir | Component::Prefix(_) => return Err(failed(rustix::io::Errno::INVAL)),
        };
        way.push(name);
        at = openat(&at, name, flags, Mode::empty()).map_err(|error| {
            // Only to tell why: whatever it has turned into, it was not opened.
            let is_link = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink());
            if is_link {
                FolderError::Link {
                    folder: folder.to_owned(),
                    link: way.clone(),
                }
            } else {
                failed(error)
            }
        })?;
        passed.push(Id::of(&fstat(&at).map_err(failed)?));
    }
    let id = Id::of(&fstat(&at).map_err(failed)?);
    if is_systems(&at).map_err(failed)? || is_of_devices(&passed, id) {
        return Err(FolderError::System {
            folder: folder.to_owned(),
        });
    }
    for own in own {
        let inside = own.id.is_some_and(|own| own == id || passed.contains(&own));
        if inside || own.around.contains(&id) {
            return Err(FolderError::Own {
                folder: folder.to_owned(),
                own: own.path.clone(),
            });
        }
    }
    Ok((File::from(at), id.device))
}

/// Whether a folder is in /dev. What is mounted beneath it, such as /dev/shm, is another file system.
fn is_of_devices(passed: &[Id], id: Id) -> bool {
    stat("/dev").is_ok_and(|devices| {
        let devices = Id::of(&devices);
        passed.contains(&devices) && devices.device == id.device
    })
}

/// Whether it is on a file system whose files are views of the kernel.
fn is_systems(file: impl AsFd) -> rustix::io::Result<bool> {
    const KINDS: &[u64] = &[
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x7363_6673, // securityfs
        0x6265_6570, // configfs
        0xde5e_81e4, // efivarfs
        0x6165_676c, // pstore
        0xcafe_4a11, // bpf
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0xf97c_ff8c, // selinux
        0x4249_4e4d, // binfmt_misc
        0x6e73_6673, // nsfs
        0x6573_5543, // fusectl
        0x1980_0202, // mqueue
        0x1cd1,      // devpts
    ];
    #[allow(clippy::unnecessary_cast, reason = "the types differ between architectures")]
    let kind = fstatfs(file)?.f_type as u64;
    // The kernel's numbers have 32 bits; some architectures extend the sign.
    Ok(KINDS.contains(&(kind & 0xffff_ffff)))
}

/// Whether a guest may have what it opened beneath a granted folder. Another file system may be mounted there, and a node of a device can
/// be anywhere.
pub(crate) fn may_have(opened: &Descriptor, granted: &[Opened]) -> io::Result<bool> {
    let file = file_of(opened);
    let stat = fstat(file)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind.is_char_device() || kind.is_block_device() {
        return Ok(false);
    }
    let device = Id::of(&stat).device;
    if granted.iter().any(|folder| folder.device == device) {
        return Ok(true);
    }
    Ok(!is_systems(file)?)
}

/// What is behind a handle of a guest.
pub(crate) fn file_of(descriptor: &Descriptor) -> &Arc<File> {
    match descriptor {
        Descriptor::File(file) => &file.file,
        Descriptor::Dir(dir) => &dir.dir,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn folder(path: &Path) -> Folder {
        Folder {
            host: path.to_owned(),
            guest: "/data".to_owned(),
            write: true,
        }
    }

    fn refused(path: &Path, own: &[PathBuf]) -> FolderError {
        let checked = check(&[folder(path)], own).unwrap_err();
        let error = open(&[folder(path)], own).err().unwrap();
        assert_eq!(checked.to_string(), error.to_string());
        error
    }

    /// A folder whose own path has no links.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().canonicalize().unwrap();
        (place, path)
    }

    // C2
    #[test]
    fn a_link_in_the_path_of_a_folder_is_not_followed() {
        let (_place, path) = place();
        fs::create_dir_all(path.join("real/deep")).unwrap();
        symlink("real", path.join("link")).unwrap();
        symlink(path.join("real/deep"), path.join("real/last")).unwrap();
        assert!(open(&[folder(&path.join("real/deep"))], &[]).is_ok());
        for (through, link) in [
            ("link", "link"),
            ("link/deep", "link"),
            ("real/last", "real/last"),
        ] {
            match refused(&path.join(through), &[]) {
                FolderError::Link { link: found, .. } => assert_eq!(found, path.join(link)),
                other => panic!("{through}: {other}"),
            }
        }
    }

    // C2
    #[test]
    fn what_is_missing_or_no_folder_fails_only_when_it_is_used() {
        let (_place, path) = place();
        fs::write(path.join("file"), "").unwrap();
        for name in ["missing", "file", "file/deep"] {
            let wanted = [folder(&path.join(name))];
            assert!(check(&wanted, &[]).is_ok());
            let error = open(&wanted, &[]).err().unwrap();
            assert!(
                matches!(error, FolderError::Open { .. }) && error.to_string().contains(name),
                "{error}"
            );
        }
    }

    // C2
    #[test]
    fn the_systems_own_file_systems_are_no_folders_to_grant() {
        for path in [
            "/proc",
            "/proc/self",
            "/proc/self/task",
            "/sys",
            "/sys/kernel",
            "/dev",
        ] {
            if Path::new(path).is_dir() {
                let error = refused(Path::new(path), &[]);
                // `/proc/self` is a link besides.
                assert!(
                    matches!(error, FolderError::System { .. } | FolderError::Link { .. }),
                    "{path}: {error}"
                );
            }
        }
    }

    // C2
    #[test]
    fn what_the_server_keeps_for_itself_is_out_of_reach() {
        let (_place, path) = place();
        for name in ["server/cache/code", "server/beside", "other"] {
            fs::create_dir_all(path.join(name)).unwrap();
        }
        let database = path.join("server/longhaul.redb");
        let own = [database.clone(), path.join("server/cache")];
        // Before and after the database is made.
        for _ in 0..2 {
            for name in ["", "server", "server/cache", "server/cache/code"] {
                let error = refused(&path.join(name), &own);
                assert!(matches!(error, FolderError::Own { .. }), "{name}: {error}");
            }
            assert!(matches!(refused(Path::new("/"), &own), FolderError::Own { .. }));
            for name in ["server/beside", "other"] {
                assert!(open(&[folder(&path.join(name))], &own).is_ok(), "{name}");
            }
            fs::write(&database, "").unwrap();
        }
    }

    // C2
    #[test]
    fn what_is_mounted_beneath_a_folder_is_judged_when_it_is_opened() {
        let (_place, path) = place();
        let granted = open(&[folder(&path)], &[]).unwrap();
        let file = |path: &str| {
            let (perms, mode) = (FsPerms::ReadOnly, OpenMode::READ);
            let file = File::open(path).unwrap();
            let opened = wasmtime_wasi::filesystem::File::new(file, perms, mode, false);
            may_have(&Descriptor::File(opened), &granted).unwrap()
        };
        fs::write(path.join("file"), "").unwrap();
        assert!(file(path.join("file").to_str().unwrap()));
        assert!(!file("/proc/self/environ"));
        assert!(!file("/dev/null"));
    }
}
