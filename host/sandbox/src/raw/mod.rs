//! The only unsafe code of the host: linear memories that can be viewed privately, and loading of machine code.
#![allow(unsafe_code)]

pub(crate) mod arena;
pub(crate) mod code;
mod creator;
pub(crate) mod image;
mod pages;
mod slot;
pub(crate) mod tenant;
#[cfg(test)]
mod tests;
mod view;
