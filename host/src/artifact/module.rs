//! Sections of WebAssembly binaries: read, added, and exports renamed or left out.

use anyhow::Context as _;
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{CustomSection, ExportSection, Module, RawSection, Section as _};
use wasmparser::{Parser, Payload};

/// A core module with other names for its exports; those without a name are left out. All else stays as it is.
///
/// # Errors
/// When the bytes are not a core module.
pub fn with_exports(core: &[u8], rename: impl Fn(&str) -> Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.context("the module cannot be read")?;
        if let Payload::ExportSection(exports) = payload {
            let mut section = ExportSection::new();
            for export in exports {
                let export = export?;
                if let Some(name) = rename(export.name) {
                    section.export(name, RoundtripReencoder.export_kind(export.kind)?, export.index);
                }
            }
            module.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            let data = core.get(range).context("the module ends early")?;
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}

/// Adds a custom section at the end of a module or component.
pub fn append(wasm: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: name.into(), data: data.into() }.append_to(wasm);
}

/// What stands in the outermost custom sections of that name.
///
/// # Errors
/// When the bytes are neither a module nor a component.
pub fn custom<'a>(wasm: &'a [u8], name: &str) -> anyhow::Result<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    outermost(wasm, |payload| {
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            found.push(section.data());
        }
        Ok(())
    })?;
    Ok(found)
}

/// What a component imports and exports, by name, sorted.
///
/// # Errors
/// When the bytes are not a component.
pub fn world(component: &[u8]) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    outermost(component, |payload| {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    imports.sort();
    exports.sort();
    Ok((imports, exports))
}

/// Where the memory begins that the first data segment of a core module fills; nothing is laid out below it but the
/// stack, which the linker puts first.
///
/// # Errors
/// When the bytes are not a core module.
pub fn first_data(core: &[u8]) -> anyhow::Result<Option<u32>> {
    use wasmparser::{DataKind, Operator};
    let mut first = None;
    for payload in Parser::new(0).parse_all(core) {
        let Payload::DataSection(section) = payload? else { continue };
        for segment in section {
            let DataKind::Active { offset_expr, .. } = segment?.kind else { continue };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                return Ok(None);
            };
            let start = value.cast_unsigned();
            first = Some(first.map_or(start, |first: u32| first.min(start)));
        }
    }
    Ok(first)
}

/// Calls `visit` for what is not inside a nested module or component.
fn outermost<'a>(
    wasm: &'a [u8],
    mut visit: impl FnMut(Payload<'a>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("it is not WebAssembly, or damaged")? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            payload if depth == 0 => visit(payload)?,
            _ => {}
        }
    }
    Ok(())
}
