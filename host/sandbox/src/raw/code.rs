//! Machine code on disk: only what this program has written, and only undamaged, is ever loaded.

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Names the format; the digit counts its versions.
const MAGIC: &[u8; 8] = b"LHcode1\n";
const DIGEST_BYTES: usize = 32;

/// Wrap machine code for a file: magic, SHA-256 of all that follows it, SHA-256 of the component, code.
pub(crate) fn seal(component: &[u8; 32], code: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(MAGIC.len() + 2 * DIGEST_BYTES + code.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&checksum(component, code));
    file.extend_from_slice(component);
    file.extend_from_slice(code);
    file
}

/// Check a file that [`seal`] made for this component, and load its code.
pub(crate) fn load(engine: &Engine, component: &[u8; 32], file: &[u8]) -> Result<Component, String> {
    let rest = file.strip_prefix(MAGIC).ok_or("it is not a file of this cache")?;
    let (sum, rest) = rest.split_at_checked(DIGEST_BYTES).ok_or("it is too short")?;
    let (of, code) = rest.split_at_checked(DIGEST_BYTES).ok_or("it is too short")?;
    if of != component {
        return Err("it belongs to another component".into());
    }
    if sum != checksum(component, code) {
        return Err("its checksum does not match".into());
    }
    // SAFETY: `deserialize` asks for bytes that `Component::serialize` has returned, unaltered. The cache folder is written
    // by this program only (whoever can write there could replace the program's own database as well), and the checksum
    // shows that the file holds what was written. Wasmtime checks by itself that the code was made by the same version with
    // the same settings for this processor.
    unsafe { Component::deserialize(engine, code) }.map_err(|e| format!("{e:#}"))
}

fn checksum(component: &[u8; 32], code: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(component)
        .chain_update(code)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_what_was_sealed_and_nothing_else() {
        let engine = Engine::default();
        let id = [7; 32];
        let code = Component::new(&engine, wat::parse_str("(component)").unwrap())
            .unwrap()
            .serialize()
            .unwrap();
        let file = seal(&id, &code);
        assert!(load(&engine, &id, &file).is_ok());
        assert_eq!(
            load(&engine, &[8; 32], &file).err().unwrap(),
            "it belongs to another component"
        );
        assert_eq!(
            load(&engine, &id, &code).err().unwrap(),
            "it is not a file of this cache"
        );
        for cut in [0, MAGIC.len(), MAGIC.len() + 40, file.len() - 1] {
            assert!(load(&engine, &id, &file[..cut]).is_err(), "cut at {cut}");
        }
        for at in (0..file.len()).step_by(997) {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(load(&engine, &id, &bad).is_err(), "altered at {at}");
        }
    }
}
