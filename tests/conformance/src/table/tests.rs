use super::{Group, Suite};

/// A file with one table, whose text follows.
fn file(table: &str) -> String {
    format!(
        "about = \"tests\"\nsections = [3]\n[[table]]\nwhy = \"A matching deny wins over every allow.\"\n\
         policy = \"combining\"\ndefaults = {{ tool = \"t\", tenant = \"acme\" }}\n{table}"
    )
}

fn read(text: &str) -> (Option<Group>, Vec<String>) {
    let mut suite = Suite::default();
    match suite.group("g".to_owned(), text) {
        Ok(group) => (Some(group), suite.problems),
        Err(error) => (None, vec![error]),
    }
}

#[test]
fn calls() {
    for (case, call) in [
        ("call = { tool = \"u\" }", r#"{"tenant":"acme","tool":"u"}"#),
        ("without = [\"tenant\"]", r#"{"tool":"t"}"#),
        ("without = [\"tenant\"]\ncall = { n = 1.0, m = [1] }", r#"{"m":[1],"n":1.0,"tool":"t"}"#),
        ("json = '{'", "{"),
    ] {
        let text = file(&format!("[[table.case]]\nname = \"a\"\n{case}\nexpect = {{ verdict = \"deny\" }}"));
        let (group, problems) = read(&text);
        assert_eq!(problems, Vec::<String>::new(), "{case}");
        let group = group.expect("it is read");
        assert_eq!(group.cases[0].steps[0].call, call, "{case}");
    }
}

#[test]
fn what_is_no_case() {
    let deny = "expect = { verdict = \"deny\" }";
    for (what, case, problem) in [
        ("a key that there is not", "expct = {}".to_owned(), "unknown field"),
        ("a key that no expectation has", "expect = { verdct = \"x\" }".to_owned(), "unknown field"),
        ("nothing expected", "call = {}".to_owned(), "it expects nothing"),
        ("no steps", "steps = []".to_owned(), "it expects nothing"),
        ("steps and a call", format!("call = {{}}\nsteps = [{{ {deny} }}]"), "`steps` and a call"),
        ("json and a call", format!("json = '{{'\ncall = {{}}\n{deny}"), "it has `json` and `call`"),
        ("json without", format!("json = '{{'\nwithout = [\"tool\"]\n{deny}"), "`json` is the whole call"),
        ("without what is not there", format!("without = [\"x\"]\n{deny}"), "no default"),
        ("a list with a verdict", format!("list = [\"a\"]\n{deny}"), "go together"),
        ("visible and no list", "expect = { visible = [] }".to_owned(), "go together"),
        ("facts and a store", format!("store_down = true\nfacts = {{}}\n{deny}"), "there is no store"),
        ("a name twice", format!("{deny}\n[[table.case]]\nname = \"a\"\n{deny}"), "two cases have this name"),
    ] {
        let (_, problems) = read(&file(&format!("[[table.case]]\nname = \"a\"\n{case}")));
        assert!(problems.iter().any(|it| it.contains(problem)), "{what}: {problems:?}");
    }
}

#[test]
fn what_is_no_file() {
    let why = "why = \"A matching deny wins over every allow.\"";
    let case = "[[table.case]]\nname = \"a\"\nexpect = { verdict = \"deny\" }";
    for (what, text) in [
        ("no why", file(case).replace(why, "")),
        ("a why that says nothing", file(case).replace(why, "why = \"Because.\"")),
        ("no policy", file(case).replace("policy = \"combining\"", "")),
        ("no case", file("case = []")),
        ("no TOML", "about".to_owned()),
        ("an unknown key", format!("more = 1\n{}", file(case))),
    ] {
        assert!(!read(&text).1.is_empty(), "{what}");
    }
    assert_eq!(read(&file(case)).1, Vec::<String>::new());
}
