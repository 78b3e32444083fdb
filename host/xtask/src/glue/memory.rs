//! How values are read from and written to memory, in the layout of the component model.

use wit_parser::{Case, Int, Type, TypeDefKind, TypeId};

use super::types::resource;
use super::{Interface, names};
use crate::error::Error;

impl Interface<'_> {
    /// The file `memory.go`: a function to store and one to load each type.
    pub(super) fn memory(self) -> Result<String, Error> {
        let mut body = String::new();
        for id in self.definitions() {
            body.push_str(&self.store_function(id)?);
            body.push_str(&self.load_function(id)?);
        }
        Ok(self.file("", "wasip2", &body))
    }

    fn store_function(self, id: TypeId) -> Result<String, Error> {
        let name = self.go(&Type::Id(id))?;
        let mut text = format!("\nfunc Store{name}(p unsafe.Pointer, v {name}) {{\n");
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                for (offset, ty) in self
                    .offsets(record.fields.iter().map(|field| &field.ty))
                    .into_iter()
                    .zip(&record.fields)
                {
                    let at = at(offset);
                    text.push_str(&format!(
                        "\t{}({at}, v.{})\n",
                        self.store(&ty.ty)?,
                        names::public(&ty.name)
                    ));
                }
            }
            TypeDefKind::Enum(cases) => {
                text.push_str(&format!(
                    "\tabi.Store{}(p, {}(v))\n",
                    tag(cases.tag()),
                    tag_type(cases.tag())
                ));
            }
            TypeDefKind::Variant(variant) => {
                // Without a value in any case its name would be unused.
                let binds = variant.cases.iter().any(|case| case.ty.is_some());
                text.push_str(if binds {
                    "\tswitch v := v.(type) {\n"
                } else {
                    "\tswitch v.(type) {\n"
                });
                for (index, case) in variant.cases.iter().enumerate() {
                    text.push_str(&format!("\tcase {name}{}:\n", names::public(&case.name)));
                    text.push_str(&format!("\t\tabi.Store{}(p, {index})\n", tag(variant.tag())));
                    if let Some(ty) = &case.ty {
                        let at = at(self.payload_offset(variant.tag(), &variant.cases));
                        text.push_str(&format!("\t\t{}({at}, v.Value)\n", self.store(ty)?));
                    }
                }
                text.push_str(&format!(
                    "\tdefault:\n\t\tpanic(\"a value of {} has no case\")\n\t}}\n",
                    self.wit_name(id)
                ));
            }
            TypeDefKind::Resource => text.push_str("\tabi.StoreU32(p, uint32(v))\n"),
            _ => text.push_str(&format!("\t{}(p, v)\n", self.store_structural(id)?)),
        }
        text.push_str("}\n");
        Ok(text)
    }

    fn load_function(self, id: TypeId) -> Result<String, Error> {
        let name = self.go(&Type::Id(id))?;
        let mut text = format!("\nfunc Load{name}(p unsafe.Pointer) (v {name}) {{\n");
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                for (offset, field) in self
                    .offsets(record.fields.iter().map(|field| &field.ty))
                    .into_iter()
                    .zip(&record.fields)
                {
                    let at = at(offset);
                    text.push_str(&format!(
                        "\tv.{} = {}({at})\n",
                        names::public(&field.name),
                        self.load(&field.ty)?
                    ));
                }
                text.push_str("\treturn v\n");
            }
            TypeDefKind::Enum(cases) => {
                text.push_str(&format!("\treturn {name}(abi.Load{}(p))\n", tag(cases.tag())));
            }
            TypeDefKind::Variant(variant) => {
                text.push_str(&format!("\tswitch abi.Load{}(p) {{\n", tag(variant.tag())));
                for (index, case) in variant.cases.iter().enumerate() {
                    let case_name = format!("{name}{}", names::public(&case.name));
                    text.push_str(&format!("\tcase {index}:\n"));
                    match &case.ty {
                        None => text.push_str(&format!("\t\treturn {case_name}{{}}\n")),
                        Some(ty) => {
                            let at = at(self.payload_offset(variant.tag(), &variant.cases));
                            text.push_str(&format!("\t\treturn {case_name}{{{}({at})}}\n", self.load(ty)?));
                        }
                    }
                }
                text.push_str(&format!(
                    "\t}}\n\tpanic(\"the host sent a case of {} that is not in the contract\")\n",
                    self.wit_name(id)
                ));
            }
            TypeDefKind::Resource => text.push_str(&format!("\treturn {name}(abi.LoadU32(p))\n")),
            _ => text.push_str(&format!("\treturn {}(p)\n", self.load_structural(id)?)),
        }
        text.push_str("}\n");
        Ok(text)
    }

    /// A Go function that stores a value: `func(unsafe.Pointer, T)`.
    pub(super) fn store(self, ty: &Type) -> Result<String, Error> {
        self.codec("Store", ty)
    }

    /// A Go function that loads a value: `func(unsafe.Pointer) T`.
    pub(super) fn load(self, ty: &Type) -> Result<String, Error> {
        self.codec("Load", ty)
    }

    fn codec(self, verb: &str, ty: &Type) -> Result<String, Error> {
        Ok(match ty {
            Type::Bool => format!("abi.{verb}Bool"),
            Type::U8 => format!("abi.{verb}U8"),
            Type::U16 => format!("abi.{verb}U16"),
            Type::U32 => format!("abi.{verb}U32"),
            Type::U64 => format!("abi.{verb}U64"),
            Type::S64 => format!("abi.{verb}S64"),
            Type::F64 => format!("abi.{verb}F64"),
            Type::String => format!("abi.{verb}String"),
            Type::Id(id) => {
                let id = self.origin(*id);
                match self.name_of(id) {
                    Some(name) => match name.split_once('.') {
                        Some((package, name)) => format!("{package}.{verb}{name}"),
                        None => format!("{verb}{name}"),
                    },
                    None if verb == "Store" => self.store_structural(id)?,
                    None => self.load_structural(id)?,
                }
            }
            Type::S8 | Type::S16 | Type::S32 | Type::F32 | Type::Char | Type::ErrorContext => {
                return Err(self.unsupported("s8, s16, s32, f32, char or error-context"));
            }
        })
    }

    fn store_structural(self, id: TypeId) -> Result<String, Error> {
        let go = self.go(&Type::Id(id))?;
        let nothing = "abi.StoreNothing".to_owned();
        let function = |call: String| format!("func(p unsafe.Pointer, v {go}) {{ {call} }}");
        Ok(match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.store(ty)?,
            TypeDefKind::Handle(handle) => self.store(&resource(*handle))?,
            TypeDefKind::List(Type::U8) => "abi.StoreBytes".to_owned(),
            TypeDefKind::List(ty) => function(format!(
                "abi.StoreList(p, v, {}, {})",
                self.size(ty),
                self.store(ty)?
            )),
            TypeDefKind::Option(ty) => {
                let offset = self.sizes.payload_offset(Int::U8, [None, Some(ty)]).size_wasm32();
                function(format!("abi.StoreOption(p, v, {offset}, {})", self.store(ty)?))
            }
            TypeDefKind::Result(result) => {
                let offset = self
                    .sizes
                    .payload_offset(Int::U8, [result.ok.as_ref(), result.err.as_ref()])
                    .size_wasm32();
                let store = |ty: &Option<Type>| {
                    ty.as_ref()
                        .map_or_else(|| Ok(nothing.clone()), |ty| self.store(ty))
                };
                function(format!(
                    "abi.StoreResult(p, v, {offset}, {}, {})",
                    store(&result.ok)?,
                    store(&result.err)?
                ))
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 2 => {
                let offsets = self.offsets(&tuple.types);
                function(format!(
                    "abi.StorePair(p, v, {}, {}, {})",
                    offsets[1],
                    self.store(&tuple.types[0])?,
                    self.store(&tuple.types[1])?
                ))
            }
            TypeDefKind::Tuple(tuple) if let Some(element) = self.array(tuple) => function(format!(
                "abi.StoreArray(p, v[:], {}, {})",
                self.size(element),
                self.store(element)?
            )),
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 3 => {
                let offsets = self.offsets(&tuple.types);
                function(format!(
                    "abi.StoreTriple(p, v, {}, {}, {}, {}, {})",
                    offsets[1],
                    offsets[2],
                    self.store(&tuple.types[0])?,
                    self.store(&tuple.types[1])?,
                    self.store(&tuple.types[2])?
                ))
            }
            other => return Err(self.unsupported(other.as_str())),
        })
    }

    fn load_structural(self, id: TypeId) -> Result<String, Error> {
        let go = self.go(&Type::Id(id))?;
        let nothing = "abi.LoadNothing".to_owned();
        let function = |call: String| format!("func(p unsafe.Pointer) {go} {{ return {call} }}");
        Ok(match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.load(ty)?,
            TypeDefKind::Handle(handle) => self.load(&resource(*handle))?,
            TypeDefKind::List(Type::U8) => "abi.LoadBytes".to_owned(),
            TypeDefKind::List(ty) => {
                function(format!("abi.LoadList(p, {}, {})", self.size(ty), self.load(ty)?))
            }
            TypeDefKind::Option(ty) => {
                let offset = self.sizes.payload_offset(Int::U8, [None, Some(ty)]).size_wasm32();
                function(format!("abi.LoadOption(p, {offset}, {})", self.load(ty)?))
            }
            TypeDefKind::Result(result) => {
                let offset = self
                    .sizes
                    .payload_offset(Int::U8, [result.ok.as_ref(), result.err.as_ref()])
                    .size_wasm32();
                let load = |ty: &Option<Type>| {
                    ty.as_ref()
                        .map_or_else(|| Ok(nothing.clone()), |ty| self.load(ty))
                };
                function(format!(
                    "abi.LoadResult(p, {offset}, {}, {})",
                    load(&result.ok)?,
                    load(&result.err)?
                ))
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 2 => {
                let offsets = self.offsets(&tuple.types);
                function(format!(
                    "abi.LoadPair(p, {}, {}, {})",
                    offsets[1],
                    self.load(&tuple.types[0])?,
                    self.load(&tuple.types[1])?
                ))
            }
            TypeDefKind::Tuple(tuple) if let Some(element) = self.array(tuple) => format!(
                "func(p unsafe.Pointer) (v {go}) {{ abi.LoadArray(p, v[:], {}, {}); return v }}",
                self.size(element),
                self.load(element)?
            ),
            TypeDefKind::Tuple(tuple) if tuple.types.len() == 3 => {
                let offsets = self.offsets(&tuple.types);
                function(format!(
                    "abi.LoadTriple(p, {}, {}, {}, {}, {})",
                    offsets[1],
                    offsets[2],
                    self.load(&tuple.types[0])?,
                    self.load(&tuple.types[1])?,
                    self.load(&tuple.types[2])?
                ))
            }
            other => return Err(self.unsupported(other.as_str())),
        })
    }

    pub(super) fn offsets<'t>(self, types: impl IntoIterator<Item = &'t Type>) -> Vec<usize> {
        let offsets = self.sizes.field_offsets(types).into_iter();
        offsets.map(|(offset, _)| offset.size_wasm32()).collect()
    }

    fn payload_offset(self, tag: Int, cases: &[Case]) -> usize {
        self.sizes
            .payload_offset(tag, cases.iter().map(|case| case.ty.as_ref()))
            .size_wasm32()
    }

    fn wit_name(self, id: TypeId) -> String {
        self.resolve.types[id].name.clone().unwrap_or_default()
    }
}

/// An address that many bytes behind `p`.
pub(super) fn at(offset: usize) -> String {
    match offset {
        0 => "p".to_owned(),
        _ => format!("unsafe.Add(p, {offset})"),
    }
}

fn tag(tag: Int) -> &'static str {
    match tag {
        Int::U8 => "U8",
        Int::U16 => "U16",
        Int::U32 => "U32",
        Int::U64 => "U64",
    }
}

fn tag_type(tag: Int) -> &'static str {
    match tag {
        Int::U8 => "uint8",
        Int::U16 => "uint16",
        Int::U32 => "uint32",
        Int::U64 => "uint64",
    }
}
