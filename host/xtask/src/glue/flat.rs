//! How values travel as parameters: flattened into plain numbers, in which the cases of a variant share their places.

use wit_parser::abi::{FlatTypes, WasmType};
use wit_parser::{Type, TypeDefKind};

use super::{Interface, names};
use crate::error::Error;

/// A number as a parameter has it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Flat {
    U32,
    U64,
    F64,
}

impl Flat {
    pub(super) fn of(ty: WasmType) -> Option<Self> {
        match ty {
            // Memories have 32 bit addresses.
            WasmType::I32 | WasmType::Pointer | WasmType::Length => Some(Self::U32),
            WasmType::I64 | WasmType::PointerOrI64 => Some(Self::U64),
            WasmType::F64 => Some(Self::F64),
            WasmType::F32 => None,
        }
    }

    pub(super) fn go(self) -> &'static str {
        match self {
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F64 => "float64",
        }
    }

    /// A number of this kind in a place that is wide enough.
    fn widen(self, value: &str, to: Self) -> String {
        match (self, to) {
            (Self::U32, Self::U64) => format!("uint64({value})"),
            (Self::F64, Self::U64) => format!("math.Float64bits({value})"),
            _ => value.to_owned(),
        }
    }

    /// A number of this kind out of a wider place.
    fn narrow(self, value: &str, from: Self) -> String {
        match (self, from) {
            (Self::U32, Self::U64) => format!("uint32({value})"),
            (Self::F64, Self::U64) => format!("math.Float64frombits({value})"),
            _ => value.to_owned(),
        }
    }
}

/// Statements that are being written, and the names that they use up.
#[derive(Default)]
pub(super) struct Code {
    pub(super) text: String,
    names: usize,
}

impl Code {
    pub(super) fn line(&mut self, indent: usize, line: impl AsRef<str>) {
        self.text.push_str(&"\t".repeat(indent));
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    pub(super) fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }
}

/// Puts a case together, of its value if it has one.
type Make<'a> = Box<dyn Fn(Option<&str>) -> String + 'a>;

/// A case of anything that has cases: how Go asks for it, its value in Go, and its type.
struct Branch<'a> {
    ty: Option<&'a Type>,
    value: String,
    make: Make<'a>,
}

impl<'a> Interface<'a> {
    pub(super) fn flats(self, ty: &Type) -> Result<Vec<Flat>, Error> {
        let mut storage = [WasmType::I32; 64];
        let mut flats = FlatTypes::new(&mut storage);
        if !self.resolve.push_flat(ty, &mut flats) {
            return Err(self.unsupported("a parameter of more than 64 numbers"));
        }
        let flats = flats.to_vec().into_iter();
        flats
            .map(|ty| Flat::of(ty).ok_or_else(|| self.unsupported("f32")))
            .collect()
    }

    /// Statements that flatten a value, and the numbers.
    pub(super) fn lower(
        self,
        code: &mut Code,
        indent: usize,
        ty: &Type,
        value: &str,
    ) -> Result<Vec<String>, Error> {
        let id = match ty {
            Type::Bool => return Ok(vec![format!("abi.FlatBool({value})")]),
            Type::U8 | Type::U16 => return Ok(vec![format!("uint32({value})")]),
            Type::U32 | Type::U64 | Type::F64 => return Ok(vec![value.to_owned()]),
            Type::S64 => return Ok(vec![format!("uint64({value})")]),
            Type::String => {
                return Ok(vec![
                    format!("abi.StringAddress({value})"),
                    format!("uint32(len({value}))"),
                ]);
            }
            Type::Id(id) => self.origin(*id),
            Type::S8 | Type::S16 | Type::S32 | Type::F32 | Type::Char | Type::ErrorContext => {
                return Err(self.unsupported("s8, s16, s32, f32, char or error-context"));
            }
        };
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.lower(code, indent, ty, value),
            TypeDefKind::List(Type::U8) => Ok(vec![
                format!("abi.BytesAddress({value})"),
                format!("uint32(len({value}))"),
            ]),
            TypeDefKind::List(element) => {
                let name = code.name();
                code.line(
                    indent,
                    format!(
                        "{name} := abi.LowerList({value}, {}, {})",
                        self.size(element),
                        self.store(element)?
                    ),
                );
                Ok(vec![name, format!("uint32(len({value}))")])
            }
            TypeDefKind::Record(record) => {
                let mut flats = Vec::new();
                for field in &record.fields {
                    flats.extend(self.lower(
                        code,
                        indent,
                        &field.ty,
                        &format!("{value}.{}", names::public(&field.name)),
                    )?);
                }
                Ok(flats)
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 2 => {
                let mut flats = self.lower(code, indent, &tuple.types[0], &format!("{value}.First"))?;
                flats.extend(self.lower(code, indent, &tuple.types[1], &format!("{value}.Second"))?);
                Ok(flats)
            }
            TypeDefKind::Tuple(tuple) if let Some(element) = self.array(tuple) => {
                let mut flats = Vec::new();
                for index in 0..tuple.types.len() {
                    flats.extend(self.lower(code, indent, element, &format!("{value}[{index}]"))?);
                }
                Ok(flats)
            }
            TypeDefKind::Enum(_) | TypeDefKind::Handle(_) => Ok(vec![format!("uint32({value})")]),
            TypeDefKind::Option(_) | TypeDefKind::Result(_) | TypeDefKind::Variant(_) => {
                let joined = self.flats(&Type::Id(id))?;
                let places: Vec<String> = joined.iter().map(|_| code.name()).collect();
                for (place, flat) in places.iter().zip(&joined) {
                    code.line(indent, format!("var {place} {}", flat.go()));
                }
                let branches = self.branches(id, value)?;
                let conditions = self.conditions(id, value)?;
                code.line(indent, &conditions.0);
                for (index, branch) in branches.iter().enumerate() {
                    code.line(indent, &conditions.1[index]);
                    if index > 0 {
                        code.line(indent + 1, format!("{} = {index}", places[0]));
                    }
                    if let Some(ty) = branch.ty {
                        let numbers = self.lower(code, indent + 1, ty, &branch.value)?;
                        let flats = self.flats(ty)?;
                        for (at, number) in numbers.iter().enumerate() {
                            let widened = flats[at].widen(number, joined[at + 1]);
                            code.line(indent + 1, format!("{} = {widened}", places[at + 1]));
                        }
                    }
                }
                code.line(indent, "}");
                Ok(places)
            }
            other => Err(self.unsupported(other.as_str())),
        }
    }

    /// Statements that put numbers together to a value, and the value.
    pub(super) fn lift(
        self,
        code: &mut Code,
        indent: usize,
        ty: &Type,
        numbers: &[String],
    ) -> Result<String, Error> {
        let first = numbers.first().cloned().unwrap_or_default();
        let id = match ty {
            Type::Bool => return Ok(format!("{first} != 0")),
            Type::U8 => return Ok(format!("uint8({first})")),
            Type::U16 => return Ok(format!("uint16({first})")),
            Type::U32 | Type::U64 | Type::F64 => return Ok(first),
            Type::S64 => return Ok(format!("int64({first})")),
            Type::String => return Ok(format!("abi.LiftString({first}, {})", numbers[1])),
            Type::Id(id) => self.origin(*id),
            Type::S8 | Type::S16 | Type::S32 | Type::F32 | Type::Char | Type::ErrorContext => {
                return Err(self.unsupported("s8, s16, s32, f32, char or error-context"));
            }
        };
        let go = self.go(&Type::Id(id))?;
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.lift(code, indent, ty, numbers),
            TypeDefKind::List(Type::U8) => Ok(format!("abi.LiftBytes({first}, {})", numbers[1])),
            TypeDefKind::List(element) => Ok(format!(
                "abi.LiftList({first}, {}, {}, {})",
                numbers[1],
                self.size(element),
                self.load(element)?
            )),
            TypeDefKind::Record(record) => {
                let mut fields = Vec::new();
                let mut from = 0;
                for field in &record.fields {
                    let to = from + self.flats(&field.ty)?.len();
                    let value = self.lift(code, indent, &field.ty, &numbers[from..to])?;
                    fields.push(format!("{}: {value}", names::public(&field.name)));
                    from = to;
                }
                Ok(format!("{go}{{{}}}", fields.join(", ")))
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 2 => {
                let to = self.flats(&tuple.types[0])?.len();
                let one = self.lift(code, indent, &tuple.types[0], &numbers[..to])?;
                let two = self.lift(code, indent, &tuple.types[1], &numbers[to..])?;
                Ok(format!("{go}{{{one}, {two}}}"))
            }
            TypeDefKind::Tuple(tuple) if let Some(element) = self.array(tuple) => {
                let each = self.flats(element)?.len();
                let mut values = Vec::new();
                for numbers in numbers.chunks(each) {
                    values.push(self.lift(code, indent, element, numbers)?);
                }
                Ok(format!("{go}{{{}}}", values.join(", ")))
            }
            TypeDefKind::Enum(_) | TypeDefKind::Handle(_) => Ok(format!("{go}({first})")),
            TypeDefKind::Option(_) | TypeDefKind::Result(_) | TypeDefKind::Variant(_) => {
                let joined = self.flats(&Type::Id(id))?;
                let name = code.name();
                code.line(indent, format!("var {name} {go}"));
                code.line(indent, format!("switch {first} {{"));
                for (index, branch) in self.branches(id, "")?.iter().enumerate() {
                    code.line(indent, format!("case {index}:"));
                    let value = match branch.ty {
                        None => None,
                        Some(ty) => {
                            let flats = self.flats(ty)?;
                            let narrowed: Vec<String> = flats
                                .iter()
                                .enumerate()
                                .map(|(at, flat)| flat.narrow(&numbers[at + 1], joined[at + 1]))
                                .collect();
                            Some(self.lift(code, indent + 1, ty, &narrowed)?)
                        }
                    };
                    code.line(
                        indent + 1,
                        format!("{name} = {}", (branch.make)(value.as_deref())),
                    );
                }
                code.line(indent, "default:");
                code.line(
                    indent + 1,
                    "panic(\"the host sent a case that is not in the contract\")",
                );
                code.line(indent, "}");
                Ok(name)
            }
            other => Err(self.unsupported(other.as_str())),
        }
    }

    /// How Go tells the cases of a value apart: the head of the `switch`, and the line of each case.
    fn conditions(self, id: wit_parser::TypeId, value: &str) -> Result<(String, Vec<String>), Error> {
        let go = self.go(&Type::Id(id))?;
        Ok(match &self.resolve.types[id].kind {
            TypeDefKind::Option(_) => {
                let cases = vec![format!("case {value} == nil:"), "default:".to_owned()];
                ("switch {".to_owned(), cases)
            }
            TypeDefKind::Result(_) => {
                let cases = vec![format!("case {value}.Err == nil:"), "default:".to_owned()];
                ("switch {".to_owned(), cases)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant
                    .cases
                    .iter()
                    .map(|case| format!("case {go}{}:", names::public(&case.name)));
                // A case without a value would leave its name unused.
                let binds = variant.cases.iter().any(|case| case.ty.is_some());
                let head = if binds {
                    format!("switch value := {value}.(type) {{")
                } else {
                    format!("switch {value}.(type) {{")
                };
                (head, cases.collect())
            }
            other => return Err(self.unsupported(other.as_str())),
        })
    }

    fn branches(self, id: wit_parser::TypeId, value: &str) -> Result<Vec<Branch<'a>>, Error> {
        let go = self.go(&Type::Id(id))?;
        let plain = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(match &self.resolve.types[id].kind {
            TypeDefKind::Option(ty) => vec![
                Branch {
                    ty: None,
                    value: String::new(),
                    make: Box::new(|_| "nil".to_owned()),
                },
                Branch {
                    ty: Some(ty),
                    value: format!("(*{value})"),
                    make: Box::new(move |value| format!("abi.Some({})", plain(value))),
                },
            ],
            TypeDefKind::Result(result) => {
                let (ok, err) = (go.clone(), go);
                vec![
                    Branch {
                        ty: result.ok.as_ref(),
                        value: format!("{value}.Value"),
                        make: Box::new(move |value| match value {
                            Some(value) => format!("{ok}{{Value: {value}}}"),
                            None => format!("{ok}{{}}"),
                        }),
                    },
                    Branch {
                        ty: result.err.as_ref(),
                        value: format!("(*{value}.Err)"),
                        make: Box::new(move |value| match value {
                            Some(value) => format!("{err}{{Err: abi.Some({value})}}"),
                            None => format!("{err}{{Err: &struct{{}}{{}}}}"),
                        }),
                    },
                ]
            }
            TypeDefKind::Variant(variant) => {
                let branches = variant.cases.iter().map(|case| {
                    let name = format!("{go}{}", names::public(&case.name));
                    Branch {
                        ty: case.ty.as_ref(),
                        value: "value.Value".to_owned(),
                        make: Box::new(move |value: Option<&str>| {
                            format!("{name}{{{}}}", value.unwrap_or_default())
                        }),
                    }
                });
                branches.collect()
            }
            other => return Err(self.unsupported(other.as_str())),
        })
    }
}
