//! Files of activities: those of the WASI implementation; what it denies is logged with the line of the settings that would grant it.

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::{
    preopens,
    types::{self, ErrorCode, HostDescriptor, HostDirectoryEntryStream},
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use crate::activity::ActivityState;
use crate::folders;

/// A handle of the guest.
type Handle = Resource<Descriptor>;

/// Put these before those of the WASI implementation.
pub(crate) fn add_to_linker(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    preopens::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    types::add_to_linker::<_, HasSelf<ActivityState>>(linker, |s| s)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl ActivityState {
    /// The attempt has failed, perhaps for the lack of a file.
    pub(crate) fn tell_of_folders(&self) {
        if self.lacks_folders {
            self.network().tell(
                "the attempt failed, and its module has no folders, so that every file is missing; a line such as `folders = [{ host = \
                 \"/srv/data\", guest = \"/data\" }]` under `[grants]` in its settings grants one"
                    .to_owned(),
            );
        }
    }

    /// Close what the guest may not have after all.
    fn judged(&mut self, what: &str, opened: Handle) -> FsResult<Handle> {
        let table = self.table();
        let descriptor = table.get(&opened)?.clone();
        if folders::may_have(&descriptor, self.folders()).map_err(FsError::from)? {
            return Ok(opened);
        }
        HostDescriptor::drop(&mut self.filesystem(), opened).map_err(FsError::trap)?;
        self.network().deny(format!(
            "{what} was refused: it is a device, or belongs to the operating system's own file systems; no line grants it"
        ));
        Err(ErrorCode::Access.into())
    }

    /// Log what was denied. Not granted are two things alike: to write where only reading is granted, and what lies outside of a folder.
    fn told<T>(&self, what: &str, outcome: FsResult<T>) -> FsResult<T> {
        if let Err(error) = &outcome
            && matches!(
                error.downcast_ref(),
                Some(ErrorCode::NotPermitted | ErrorCode::ReadOnly)
            )
        {
            self.network().deny(format!(
                "{what} was refused: the folder is granted without `write = true`, or the path leads out of it; `folders` under \
                 `[grants]` in the module's settings names what is granted, and `write = true` beside a folder grants writing"
            ));
        }
        outcome
    }
}

impl preopens::Host for ActivityState {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Handle, String)>> {
        let opened: Vec<_> = self
            .folders()
            .iter()
            .map(|f| (f.dir.clone(), f.guest.clone()))
            .collect();
        let mut folders = Vec::with_capacity(opened.len());
        for (dir, guest) in opened {
            folders.push((self.table().push(Descriptor::Dir(dir))?, guest));
        }
        // A path that lies in none of them is never asked for: the guest's libc refuses it by itself.
        self.lacks_folders = folders.is_empty();
        Ok(folders)
    }
}

impl types::Host for ActivityState {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.filesystem().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.filesystem().filesystem_error_code(error)
    }
}

impl HostDescriptor for ActivityState {
    async fn advise(
        &mut self,
        fd: Handle,
        offset: types::Filesize,
        len: types::Filesize,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.filesystem().advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Handle) -> FsResult<()> {
        self.filesystem().sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Handle) -> FsResult<types::DescriptorFlags> {
        self.filesystem().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Handle) -> FsResult<types::DescriptorType> {
        self.filesystem().get_type(fd).await
    }

    async fn set_size(&mut self, fd: Handle, size: types::Filesize) -> FsResult<()> {
        let outcome = self.filesystem().set_size(fd, size).await;
        self.told("resizing a file", outcome)
    }

    async fn set_times(
        &mut self,
        fd: Handle,
        atim: types::NewTimestamp,
        mtim: types::NewTimestamp,
    ) -> FsResult<()> {
        let outcome = self.filesystem().set_times(fd, atim, mtim).await;
        self.told("changing the times of a file", outcome)
    }

    async fn read(
        &mut self,
        fd: Handle,
        len: types::Filesize,
        offset: types::Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.filesystem().read(fd, len, offset).await
    }

    async fn write(
        &mut self,
        fd: Handle,
        buf: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        let outcome = self.filesystem().write(fd, buf, offset).await;
        self.told("writing a file", outcome)
    }

    async fn read_directory(&mut self, fd: Handle) -> FsResult<Resource<types::DirectoryEntryStream>> {
        self.filesystem().read_directory(fd).await
    }

    async fn sync(&mut self, fd: Handle) -> FsResult<()> {
        self.filesystem().sync(fd).await
    }

    async fn create_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let what = format!("creating the folder {path:?}");
        let outcome = self.filesystem().create_directory_at(fd, path).await;
        self.told(&what, outcome)
    }

    async fn stat(&mut self, fd: Handle) -> FsResult<types::DescriptorStat> {
        self.filesystem().stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let what = format!("looking at {path:?}");
        let outcome = self.filesystem().stat_at(fd, path_flags, path).await;
        self.told(&what, outcome)
    }

    async fn set_times_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
        atim: types::NewTimestamp,
        mtim: types::NewTimestamp,
    ) -> FsResult<()> {
        let what = format!("changing the times of {path:?}");
        let outcome = self
            .filesystem()
            .set_times_at(fd, path_flags, path, atim, mtim)
            .await;
        self.told(&what, outcome)
    }

    async fn link_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
        new_fd: Handle,
        new_path: String,
    ) -> FsResult<()> {
        let what = format!("linking {path:?}");
        let outcome = self
            .filesystem()
            .link_at(fd, path_flags, path, new_fd, new_path)
            .await;
        self.told(&what, outcome)
    }

    async fn open_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Handle> {
        let what = format!("opening {path:?}");
        let Some(right) = self.descriptor() else {
            return Err(ErrorCode::Quota.into());
        };
        let outcome = self
            .filesystem()
            .open_at(fd, path_flags, path, open_flags, flags)
            .await;
        let outcome = match outcome {
            Ok(opened) => self.judged(&what, opened),
            refused => refused,
        };
        if let Ok(opened) = &outcome {
            let file = folders::file_of(self.table().get(opened)?).clone();
            self.held().file(&file, right);
        }
        self.told(&what, outcome)
    }

    async fn readlink_at(&mut self, fd: Handle, path: String) -> FsResult<String> {
        let what = format!("reading the link {path:?}");
        let outcome = self.filesystem().readlink_at(fd, path).await;
        self.told(&what, outcome)
    }

    async fn remove_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let what = format!("removing the folder {path:?}");
        let outcome = self.filesystem().remove_directory_at(fd, path).await;
        self.told(&what, outcome)
    }

    async fn rename_at(
        &mut self,
        fd: Handle,
        path: String,
        new_fd: Handle,
        new_path: String,
    ) -> FsResult<()> {
        let what = format!("renaming {path:?}");
        let outcome = self.filesystem().rename_at(fd, path, new_fd, new_path).await;
        self.told(&what, outcome)
    }

    async fn symlink_at(&mut self, fd: Handle, target: String, path: String) -> FsResult<()> {
        let what = format!("making the link {path:?}");
        let outcome = self.filesystem().symlink_at(fd, target, path).await;
        self.told(&what, outcome)
    }

    async fn unlink_file_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let what = format!("removing {path:?}");
        let outcome = self.filesystem().unlink_file_at(fd, path).await;
        self.told(&what, outcome)
    }

    fn read_via_stream(&mut self, fd: Handle, offset: types::Filesize) -> FsResult<Resource<DynInputStream>> {
        self.filesystem().read_via_stream(fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Handle,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let outcome = self.filesystem().write_via_stream(fd, offset);
        self.told("writing a file", outcome)
    }

    fn append_via_stream(&mut self, fd: Handle) -> FsResult<Resource<DynOutputStream>> {
        let outcome = self.filesystem().append_via_stream(fd);
        self.told("writing a file", outcome)
    }

    async fn metadata_hash(&mut self, fd: Handle) -> FsResult<types::MetadataHashValue> {
        self.filesystem().metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let what = format!("looking at {path:?}");
        let outcome = self.filesystem().metadata_hash_at(fd, path_flags, path).await;
        self.told(&what, outcome)
    }

    async fn is_same_object(&mut self, one: Handle, other: Handle) -> wasmtime::Result<bool> {
        self.filesystem().is_same_object(one, other).await
    }

    fn drop(&mut self, fd: Handle) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.filesystem(), fd)?;
        self.held().sweep_files();
        Ok(())
    }
}

impl HostDirectoryEntryStream for ActivityState {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.filesystem().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.filesystem(), stream)
    }
}
