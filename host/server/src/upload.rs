//! Putting an upload together: a header, then chunks. Pure, so that every order of messages can be tested.

use longhaul_runtime::modules::Upload;
use tonic::Status;

use crate::{
    module_proto::{UploadHeader, upload_request::Part},
    status,
};

/// Largest chunk in bytes, as `module.proto` says.
pub(crate) const CHUNK_MAX_BYTES: usize = 1 << 20;

/// Longest module name in bytes.
const NAME_MAX_BYTES: usize = 200;

/// An upload whose header has arrived.
#[derive(Debug)]
pub(crate) struct Assembly {
    upload: Upload,
    /// What the header says, 0 if it does not.
    declared: u64,
    max_bytes: usize,
}

impl Assembly {
    /// Begins with the stream's first message.
    pub(crate) fn begin(first: Option<Part>, max_bytes: usize) -> Result<Self, Status> {
        let header = match first {
            Some(Part::Header(header)) => header,
            Some(Part::Chunk(_)) => {
                return Err(status::invalid_argument(
                    "the upload's first message is a chunk; it must be the header",
                ));
            }
            None => {
                return Err(status::invalid_argument(
                    "the upload is empty; its first message must be the header",
                ));
            }
        };
        let UploadHeader {
            namespace,
            name,
            queue,
            size,
            config,
        } = header;
        check_name(&name)?;
        if usize::try_from(size).is_ok_and(|size| size <= max_bytes) {
            let namespace = namespace_or_default(namespace);
            let upload = Upload {
                namespace,
                name,
                queue,
                config,
                bytes: Vec::new(),
            };
            Ok(Self {
                upload,
                declared: size,
                max_bytes,
            })
        } else {
            Err(over_limit(&name, &format!("of {size} bytes"), max_bytes))
        }
    }

    /// Takes the next message.
    pub(crate) fn add(&mut self, part: Option<Part>) -> Result<(), Status> {
        let chunk = match part {
            Some(Part::Chunk(chunk)) => chunk,
            Some(Part::Header(_)) => {
                return Err(status::invalid_argument(
                    "the upload has a second header; after the first message come chunks",
                ));
            }
            None => {
                return Err(status::invalid_argument(
                    "the upload has a message that is neither header nor chunk",
                ));
            }
        };
        if chunk.len() > CHUNK_MAX_BYTES {
            return Err(status::invalid_argument(format!(
                "the upload has a chunk of {} bytes; the limit is {CHUNK_MAX_BYTES}",
                chunk.len()
            )));
        }
        let bytes = &mut self.upload.bytes;
        let size = bytes.len() + chunk.len();
        if self.declared != 0 && size as u64 > self.declared {
            return Err(status::invalid_argument(format!(
                "the upload is longer than the {} bytes that its header declares",
                self.declared
            )));
        }
        if size > self.max_bytes {
            return Err(over_limit(
                &self.upload.name,
                &format!("of over {size} bytes"),
                self.max_bytes,
            ));
        }
        bytes.extend_from_slice(&chunk);
        Ok(())
    }

    /// Ends with the stream.
    pub(crate) fn finish(self) -> Result<Upload, Status> {
        let size = self.upload.bytes.len() as u64;
        if size == 0 {
            return Err(status::invalid_argument(
                "the component is empty: no bytes follow the upload's header; is the file that was sent the right one?",
            ));
        }
        if self.declared != 0 && size != self.declared {
            return Err(status::invalid_argument(format!(
                "the upload ends after {size} of the {} bytes that its header declares; send it again",
                self.declared
            )));
        }
        Ok(self.upload)
    }
}

/// The namespace that a request without one means.
pub(crate) fn namespace_or_default(namespace: String) -> String {
    if namespace.is_empty() {
        "default".into()
    } else {
        namespace
    }
}

/// Refuses what is not 1 to 200 characters of `A-Z a-z 0-9 . _ -`.
pub(crate) fn check_name(name: &str) -> Result<(), Status> {
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > NAME_MAX_BYTES {
        format!("it has {} bytes", name.len())
    } else if let Some(odd) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        format!("it has the character {odd:?}")
    } else {
        return Ok(());
    };
    Err(status::invalid_argument(format!(
        "the module name {name:?} is refused: {why}; a name is 1 to {NAME_MAX_BYTES} of A-Z a-z 0-9 . _ -"
    )))
}

fn over_limit(name: &str, size: &str, max_bytes: usize) -> Status {
    status::too_large(format!(
        "the component {size} for module {name:?} is over the limit of {max_bytes} bytes"
    ))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn header(size: u64) -> Option<Part> {
        Some(Part::Header(UploadHeader {
            name: "orders".into(),
            size,
            ..Default::default()
        }))
    }

    fn chunk(bytes: &[u8]) -> Option<Part> {
        Some(Part::Chunk(bytes.to_vec()))
    }

    /// Plays `parts`, with a limit of 10 bytes.
    fn play(parts: impl IntoIterator<Item = Option<Part>>) -> Result<Upload, Status> {
        let mut parts = parts.into_iter();
        let mut assembly = Assembly::begin(parts.next().flatten(), 10)?;
        parts.try_for_each(|part| assembly.add(part))?;
        assembly.finish()
    }

    fn refusal(parts: impl IntoIterator<Item = Option<Part>>) -> (Code, String) {
        let status = play(parts).unwrap_err();
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn chunks_are_joined_in_order() {
        let upload = play([header(6), chunk(b"abc"), chunk(b""), chunk(b"def")]).unwrap();
        assert_eq!(upload.bytes, b"abcdef");
        assert_eq!(
            (upload.namespace.as_str(), upload.name.as_str()),
            ("default", "orders")
        );
        assert_eq!(play([header(0), chunk(b"0123456789")]).unwrap().bytes.len(), 10);
    }

    // B1
    #[test]
    fn each_wrong_order_is_named() {
        for (parts, text) in [
            (vec![], "the upload is empty"),
            (vec![None], "the upload is empty"),
            (vec![chunk(b"abc")], "first message is a chunk"),
            (vec![header(0)], "no bytes"),
            (vec![header(0), header(0)], "second header"),
            (vec![header(0), None], "neither header nor chunk"),
            (vec![header(5), chunk(b"abc")], "ends after 3 of the 5 bytes"),
            (vec![header(2), chunk(b"abc")], "longer than the 2 bytes"),
        ] {
            let (code, message) = refusal(parts);
            assert_eq!(code, Code::InvalidArgument);
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn a_component_over_the_limit_is_refused_as_soon_as_it_shows() {
        let at_header = Assembly::begin(header(11), 10).unwrap_err();
        let mut assembly = Assembly::begin(header(0), 10).unwrap();
        assembly.add(chunk(b"012345")).unwrap();
        let at_chunk = assembly.add(chunk(b"012345")).unwrap_err();
        for status in [at_header, at_chunk] {
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert!(
                status.message().contains("limit of 10 bytes"),
                "{}",
                status.message()
            );
        }
    }

    #[test]
    fn a_chunk_over_the_limit_is_refused() {
        let mut assembly = Assembly::begin(header(0), usize::MAX).unwrap();
        let status = assembly
            .add(Some(Part::Chunk(vec![0; CHUNK_MAX_BYTES + 1])))
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assembly.add(Some(Part::Chunk(vec![0; CHUNK_MAX_BYTES]))).unwrap();
    }

    #[test]
    fn names_are_plain() {
        for name in ["a", "Order.v2_x-1", &"n".repeat(200)] {
            check_name(name).unwrap();
        }
        for (name, text) in [
            ("", "empty"),
            ("a/b", "'/'"),
            ("größe", "'ö'"),
            (&"n".repeat(201), "201 bytes"),
        ] {
            let status = check_name(name).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains(text), "{}", status.message());
        }
    }
}
