//! Go's types for what WIT defines.

use wit_parser::{Handle, Type, TypeDefKind, TypeId};

use super::{Interface, names};
use crate::error::Error;

impl Interface<'_> {
    /// The file `types.go`.
    pub(super) fn types(self) -> Result<String, Error> {
        let interface = &self.resolve.interfaces[self.id];
        let doc = interface.docs.contents.as_deref().unwrap_or_default().trim();
        let whose = match self.wasi_package(self.id) {
            Some(package) => format!("`wasi:{package}`"),
            None => "the contract".to_owned(),
        };
        // Go expects the package's name at the start of its documentation.
        let doc = format!(
            "Package {} is the interface `{}` of {whose}.\n\n{doc}",
            self.go_package(),
            self.name
        );
        let mut body = String::new();
        for id in self.definitions() {
            body.push('\n');
            body.push_str(&self.definition(id)?);
        }
        Ok(self.file(doc.trim_end(), "", &body))
    }

    fn definition(self, id: TypeId) -> Result<String, Error> {
        let definition = &self.resolve.types[id];
        let Some(name) = self.name_of(id) else {
            return Err(self.unsupported("a type without a name"));
        };
        let mut text = names::docs(&definition.docs, "");
        match &definition.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let ty = self.go(&field.ty)?;
                    Ok((names::public(&field.name), ty, names::docs(&field.docs, "\t")))
                });
                text.push_str(&structure(&name, &fields.collect::<Result<Vec<_>, Error>>()?));
            }
            TypeDefKind::Enum(cases) => {
                text.push_str(&format!("type {name} uint8\n\nconst (\n"));
                for (index, case) in cases.cases.iter().enumerate() {
                    text.push_str(&names::docs(&case.docs, "\t"));
                    let case = names::public(&case.name);
                    if index == 0 {
                        text.push_str(&format!("\t{name}{case} {name} = iota\n"));
                    } else {
                        text.push_str(&format!("\t{name}{case}\n"));
                    }
                }
                text.push_str(")\n");
            }
            TypeDefKind::Variant(variant) => {
                text.push_str(&format!("type {name} interface{{ is{name}() }}\n"));
                for case in &variant.cases {
                    let case_name = format!("{name}{}", names::public(&case.name));
                    text.push('\n');
                    text.push_str(&names::docs(&case.docs, ""));
                    match &case.ty {
                        None => text.push_str(&format!("type {case_name} struct{{}}\n")),
                        Some(ty) => {
                            text.push_str(&format!("type {case_name} struct{{ Value {} }}\n", self.go(ty)?))
                        }
                    }
                    text.push_str(&format!("\nfunc ({case_name}) is{name}() {{}}\n"));
                }
            }
            TypeDefKind::Resource => text.push_str(&format!("type {name} uint32\n")),
            _ => text.push_str(&format!("type {name} = {}\n", self.structural(id)?)),
        }
        Ok(text)
    }

    /// A type as it is written in Go.
    pub(super) fn go(self, ty: &Type) -> Result<String, Error> {
        Ok(match ty {
            Type::Bool => "bool".to_owned(),
            Type::U8 => "uint8".to_owned(),
            Type::U16 => "uint16".to_owned(),
            Type::U32 => "uint32".to_owned(),
            Type::U64 => "uint64".to_owned(),
            Type::S8 => "int8".to_owned(),
            Type::S16 => "int16".to_owned(),
            Type::S32 => "int32".to_owned(),
            Type::S64 => "int64".to_owned(),
            Type::F32 => "float32".to_owned(),
            Type::F64 => "float64".to_owned(),
            Type::Char => "rune".to_owned(),
            Type::String => "string".to_owned(),
            Type::ErrorContext => return Err(self.unsupported("error-context")),
            Type::Id(id) => {
                let id = self.origin(*id);
                match self.name_of(id) {
                    Some(name) => name,
                    None => self.structural(id)?,
                }
            }
        })
    }

    /// A type that has no name of its own.
    fn structural(self, id: TypeId) -> Result<String, Error> {
        let optional = |ty: &Option<Type>| {
            ty.as_ref()
                .map_or_else(|| Ok("struct{}".to_owned()), |ty| self.go(ty))
        };
        Ok(match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.go(ty)?,
            TypeDefKind::Handle(handle) => self.go(&resource(*handle))?,
            TypeDefKind::List(ty) => format!("[]{}", self.go(ty)?),
            TypeDefKind::Option(ty) => format!("*{}", self.go(ty)?),
            TypeDefKind::Result(result) => format!(
                "abi.Result[{}, {}]",
                optional(&result.ok)?,
                optional(&result.err)?
            ),
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 2 => {
                format!(
                    "abi.Pair[{}, {}]",
                    self.go(&tuple.types[0])?,
                    self.go(&tuple.types[1])?
                )
            }
            TypeDefKind::Tuple(tuple) if let Some(element) = self.array(tuple) => {
                format!("[{}]{}", tuple.types.len(), self.go(element)?)
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 3 => {
                let types: Vec<String> = tuple
                    .types
                    .iter()
                    .map(|ty| self.go(ty))
                    .collect::<Result<_, _>>()?;
                format!("abi.Triple[{}]", types.join(", "))
            }
            other => return Err(self.unsupported(other.as_str())),
        })
    }
}

/// What a handle is one of. Go does not tell a handle that is given away from one that is lent.
pub(super) fn resource(handle: Handle) -> Type {
    match handle {
        Handle::Own(id) | Handle::Borrow(id) => Type::Id(id),
    }
}

/// A struct, its fields aligned as gofmt does.
fn structure(name: &str, fields: &[(String, String, String)]) -> String {
    if fields.is_empty() {
        return format!("type {name} struct{{}}\n");
    }
    let mut text = format!("type {name} struct {{\n");
    // A comment begins a new block of aligned fields.
    let mut rest = fields;
    while !rest.is_empty() {
        let end = rest.iter().skip(1).position(|(.., docs)| !docs.is_empty());
        let (block, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        let width = block
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or_default();
        for (field, ty, docs) in block {
            text.push_str(docs);
            text.push_str(&format!("\t{field:width$} {ty}\n"));
        }
        rest = behind;
    }
    text.push_str("}\n");
    text
}
