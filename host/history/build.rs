//! Puts the descriptors of Temporal's protobufs where `json` can include them.
//!
//! `temporalio-protos` tells the build scripts of its dependents where its descriptor set lies. Comments and source
//! positions are most of that file and nothing at run time reads them, so they are dropped here.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn Error>> {
    let source = PathBuf::from(env::var("DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", source.display());

    let mut set = FileDescriptorSet::decode(fs::read(&source)?.as_slice())?;
    for file in &mut set.file {
        file.source_code_info = None;
    }
    let target = PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin");
    fs::write(target, set.encode_to_vec())?;
    Ok(())
}
