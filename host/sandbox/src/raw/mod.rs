//! The only unsafe code of the host: linear memories that can be viewed privately, and loading of machine code.
#![allow(unsafe_code)]

pub(crate) mod arena;
pub(crate) mod image;
pub(crate) mod tenant;
#[cfg(test)]
mod tests;
