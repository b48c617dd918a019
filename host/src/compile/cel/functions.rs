//! What is said about calls of functions that do not exist, or not so.

use placet_cel::Function;
use placet_cel::function::Style;

use super::ast::Kind;
use super::did_you_mean;

/// What a function takes, and what it was given.
pub(super) fn arity(name: &str, least: usize, most: usize, given: usize) -> String {
    let takes = match (least, most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, usize::MAX) => format!("at least {least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let given = match given {
        0 => "none is given".to_owned(),
        1 => "1 is given".to_owned(),
        given => format!("{given} are given"),
    };
    format!("`{name}` takes {takes}, and {given}")
}

/// What other languages call the functions.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" | "length" | "count" => "size",
        "lower" | "toLower" | "toLowerCase" | "lowercase" => "lowerAscii",
        "upper" | "toUpper" | "toUpperCase" | "uppercase" => "upperAscii",
        "includes" | "include" => "contains",
        "startswith" | "starts_with" | "hasPrefix" => "startsWith",
        "endswith" | "ends_with" | "hasSuffix" => "endsWith",
        "any" | "some" => "exists",
        "every" => "all",
        "match" | "regex" | "test" => "matches",
        "float" => "double",
        "str" | "toString" => "string",
        _ => return None,
    })
}

/// A call of what does not exist, with the nearest name.
pub(super) fn unknown_function(name: &str, full: Option<&str>, method: bool) -> Kind {
    if method && MACROS.contains(&name) {
        let message = format!("`{name}` needs a variable and an expression");
        return Kind::Unknown { message, help: Some(format!("write `args.list.{name}(x, …)`")) };
    }
    let names =
        Function::TABLE.iter().filter(|(_, style, ..)| *style != Style::Operator).map(|(_, _, n, ..)| *n);
    let names = names.chain(["has"]).chain(MACROS);
    let help = did_you_mean(full.unwrap_or(name), names.clone())
        .or_else(|| did_you_mean(name, names))
        .or_else(|| elsewhere(name).map(|here| format!("it is called `{here}`")));
    let kind = if method { "method" } else { "function" };
    Kind::Unknown { message: format!("there is no {kind} `{name}`"), help }
}

/// Macros over lists and maps.
const MACROS: [&str; 10] = [
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "map",
    "filter",
    "transformList",
    "transformMap",
    "transformMapEntry",
    "sortBy",
];
