//! Functions: what a guest imports and what it exports.

use wit_parser::abi::{AbiVariant, WasmSignature};
use wit_parser::{Function, FunctionKind, Type, TypeDefKind, TypeId};

use super::flat::{Code, Flat};
use super::memory::at;
use super::{Interface, names};
use crate::error::Error;

impl Interface<'_> {
    /// The file `imports.go`: a Go function for each that the host has.
    pub(super) fn imports(self) -> Result<String, Error> {
        let mut body = String::new();
        for function in self.functions() {
            body.push_str(&self.import(function)?);
        }
        for id in self.definitions() {
            if matches!(self.resolve.types[id].kind, TypeDefKind::Resource) {
                body.push_str(&self.drop(id)?);
            }
        }
        Ok(self.file("", "wasip2", &body))
    }

    /// Gives a handle of a resource back.
    fn drop(self, id: TypeId) -> Result<String, Error> {
        let name = self.go(&Type::Id(id))?;
        let resource = self.resolve.types[id].name.as_deref().unwrap_or_default();
        Ok(format!(
            "\n//go:wasmimport {} [resource-drop]{resource}\nfunc import{name}Drop(uint32)\n\n// Drop gives the handle back.\n\
             func (self {name}) Drop() {{ import{name}Drop(uint32(self)) }}\n",
            self.core_name()
        ))
    }

    /// The file `guest.go`: what the SDK has to offer.
    pub(super) fn guest(self) -> Result<String, Error> {
        let mut body =
            String::from("\n// Guest is what this interface asks of a component.\ntype Guest interface {\n");
        for function in self.functions() {
            body.push_str(&names::docs(&function.docs, "\t"));
            body.push_str(&format!(
                "\t{}({}){}\n",
                names::public(&function.name),
                self.parameters(function)?,
                self.result(function)?
            ));
        }
        body.push_str("}\n\nvar guest Guest\n\n// Export says what answers the host's calls.\nfunc Export(g Guest) { guest = g }\n");
        Ok(self.file("", "", &body))
    }

    /// The file `exports.go`: the functions that the host calls.
    pub(super) fn exports(self) -> Result<String, Error> {
        let mut body = String::new();
        for function in self.functions() {
            body.push_str(&self.export(function)?);
        }
        Ok(self.file("", "wasip2", &body))
    }

    fn functions(&self) -> impl Iterator<Item = &Function> {
        self.resolve.interfaces[self.id].functions.values()
    }

    /// How Go calls a function: what stands before its name, and the name.
    fn names_of(self, function: &Function) -> Result<(String, String), Error> {
        let item = names::public(function.item_name());
        Ok(match &function.kind {
            FunctionKind::Freestanding => (String::new(), item),
            FunctionKind::Method(id) => (format!("(self {}) ", self.go(&Type::Id(*id))?), item),
            FunctionKind::Static(id) => (String::new(), self.go(&Type::Id(*id))? + &item),
            FunctionKind::Constructor(id) => (String::new(), format!("New{}", self.go(&Type::Id(*id))?)),
            FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) | FunctionKind::AsyncStatic(_) => {
                return Err(self.unsupported("an asynchronous function"));
            }
        })
    }

    fn parameters(self, function: &Function) -> Result<String, Error> {
        // What a method is called on stands before its name.
        let on = usize::from(matches!(function.kind, FunctionKind::Method(_)));
        let parameters = function.params.iter().skip(on).map(|parameter| {
            Ok(format!(
                "{} {}",
                names::private(&parameter.name),
                self.go(&parameter.ty)?
            ))
        });
        Ok(parameters.collect::<Result<Vec<_>, Error>>()?.join(", "))
    }

    fn result(self, function: &Function) -> Result<String, Error> {
        Ok(match &function.result {
            None => String::new(),
            Some(ty) => format!(" {}", self.go(ty)?),
        })
    }

    fn signature(
        self,
        variant: AbiVariant,
        function: &Function,
    ) -> Result<(WasmSignature, Vec<Flat>, Vec<Flat>), Error> {
        let signature = self.resolve.wasm_signature(variant, function);
        let flat = |types: &[wit_parser::abi::WasmType]| {
            let flats = types
                .iter()
                .map(|&ty| Flat::of(ty).ok_or_else(|| self.unsupported("f32")));
            flats.collect::<Result<Vec<_>, Error>>()
        };
        let (parameters, results) = (flat(&signature.params)?, flat(&signature.results)?);
        Ok((signature, parameters, results))
    }

    fn core_name(self) -> String {
        self.resolve.id_of(self.id).unwrap_or_default()
    }

    /// The memory that a function's parameters take where they are too many to be flat.
    fn spilled(self, function: &Function) -> usize {
        self.sizes
            .params(function.params.iter().map(|parameter| &parameter.ty))
            .size
            .size_wasm32()
    }

    fn import(self, function: &Function) -> Result<String, Error> {
        let (signature, parameters, results) = self.signature(AbiVariant::GuestImport, function)?;
        let (receiver, name) = self.names_of(function)?;
        let imported = match &function.kind {
            FunctionKind::Method(id) => self.go(&Type::Id(*id))? + &name,
            _ => name.clone(),
        };
        let types: Vec<&str> = parameters.iter().map(|flat| flat.go()).collect();
        let answer = results
            .first()
            .map(|flat| format!(" {}", flat.go()))
            .unwrap_or_default();
        let mut code = Code::default();

        let mut numbers = Vec::new();
        let mut body = Code::default();
        if signature.indirect_params {
            body.line(1, format!("p := abi.Allocate({})", self.spilled(function)));
            let offsets = self.offsets(function.params.iter().map(|parameter| &parameter.ty));
            for (parameter, offset) in function.params.iter().zip(offsets) {
                body.line(
                    1,
                    format!(
                        "{}({}, {})",
                        self.store(&parameter.ty)?,
                        at(offset),
                        names::private(&parameter.name)
                    ),
                );
            }
            numbers.push("abi.Address(p)".to_owned());
        } else {
            for parameter in &function.params {
                numbers.extend(self.lower(&mut body, 1, &parameter.ty, &names::private(&parameter.name))?);
            }
        }
        if signature.retptr
            && let Some(ty) = &function.result
        {
            body.line(1, format!("result := abi.Allocate({})", self.size(ty)));
            numbers.push("abi.Address(result)".to_owned());
        }
        let call = format!("import{imported}({})", numbers.join(", "));
        // What only holds numbers needs no memory.
        let allocates = body.text.contains("abi.LowerList") || body.text.contains("abi.Allocate");
        let release = if allocates { "\tabi.Release(mark)\n" } else { "" };
        match &function.result {
            None => {
                body.line(1, call);
                body.text.push_str(release);
            }
            Some(ty) if signature.retptr => {
                body.line(1, call);
                body.line(1, format!("answer := {}(result)", self.load(ty)?));
                body.text.push_str(release);
                body.line(1, "return answer");
            }
            Some(ty) => {
                body.line(1, format!("answer := {call}"));
                body.text.push_str(release);
                let value = self.lift(&mut body, 1, ty, &["answer".to_owned()])?;
                body.line(1, format!("return {value}"));
            }
        }

        code.text.push_str(&format!(
            "\n//go:wasmimport {} {}\nfunc import{imported}({}){answer}\n\n",
            self.core_name(),
            function.name,
            types.join(", ")
        ));
        code.text
            .push_str(&named(&name, &names::docs(&function.docs, "")));
        code.line(
            0,
            format!(
                "func {receiver}{name}({}){} {{",
                self.parameters(function)?,
                self.result(function)?
            ),
        );
        if allocates {
            code.line(1, "mark := abi.Mark()");
        }
        code.text.push_str(&body.text);
        code.line(0, "}");
        Ok(code.text)
    }

    fn export(self, function: &Function) -> Result<String, Error> {
        let (signature, parameters, results) = self.signature(AbiVariant::GuestExport, function)?;
        let name = names::public(&function.name);
        let names: Vec<String> = (0..parameters.len()).map(|index| format!("p{index}")).collect();
        let list: Vec<String> = names
            .iter()
            .zip(&parameters)
            .map(|(name, flat)| format!("{name} {}", flat.go()))
            .collect();
        let answer = results
            .first()
            .map(|flat| format!(" {}", flat.go()))
            .unwrap_or_default();
        let mut code = Code::default();
        code.line(0, "");
        code.line(0, format!("//export {}#{}", self.core_name(), function.name));
        code.line(0, format!("func export{name}({}){answer} {{", list.join(", ")));
        code.line(1, "abi.Enter()");

        let mut arguments = Vec::new();
        if signature.indirect_params {
            code.line(1, "p := abi.Pointer(p0)");
            let offsets = self.offsets(function.params.iter().map(|parameter| &parameter.ty));
            for (parameter, offset) in function.params.iter().zip(offsets) {
                let local = code.name();
                code.line(
                    1,
                    format!("{local} := {}({})", self.load(&parameter.ty)?, at(offset)),
                );
                arguments.push(local);
            }
        } else {
            let mut from = 0;
            for parameter in &function.params {
                let to = from + self.flats(&parameter.ty)?.len();
                let value = self.lift(&mut code, 1, &parameter.ty, &names[from..to])?;
                let local = code.name();
                code.line(1, format!("{local} := {value}"));
                arguments.push(local);
                from = to;
            }
        }
        code.line(1, "abi.Taken()");
        let call = format!("guest.{name}({})", arguments.join(", "));
        match &function.result {
            None => code.line(1, call),
            Some(ty) if signature.retptr => {
                // Evaluated first: the call itself uses the memory.
                code.line(1, format!("answer := {call}"));
                code.line(1, format!("result := abi.Allocate({})", self.size(ty)));
                code.line(1, format!("{}(result, answer)", self.store(ty)?));
                code.line(1, "return abi.Address(result)");
            }
            Some(ty) => {
                let numbers = self.lower_result(&mut code, ty, &call)?;
                code.line(1, format!("return {numbers}"));
            }
        }
        code.line(0, "}");
        Ok(code.text)
    }

    fn lower_result(self, code: &mut Code, ty: &Type, call: &str) -> Result<String, Error> {
        code.line(1, format!("answer := {call}"));
        let numbers = self.lower(code, 1, ty, "answer")?;
        Ok(numbers.concat())
    }
}

/// A documentation comment that begins with the function's name, as Go's do.
fn named(name: &str, docs: &str) -> String {
    match docs.strip_prefix("// ") {
        Some(rest) => format!("// {name}: {rest}"),
        None => String::new(),
    }
}
