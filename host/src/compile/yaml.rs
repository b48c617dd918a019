//! YAML as a tree in which everything knows where it stands.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

mod place;
mod scalar;
mod words;

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
    /// How it is written.
    pub style: Style,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Neither quoted nor a block; collections, too.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|` or `>`
    Block,
}

/// Kinds of values: the core schema of YAML 1.2.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Above what `Int` holds.
    Uint(u64),
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
    pub help: Option<String>,
}

impl YamlError {
    fn new(span: Range<usize>, message: impl Into<String>) -> YamlError {
        YamlError { message: message.into(), span, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> YamlError {
        self.help = Some(help.into());
        self
    }
}

impl Value {
    /// A word for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => "a number",
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
            Value::Uint(u) => Json::from(*u),
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
        return Err(YamlError::new(0..3, "the file begins with a byte order mark")
            .help("save it as UTF-8 without a byte order mark"));
    }
    if let Some(error) = words::control_character(text) {
        return Err(error);
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
            None => Err(YamlError::new(self.text.len()..self.text.len(), "the file ends too early")),
            Some(Err(error)) => {
                let at = self.offsets.get(error.marker().index()).copied().unwrap_or(self.text.len());
                Err(words::words(self.text, at, error.info()))
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
                    let error = YamlError::new(span, "the file holds more than one document");
                    return Err(error.help("give each policy a file of its own"));
                }
                Event::DocumentStart(_) => root = Some(self.node(0)?.0),
                Event::StreamEnd => break,
                _ => return Err(YamlError::new(span, "the file is not YAML")),
            }
        }
        root.ok_or_else(|| {
            YamlError::new(0..0, "the file is empty").help("begin with a name: `policy: NAME`")
        })
    }

    fn count(&mut self, nodes: usize, span: &Range<usize>) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values once its aliases are expanded");
            return Err(YamlError::new(span.clone(), message));
        }
        Ok(())
    }

    /// Tags change what a value is, and nothing in policies needs them.
    fn untagged(&self, tagged: bool, span: &Range<usize>) -> Result<(), YamlError> {
        if !tagged {
            return Ok(());
        }
        // The span of a collection begins after its tag.
        let before = self.text.get(..span.start).unwrap_or("").trim_end();
        let begin = before.rfind([' ', '\n', '[', '{', ',']).map_or(0, |n| n + 1);
        let here = self.text.get(span.clone()).unwrap_or("");
        let start =
            if here.starts_with('!') || !before[begin..].starts_with('!') { span.start } else { begin };
        let rest = self.text.get(start..).unwrap_or("");
        let end = start + rest.find([' ', ',', ']', '}', '\n', '\r']).unwrap_or(rest.len());
        if rest.starts_with("!!") {
            let message = format!("tags such as `{}` have no meaning in policies", &self.text[start..end]);
            return Err(YamlError::new(start..end, message).help("remove it"));
        }
        let span = start..end.max(span.end);
        let value = self.text.get(span.clone()).filter(|v| !v.contains(['"', '\n'])).unwrap_or("!…");
        let help = format!("put it in quotes: `\"{value}\"`");
        Err(YamlError::new(span, "a value that begins with `!` is a YAML tag").help(help))
    }

    /// A node, and how many values it holds.
    fn node(&mut self, depth: usize) -> Result<(Node, usize), YamlError> {
        let (event, span) = self.next()?;
        self.count(1, &span)?;
        if depth > MAX_DEPTH {
            let message = format!("the file is nested more than {MAX_DEPTH} levels deep");
            return Err(YamlError::new(span, message));
        }
        let (node, size, anchor) = match event {
            Event::Alias(anchor) => {
                let found = self.anchors.get(&anchor).cloned();
                let (node, size) =
                    found.ok_or_else(|| YamlError::new(span.clone(), "there is no such anchor before"))?;
                self.count(size, &span)?;
                return Ok((Node { span, ..node }, size));
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(tag.is_some(), &span)?;
                let style = style_of(style);
                let value = scalar::scalar(&text, style)
                    .map_err(|(message, help)| YamlError::new(span.clone(), message).help(help))?;
                (Node { value, span, style }, 1, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.untagged(tag.is_some(), &span)?;
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
                (Node { value: Value::List(list), span, style: Style::Plain }, size, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.untagged(tag.is_some(), &span)?;
                self.mapping(span, depth, anchor)?
            }
            _ => return Err(YamlError::new(span, "the file is not YAML")),
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
                    return Err(YamlError::new(key_span, "a key must be a plain string"));
                }
            };
            if key.text == "<<" {
                let error = YamlError::new(key.span, "merge keys are not part of YAML 1.2");
                return Err(error.help("write the fields out"));
            }
            if !seen.insert(key.text.clone()) {
                let error = YamlError::new(key.span, format!("the key `{}` occurs twice", key.text));
                return Err(error.help("keep one of them"));
            }
            let (node, of) = self.node(depth + 1)?;
            size += of + 1;
            end = end.max(node.span.end);
            entries.push((key, node));
        }
        let start = entries.first().map_or(span.start, |(key, _)| key.span.start.min(span.start));
        let span = self.closed(start..end);
        Ok((Node { value: Value::Map(entries), span, style: Style::Plain }, size, anchor))
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}
