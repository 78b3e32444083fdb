//! Can a live instance of this component be forked by a view of its memory alone?
//!
//! A fork is a new instance whose memory shows the live one's. That is the same state only if nothing but memory changes
//! while an instance lives: no globals (but for the stack pointer, which is back at its start whenever no call runs), no
//! tables, no dropped segments. Compilers that build on LLVM make such code; hand-written code may not be such.

use wasmparser::{ConstExpr, Encoding, Global, Operator, Parser, Payload, ValType};

/// Whether instances of a module can be forked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligibility {
    /// They can.
    Eligible,
    /// They cannot: queries need an instance of their own, made by replay.
    NotEligible(String),
}

impl Eligibility {
    /// True if instances can be forked.
    pub fn is_eligible(&self) -> bool {
        matches!(self, Self::Eligible)
    }

    /// Judge by a component's code.
    pub(crate) fn of(component: &[u8]) -> Self {
        match reason(component) {
            Ok(None) => Self::Eligible,
            Ok(Some(reason)) => Self::NotEligible(reason),
            Err(e) => Self::NotEligible(format!("its code cannot be read: {e}")),
        }
    }
}

fn reason(component: &[u8]) -> wasmparser::Result<Option<String>> {
    let mut memories = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            }
            | Payload::Version { .. } => {}
            Payload::MemorySection(section) => memories += section.count(),
            Payload::GlobalSection(section) => {
                let globals = section.into_iter().collect::<wasmparser::Result<Vec<_>>>()?;
                if let Some(reason) = judge_globals(&globals) {
                    return Ok(Some(reason));
                }
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader()? {
                    if let Some(name) = forbidden(&operator?) {
                        return Ok(Some(format!(
                            "its code uses `{name}`, which changes more than memory"
                        )));
                    }
                }
            }
            _ => {}
        }
    }
    Ok((memories != 1).then(|| format!("it has {memories} linear memories, not one")))
}

/// One core module's globals: the stack pointer, and the two that Binaryen's asyncify adds (TinyGo), which are both zero
/// whenever no call runs.
fn judge_globals(globals: &[Global<'_>]) -> Option<String> {
    let mutable: Vec<_> = globals.iter().filter(|g| g.ty.mutable).collect();
    let starts: Vec<_> = mutable
        .iter()
        .map(|g| {
            (g.ty.content_type == ValType::I32)
                .then(|| constant(&g.init_expr))
                .flatten()
        })
        .collect();
    let is_stack_pointer = |v: &Option<i32>| v.is_some_and(|v| v > 0 && v % 16 == 0);
    let fits = match starts.as_slice() {
        [] => true,
        [pointer] => is_stack_pointer(pointer),
        [pointer, Some(0), Some(0)] => is_stack_pointer(pointer),
        _ => false,
    };
    (!fits).then(|| {
        format!(
            "a core module has {} mutable globals that are more than a stack pointer",
            mutable.len()
        )
    })
}

fn constant(expression: &ConstExpr<'_>) -> Option<i32> {
    match expression.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => Some(value),
        _ => None,
    }
}

fn forbidden(operator: &Operator<'_>) -> Option<&'static str> {
    Some(match operator {
        Operator::TableSet { .. } => "table.set",
        Operator::TableGrow { .. } => "table.grow",
        Operator::TableFill { .. } => "table.fill",
        Operator::TableCopy { .. } => "table.copy",
        Operator::TableInit { .. } => "table.init",
        Operator::DataDrop { .. } => "data.drop",
        Operator::ElemDrop { .. } => "elem.drop",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(core: &str) -> Eligibility {
        Eligibility::of(&wat::parse_str(format!("(component (core module {core}))")).unwrap())
    }

    fn refused(core: &str, because: &str) {
        match of(core) {
            Eligibility::NotEligible(reason) => assert!(reason.contains(because), "{reason}"),
            Eligibility::Eligible => panic!("{core} was taken"),
        }
    }

    #[test]
    fn code_of_llvm_is_eligible() {
        assert_eq!(
            of("(memory 1) (global (mut i32) (i32.const 1048576)) (global i32 (i32.const 3))"),
            Eligibility::Eligible
        );
        assert!(of("(memory 1) (global (mut i32) (i32.const 65536)) (global (mut i32) (i32.const 0)) (global (mut i32) (i32.const 0))").is_eligible());
        assert!(of("(memory 1) (table 2 funcref) (func $f) (elem (i32.const 0) $f)").is_eligible());
    }

    #[test]
    fn state_outside_of_memory_is_not() {
        refused("(memory 1) (global (mut i32) (i32.const 0))", "mutable globals");
        refused("(memory 1) (global (mut i64) (i64.const 16))", "mutable globals");
        refused(
            "(memory 1) (global (mut i32) (i32.const 16)) (global (mut i32) (i32.const 16))",
            "2 mutable",
        );
        refused(
            "(memory 1) (table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
            "table.set",
        );
        refused("(memory 1) (data $d \"x\") (func (data.drop $d))", "data.drop");
        refused("(func)", "0 linear memories");
    }

    #[test]
    fn what_cannot_be_read_is_not() {
        assert!(!Eligibility::of(b"\0asm\x0d\0\x01\0\xff").is_eligible());
    }
}
