//! A component for a memory that begins as that of an instance was once it had been prepared.
//!
//! Only the module with the memory is changed: its memory is as long as it was, it has no data to put there, and its
//! `_initialize`, which ran to get there, only opens the handles that the instance had then. Its code keeps its length, so that the
//! places in it are where the debug information says.

use std::ops::Range;

use wasmparser::{
    BinaryReader, CodeSectionReader, CompositeInnerType, DataKind, DataSectionReader, ExportSectionReader,
    ExternalKind, ImportSectionReader, MemorySectionReader, TypeRef, TypeSectionReader, ValType,
};

/// Bytes of a memory's page.
const PAGE_BYTES: usize = 64 << 10;
/// The function that a component's start calls, by the convention of WASI.
const START: &str = "_initialize";
/// Magic number and version.
const HEAD_BYTES: usize = 8;

const CORE_MODULE: u8 = 1;
const TYPES: u8 = 1;
const IMPORTS: u8 = 2;
const MEMORIES: u8 = 5;
const EXPORTS: u8 = 7;
const START_FUNCTION: u8 = 8;
const CODE: u8 = 10;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;

const CALL: u8 = 0x10;
const DROP: u8 = 0x1a;
const NOP: u8 = 0x01;
const END: u8 = 0x0b;

/// A function that opens a handle: its interface, without the version, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opener {
    pub(crate) interface: &'static str,
    pub(crate) function: &'static str,
}

/// Why a component cannot be changed so. It is used as it is then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("its code cannot be read: {0}")]
    Unreadable(#[from] wasmparser::BinaryReaderError),
    #[error("no core module of its own has a memory")]
    NoMemory,
    #[error("it has {0}")]
    Has(&'static str),
    #[error("it opens handles at its start, but has no function `{START}` that could open them again")]
    NoStart,
    #[error("it opens a handle by `{}` of `{}`, which it does not import as a function without arguments", .0.function, .0.interface)]
    NoOpener(Opener),
    #[error("its function `{START}` is too short to open {0} handles")]
    TooShort(usize),
}

/// The component for a memory that begins as long as this, with its contents, and with these handles opened in this order.
pub(crate) fn rewrite(component: &[u8], memory_bytes: usize, opened: &[Opener]) -> Result<Vec<u8>, Unfit> {
    for section in sections(component)?
        .iter()
        .filter(|section| section.id == CORE_MODULE)
    {
        let Some(module) = with_memory(&component[section.content.clone()], memory_bytes, opened)? else {
            continue;
        };
        let mut rewritten = component[..section.begin].to_vec();
        put_section(&mut rewritten, CORE_MODULE, &module);
        rewritten.extend_from_slice(&component[section.content.end..]);
        return Ok(rewritten);
    }
    Err(Unfit::NoMemory)
}

/// The module for such a memory; none if it has no memory.
fn with_memory(module: &[u8], memory_bytes: usize, opened: &[Opener]) -> Result<Option<Vec<u8>>, Unfit> {
    let sections = sections(module)?;
    let content = |wanted| {
        let found = sections.iter().find(|section| section.id == wanted);
        found.map(|section| BinaryReader::new(&module[section.content.clone()], section.content.start))
    };
    let Some(memories) = content(MEMORIES) else {
        return Ok(None);
    };
    if content(START_FUNCTION).is_some() {
        return Err(Unfit::Has("a start function"));
    }
    let memories = memory_section(MemorySectionReader::new(memories)?, memory_bytes)?;
    if let Some(data) = content(DATA) {
        only_active(DataSectionReader::new(data)?)?;
    }
    let start = start_function(&content, opened)?;

    let mut changed = module[..HEAD_BYTES].to_vec();
    for section in &sections {
        let content = &module[section.content.clone()];
        match section.id {
            MEMORIES => put_section(&mut changed, MEMORIES, &memories),
            // The memory has it already.
            DATA | DATA_COUNT => {}
            CODE => {
                let mut code = content.to_vec();
                if let Some(Body { at, instructions }) = &start {
                    let at = at.start - section.content.start..at.end - section.content.start;
                    code[at].copy_from_slice(instructions);
                }
                put_section(&mut changed, CODE, &code);
            }
            id => put_section(&mut changed, id, content),
        }
    }
    Ok(Some(changed))
}

/// The body of a function: where it is, and what stands there instead.
struct Body {
    at: Range<usize>,
    instructions: Vec<u8>,
}

/// What `_initialize` does; none if there is no such function.
fn start_function<'a>(
    content: &impl Fn(u8) -> Option<BinaryReader<'a>>,
    opened: &[Opener],
) -> Result<Option<Body>, Unfit> {
    let mut exported = None;
    if let Some(exports) = content(EXPORTS) {
        for export in ExportSectionReader::new(exports)? {
            let export = export?;
            if export.name == START && export.kind == ExternalKind::Func {
                exported = Some(export.index);
            }
        }
    }
    let Some(exported) = exported else {
        return if opened.is_empty() {
            Ok(None)
        } else {
            Err(Unfit::NoStart)
        };
    };

    let imported = imported_functions(content)?;
    let mut calls = Vec::new();
    for opener in opened {
        let index = imported
            .iter()
            .position(|function| function.opens(*opener))
            .ok_or(Unfit::NoOpener(*opener))?;
        calls.push(CALL);
        calls.extend(number(index));
        calls.push(DROP);
    }

    let index = (exported as usize)
        .checked_sub(imported.len())
        .ok_or(Unfit::NoStart)?;
    let code = content(CODE).ok_or(Unfit::NoStart)?;
    let body = CodeSectionReader::new(code)?
        .into_iter()
        .nth(index)
        .ok_or(Unfit::NoStart)??;
    let range = body.range();
    // No variables, the calls, nothing, the end.
    let nothing = range
        .len()
        .checked_sub(calls.len() + 2)
        .ok_or(Unfit::TooShort(opened.len()))?;
    let mut instructions = vec![0];
    instructions.extend(calls);
    instructions.resize(instructions.len() + nothing, NOP);
    instructions.push(END);
    Ok(Some(Body {
        at: range,
        instructions,
    }))
}

/// An imported function.
struct Imported<'a> {
    interface: &'a str,
    name: &'a str,
    /// It takes nothing and returns a handle.
    is_opener: bool,
}

impl Imported<'_> {
    fn opens(&self, opener: Opener) -> bool {
        let interface = self
            .interface
            .split_once('@')
            .map_or(self.interface, |(name, _)| name);
        self.is_opener && interface == opener.interface && self.name == opener.function
    }
}

fn imported_functions<'a>(
    content: &impl Fn(u8) -> Option<BinaryReader<'a>>,
) -> Result<Vec<Imported<'a>>, Unfit> {
    let mut openers = Vec::new();
    if let Some(types) = content(TYPES) {
        for group in TypeSectionReader::new(types)? {
            for of_type in group?.into_types() {
                openers.push(match &of_type.composite_type.inner {
                    CompositeInnerType::Func(f) => f.params().is_empty() && f.results() == [ValType::I32],
                    _ => false,
                });
            }
        }
    }
    let mut imported = Vec::new();
    if let Some(imports) = content(IMPORTS) {
        for import in ImportSectionReader::new(imports)?.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Func(of_type) | TypeRef::FuncExact(of_type) => imported.push(Imported {
                    interface: import.module,
                    name: import.name,
                    is_opener: openers.get(of_type as usize).copied().unwrap_or(false),
                }),
                TypeRef::Memory(_) => return Err(Unfit::Has("a memory from elsewhere beside its own")),
                _ => {}
            }
        }
    }
    Ok(imported)
}

/// Its own memory, as long as it was. Whether it may be that long was decided when it grew.
fn memory_section(section: MemorySectionReader<'_>, len: usize) -> Result<Vec<u8>, Unfit> {
    let mut memories = section.into_iter();
    let (Some(memory), None) = (memories.next(), memories.next()) else {
        return Err(Unfit::Has("more than one memory"));
    };
    let memory = memory?;
    if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
        return Err(Unfit::Has("a memory of an unusual kind"));
    }
    let mut section = vec![1, u8::from(memory.maximum.is_some())];
    section.extend(number(len.div_ceil(PAGE_BYTES)));
    if let Some(maximum) = memory.maximum {
        section.extend(number(maximum as usize));
    }
    Ok(section)
}

/// Data that code copies by itself is not in memory, so it cannot be left out.
fn only_active(section: DataSectionReader<'_>) -> Result<(), Unfit> {
    for data in section {
        if matches!(data?.kind, DataKind::Passive) {
            return Err(Unfit::Has("data that its code copies by itself"));
        }
    }
    Ok(())
}

/// A section of a module or of a component.
struct Section {
    id: u8,
    /// Where its head begins.
    begin: usize,
    content: Range<usize>,
}

fn sections(bytes: &[u8]) -> Result<Vec<Section>, Unfit> {
    let mut reader = BinaryReader::new(bytes, 0);
    reader.read_bytes(HEAD_BYTES)?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let begin = reader.original_position();
        let id = reader.read_u8()?;
        let len = reader.read_var_u32()? as usize;
        let at = reader.original_position();
        reader.read_bytes(len)?;
        sections.push(Section {
            id,
            begin,
            content: at..at + len,
        });
    }
    Ok(sections)
}

fn put_section(to: &mut Vec<u8>, id: u8, content: &[u8]) {
    to.push(id);
    to.extend(number(content.len()));
    to.extend_from_slice(content);
}

/// An unsigned number as LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where handles come from in these tests.
    const STDERR: Opener = Opener {
        interface: "wasi:cli/stderr",
        function: "get-stderr",
    };
    const STDERR_IMPORT: &str = r#"(import "wasi:cli/stderr@0.2.3" "get-stderr" (func (result i32)))"#;

    fn component(core: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {core}))")).unwrap()
    }

    fn unfit(core: &str, opened: &[Opener]) -> String {
        rewrite(&component(core), PAGE_BYTES, opened)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn memory_is_longer_and_there_is_no_data() {
        for core in [
            r#"(memory (export "memory") 1 3) (func) (data (i32.const 8) "old") (data (i32.const 16) "older")"#,
            r#"(memory (export "memory") 1) (func)"#,
        ] {
            let rewritten = rewrite(&component(core), 2 * PAGE_BYTES, &[]).unwrap();
            wasmparser::validate(&rewritten).unwrap();
            let mut pages = 0;
            for payload in wasmparser::Parser::new(0).parse_all(&rewritten) {
                match payload.unwrap() {
                    wasmparser::Payload::MemorySection(section) => {
                        pages = section.into_iter().next().unwrap().unwrap().initial;
                    }
                    wasmparser::Payload::DataSection(_) => panic!("{core}"),
                    _ => {}
                }
            }
            assert_eq!(pages, 2);
        }
    }

    #[test]
    fn the_start_opens_handles_and_code_keeps_its_length() {
        let core = format!(
            r#"{STDERR_IMPORT} (memory 1) (func $other (param i32))
               (func (export "_initialize") (call $other (i32.const 1)) (call $other (i32.const 2)) (call $other (i32.const 3)))
               (func (export "after"))"#
        );
        let before = component(&core);
        let after = rewrite(&before, PAGE_BYTES, &[STDERR, STDERR]).unwrap();
        wasmparser::validate(&after).unwrap();
        let bodies = |component: &[u8]| -> Vec<Vec<u8>> {
            wasmparser::Parser::new(0)
                .parse_all(component)
                .filter_map(|payload| match payload.unwrap() {
                    wasmparser::Payload::CodeSectionEntry(body) => Some(body.as_bytes().to_vec()),
                    _ => None,
                })
                .collect()
        };
        let (before, after) = (bodies(&before), bodies(&after));
        assert_eq!(
            before.iter().map(Vec::len).collect::<Vec<_>>(),
            after.iter().map(Vec::len).collect::<Vec<_>>()
        );
        assert_eq!((&before[0], &before[2]), (&after[0], &after[2]));
        assert!(
            after[1].starts_with(&[0, CALL, 0, DROP, CALL, 0, DROP, NOP]),
            "{:?}",
            after[1]
        );
        assert_eq!(after[1].last(), Some(&END));
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        for (core, opened, because) in [
            (
                "(func)".to_owned(),
                &[][..],
                "no core module of its own has a memory",
            ),
            (
                "(memory 1) (func $f) (start $f)".to_owned(),
                &[],
                "a start function",
            ),
            (
                r#"(memory 1) (data "by itself")"#.to_owned(),
                &[],
                "its code copies by itself",
            ),
            (
                r#"(import "env" "memory" (memory 1)) (memory 1) (func (export "_initialize"))"#.to_owned(),
                &[],
                "a memory from elsewhere",
            ),
            (
                format!("{STDERR_IMPORT} (memory 1)"),
                &[STDERR],
                "has no function `_initialize`",
            ),
            (
                format!(r#"{STDERR_IMPORT} (memory 1) (func (export "_initialize"))"#),
                &[STDERR],
                "too short to open 1 handles",
            ),
            (
                r#"(memory 1) (func (export "_initialize") nop nop nop nop nop)"#.to_owned(),
                &[STDERR],
                "`get-stderr` of `wasi:cli/stderr`",
            ),
            (
                r#"(import "wasi:cli/stderr@0.2.3" "get-stderr" (func (param i32) (result i32))) (memory 1)
                   (func (export "_initialize") nop nop nop nop nop)"#
                    .to_owned(),
                &[STDERR],
                "does not import as a function without arguments",
            ),
        ] {
            let found = unfit(&core, opened);
            assert!(found.contains(because), "{core}: {found}");
        }
        assert!(rewrite(b"\0asm\x0d\0\x01\0\x01\xff", 0, &[]).is_err());
    }
}
