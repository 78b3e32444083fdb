//! Machine code on disk, so that a component is compiled once.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::CacheError;
use crate::raw::code;

/// The folder of one engine: `cache_dir/COMPATIBILITY/DIGEST.cwasm`. Another version of Wasmtime, other settings or another
/// processor have another folder.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn new(cache_dir: &Path, engine: &Engine) -> Self {
        struct Sha(Sha256);
        impl Hasher for Sha {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }

            fn finish(&self) -> u64 {
                // Never asked for: the whole SHA-256 is the result.
                0
            }
        }
        let mut sha = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut sha);
        Self {
            folder: cache_dir.join(hex::encode(&sha.0.finalize()[..8])),
        }
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        self.folder.join(hex::encode(digest)).with_extension("cwasm")
    }

    /// The code, if it is there. A damaged file is an error; it is written anew after the component was compiled.
    pub(crate) fn load(&self, engine: &Engine, digest: &[u8; 32]) -> Result<Option<Component>, CacheError> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(file) => code::load(engine, digest, &file)
                .map(Some)
                .map_err(|what| CacheError::Damaged { path, what }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CacheError::Io { path, source }),
        }
    }

    /// Keep the code. Readers see the old file or the whole new one.
    pub(crate) fn store(&self, digest: &[u8; 32], code: &[u8]) -> Result<(), CacheError> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let path = self.path(digest);
        // Each writer has a draft of its own; whichever is renamed last wins, and all hold the same.
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let mut file = fs::File::create(&draft)?;
            file.write_all(&code::seal(digest, code))?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&draft);
            CacheError::Io {
                path: path.clone(),
                source,
            }
        })
    }
}
