//! Random values that are the same in every replay.

use std::rc::Rc;

use crate::runtime::Runtime;

mod sealed {
    pub trait Sealed: Sized {
        const BYTES: u32;
        fn from_bytes(bytes: &[u8]) -> Self;
    }
}

/// A number that can be drawn: the integers up to 128 bits, and `f32` and `f64` in `0.0..1.0`.
pub trait WorkflowRandomValue: sealed::Sealed {}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

macro_rules! integers {
    ($($type:ty),+) => {
        $(impl sealed::Sealed for $type {
            const BYTES: u32 = <$type>::BITS / 8;

            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_le_bytes(array(bytes))
            }
        }

        impl WorkflowRandomValue for $type {})+
    };
}

integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl sealed::Sealed for f64 {
    const BYTES: u32 = 8;

    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a f64 holds")]
    fn from_bytes(bytes: &[u8]) -> Self {
        (u64::from_le_bytes(array(bytes)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl WorkflowRandomValue for f64 {}

impl sealed::Sealed for f32 {
    const BYTES: u32 = 4;

    #[expect(clippy::cast_precision_loss, reason = "24 bits are what a f32 holds")]
    fn from_bytes(bytes: &[u8]) -> Self {
        (u32::from_le_bytes(array(bytes)) >> 8) as f32 / (1u32 << 24) as f32
    }
}

impl WorkflowRandomValue for f32 {}

/// A named stream of random values. The same name goes on with the same stream.
#[derive(Clone)]
pub struct WorkflowRandomStream {
    runtime: Rc<Runtime>,
    name: String,
}

impl WorkflowRandomStream {
    pub(super) fn new(runtime: &Rc<Runtime>, name: String) -> Self {
        Self {
            runtime: runtime.clone(),
            name,
        }
    }

    /// The next value. Not for secrets.
    pub fn random<T: WorkflowRandomValue>(&self) -> T {
        T::from_bytes(&self.runtime.host.random(&self.name, T::BYTES))
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A version 4 UUID from the unnamed stream.
pub(super) fn uuid4(runtime: &Runtime) -> String {
    uuid4_of(runtime, "")
}

/// A version 4 UUID from a stream.
pub(super) fn uuid4_of(runtime: &Runtime, stream: &str) -> String {
    let mut bytes: [u8; 16] = array(&runtime.host.random(stream, 16));
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
    }
    text
}
