//! JSON Schemas: whether one is a schema at all, and where a value does not fit it.

use boon::{
    CompileError, Compiler, Draft, ErrorKind, SchemaIndex, Schemas, SchemeUrlLoader, ValidationError,
};
use serde_json::{Map, Value};

mod effort;
mod ways;

pub use ways::target;

/// Most places that are named: the first ones say what is wrong, the rest mostly follows from them.
const PLACES_MAX: usize = 5;

/// The name under which a schema is compiled; whatever it refers to by another name is not there.
const NAME: &str = "schema:/";

/// Returns why `schema` is not one, if it is not.
pub fn check(schema: &Map<String, Value>) -> Result<(), String> {
    match ways::problem(schema) {
        Some(problem) => Err(problem.to_owned()),
        None => compile(schema).map(drop),
    }
}

/// Returns the first places at which `value` does not fit `schema`, or why that cannot be told.
pub fn misfits(schema: &Map<String, Value>, value: &Value) -> Result<Vec<String>, String> {
    if !effort::is_bounded(schema, value) {
        return Err("to check a value of this shape would take too long".to_owned());
    }
    let (schemas, index) = compile(schema)?;
    let mut places = Vec::new();
    if let Err(error) = schemas.validate(value, index) {
        tell(&error, &mut places);
    }
    Ok(places)
}

fn compile(schema: &Map<String, Value>) -> Result<(Schemas, SchemaIndex), String> {
    match compile_as(schema, Draft::V2020_12) {
        Ok(compiled) => Ok(compiled),
        // Many are written in an older way without saying so: `items` as a list, `definitions`.
        Err(problem) if !schema.contains_key("$schema") => compile_as(schema, Draft::V7).map_err(|_| problem),
        Err(problem) => Err(problem),
    }
}

fn compile_as(schema: &Map<String, Value>, draft: Draft) -> Result<(Schemas, SchemaIndex), String> {
    let mut compiler = Compiler::new();
    // Nothing is loaded from anywhere, files of this machine included.
    compiler.use_loader(Box::new(SchemeUrlLoader::new()));
    compiler.set_default_draft(draft);
    let mut schemas = Schemas::new();
    compiler.add_resource(NAME, Value::Object(schema.clone())).map_err(|problem| explained(&problem))?;
    let index = compiler.compile(NAME, &mut schemas).map_err(|problem| explained(&problem))?;
    Ok((schemas, index))
}

fn explained(problem: &CompileError) -> String {
    match problem {
        CompileError::ValidationError { src, .. } => {
            let mut places = Vec::new();
            tell(src, &mut places);
            places.join("; ")
        }
        CompileError::LoadUrlError { url, .. } | CompileError::UnsupportedUrlScheme { url } => {
            format!("it refers to {url}, and only what the schema itself contains is looked up")
        }
        other => format!("{other:#}").replace(NAME, "").replace("schema:///", ""),
    }
}

/// Notes where a value does not fit, and why. The branches of a choice are one place: any of them would do.
fn tell(error: &ValidationError<'_, '_>, places: &mut Vec<String>) {
    if places.len() >= PLACES_MAX {
        return;
    }
    let at = error.instance_location.to_string();
    let at = if at.is_empty() { "/" } else { at.as_str() };
    match &error.kind {
        ErrorKind::AnyOf | ErrorKind::OneOf(None) => {
            let mut branches = Vec::new();
            error.causes.iter().for_each(|cause| tell(cause, &mut branches));
            places.push(format!("at {at}: fits none of the alternatives ({})", branches.join(", or ")));
        }
        kind if error.causes.is_empty() => places.push(format!("at {at}: {kind}")),
        _ => error.causes.iter().for_each(|cause| tell(cause, places)),
    }
}

#[cfg(test)]
mod tests;
