//! YAML as a tree in which everything knows where it stands.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// Nodes that a document may have after its aliases are expanded.
const MAX_NODES: usize = 500_000;
/// How deeply they may nest.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// Kinds of values: the core schema of YAML 1.2.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Node>),
    /// In the order of the text; keys are strings, and each occurs once.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// Why a text is not a document.
#[derive(Clone, Debug)]
pub struct YamlError {
    pub message: String,
    pub span: Range<usize>,
}

impl Value {
    /// A word for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// The same data as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Float(f) => Json::from(*f),
            Value::Str(s) => Json::from(s.as_str()),
            Value::List(list) => Json::Array(list.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(k, v)| (k.text.clone(), v.to_json())).collect())
            }
        }
    }
}

/// Reads the one document of a text.
pub fn read(text: &str) -> Result<Node, YamlError> {
    if text.starts_with('\u{feff}') {
        return Err(YamlError { message: "the file begins with a byte order mark".to_owned(), span: 0..3 });
    }
    let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let parser = Parser::new(StrInput::new(text));
    let mut reader = Reader { parser, text, offsets, anchors: HashMap::new(), nodes: 0, peeked: None };
    reader.document()
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    /// Byte offsets of characters: the parser counts characters.
    offsets: Vec<usize>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    peeked: Option<(Event<'t>, Range<usize>)>,
}

impl<'t> Reader<'t> {
    fn span(&self, span: Span) -> Range<usize> {
        let at = |n: usize| self.offsets.get(n).copied().unwrap_or(self.text.len());
        let (start, mut end) = (at(span.start.index()), at(span.end.index()));
        // Spans of blocks reach into the white space that follows.
        while end > start && self.text.as_bytes().get(end - 1).is_some_and(u8::is_ascii_whitespace) {
            end -= 1;
        }
        start..end
    }

    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), YamlError> {
        if let Some(event) = self.peeked.take() {
            return Ok(event);
        }
        match self.parser.next_event() {
            None => Err(YamlError {
                message: "the file ends too early".to_owned(),
                span: self.text.len()..self.text.len(),
            }),
            Some(Err(error)) => {
                let at = self.offsets.get(error.marker().index()).copied().unwrap_or(self.text.len());
                let message = format!("the file is not YAML: {}", error.info());
                Err(YamlError { message, span: at..(at + 1).min(self.text.len().max(at)) })
            }
            Some(Ok((event, span))) => Ok((event, self.span(span))),
        }
    }

    fn document(&mut self) -> Result<Node, YamlError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::Nothing | Event::DocumentEnd => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(YamlError {
                        message: "the file holds more than one document".to_owned(),
                        span,
                    });
                }
                Event::DocumentStart(_) => root = Some(self.node(0)?.0),
                Event::StreamEnd => break,
                _ => return Err(YamlError { message: "the file is not YAML".to_owned(), span }),
            }
        }
        root.ok_or_else(|| YamlError { message: "the file is empty".to_owned(), span: 0..0 })
    }

    fn count(&mut self, nodes: usize, span: &Range<usize>) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values once its aliases are expanded");
            return Err(YamlError { message, span: span.clone() });
        }
        Ok(())
    }

    /// A node, and how many values it holds.
    fn node(&mut self, depth: usize) -> Result<(Node, usize), YamlError> {
        let (event, span) = self.next()?;
        self.count(1, &span)?;
        if depth > MAX_DEPTH {
            return Err(YamlError {
                message: format!("the file is nested more than {MAX_DEPTH} levels deep"),
                span,
            });
        }
        let (node, size, anchor) = match event {
            Event::Alias(anchor) => {
                let found = self.anchors.get(&anchor).cloned();
                let (node, size) = found.ok_or_else(|| YamlError {
                    message: "there is no such anchor before".to_owned(),
                    span: span.clone(),
                })?;
                self.count(size, &span)?;
                return Ok((Node { value: node.value, span }, size));
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(YamlError { message: "tags have no meaning in policies".to_owned(), span });
                }
                (Node { value: scalar(&text, style), span }, 1, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let (mut list, mut size) = (Vec::new(), 1);
                loop {
                    let (event, end) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    self.peeked = Some((event, end));
                    let (node, of) = self.node(depth + 1)?;
                    size += of;
                    list.push(node);
                }
                let end = list.last().map_or(span.end, |n: &Node| n.span.end);
                let span = self.closed(span.start..end.max(span.end));
                (Node { value: Value::List(list), span }, size, anchor)
            }
            Event::MappingStart(anchor, _) => self.mapping(span, depth, anchor)?,
            _ => return Err(YamlError { message: "the file is not YAML".to_owned(), span }),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok((node, size))
    }

    /// A flow collection with its closing bracket: the parser's spans of them end before it.
    fn closed(&self, span: Range<usize>) -> Range<usize> {
        let closing = match self.text.as_bytes().get(span.start) {
            Some(b'{') => '}',
            Some(b'[') => ']',
            _ => return span,
        };
        let rest = self.text.get(span.end..).unwrap_or("");
        let tail = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if tail.starts_with(closing) { span.start..self.text.len() - tail.len() + 1 } else { span }
    }

    fn mapping(
        &mut self,
        span: Range<usize>,
        depth: usize,
        anchor: usize,
    ) -> Result<(Node, usize, usize), YamlError> {
        let (mut entries, mut size, mut end) = (Vec::<(Key, Node)>::new(), 1, span.end);
        let mut seen = std::collections::HashSet::new();
        loop {
            let (event, key_span) = self.next()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, _, 0, None) => Key { text: text.into_owned(), span: key_span },
                _ => {
                    return Err(YamlError {
                        message: "a key must be a plain string".to_owned(),
                        span: key_span,
                    });
                }
            };
            if key.text == "<<" {
                return Err(YamlError {
                    message: "merge keys are not part of YAML 1.2".to_owned(),
                    span: key.span,
                });
            }
            if !seen.insert(key.text.clone()) {
                return Err(YamlError {
                    message: format!("the key `{}` occurs twice", key.text),
                    span: key.span,
                });
            }
            let (node, of) = self.node(depth + 1)?;
            size += of + 1;
            end = end.max(node.span.end);
            entries.push((key, node));
        }
        let start = entries.first().map_or(span.start, |(key, _)| key.span.start.min(span.start));
        Ok((Node { value: Value::Map(entries), span: self.closed(start..end) }, size, anchor))
    }
}

/// The core schema: only plain scalars can be anything but strings.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Str(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(int) = text.parse() {
            return Value::Int(int);
        }
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(float) if numeric && float.is_finite() => Value::Float(float),
        _ => Value::Str(text.to_owned()),
    }
}
