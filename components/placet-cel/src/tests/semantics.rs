//! Operators, logic, comprehensions, optionals, budgets.

use super::{check, notation, show};
use crate::budget::Budget;
use crate::program::{Node, Program};

#[test]
fn equality_and_order() {
    check(&[
        ("(_==_ 1 1.0)", "true"),
        ("(_==_ 1u 1.0)", "true"),
        ("(_==_ 1 1u)", "true"),
        ("(_==_ -1 18446744073709551615u)", "false"),
        ("(_==_ 1 '1')", "false"),
        ("(_==_ 1 true)", "false"),
        ("(_==_ null false)", "false"),
        ("(_==_ NaN NaN)", "false"),
        ("(_!=_ [NaN] [NaN])", "true"),
        ("(_==_ 9007199254740993 9007199254740992.0)", "false"),
        ("(_<_ 9007199254740992.0 9007199254740993)", "true"),
        ("(_<=_ 9223372036854775808.0 9223372036854775807)", "true"),
        ("(_<_ 9223372036854775807 9223372036854777857.0)", "true"),
        ("(_<_ 9223372036854774784.0 9223372036854774785)", "true"),
        ("(_>_ -9223372036854775808 -9223372036854777857.0)", "true"),
        ("(_<_ 18446744073709551615u 18446744073709590000.0)", "true"),
        ("(_<_ 1u inf)", "true"),
        ("(_<_ 1 1.5)", "true"),
        ("(_<_ -1.5 -1)", "true"),
        ("(_<_ NaN 1)", "!value"),
        ("(_>=_ 1.0 NaN)", "!value"),
        ("(_==_ [1 'a' {'k' [1.0]}] [1u 'a' {'k' [1]}])", "true"),
        ("(_==_ {'a' 1 2 3} {2u 3 'a' 1.0})", "true"),
        ("(_==_ {'a' 1} {'a' 2})", "false"),
        ("(_==_ {'a' 1} {'b' 1})", "false"),
        ("(_<_ 'a' 'b')", "true"),
        ("(_<_ 'f' 'ế')", "true"),
        ("(_<_ b'a' b'\\xff')", "true"),
        ("(_<_ false true)", "true"),
        ("(_<_ t'2020-01-01T00:00:00Z' t'2020-01-01T00:00:00.5Z')", "true"),
        ("(_>_ d'1m' d'59s')", "true"),
        ("(_<_ null null)", "!type"),
        ("(_<_ [1] [2])", "!type"),
        ("(_<_ 'a' 1)", "!type"),
        ("(_==_ (type 1) (type 2))", "true"),
        ("(_==_ (optional.of 1) (optional.of 1.0))", "true"),
        ("(_==_ (optional.none) (optional.of 1))", "false"),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("(_+_ 1 2)", "3"),
        ("(_+_ 1 1.0)", "!type"),
        ("(_+_ 1 1u)", "!type"),
        ("(_+_ 9223372036854775807 1)", "!value"),
        ("(_-_ 0u 1u)", "!value"),
        ("(_*_ -9223372036854775808 -1)", "!value"),
        ("(_/_ -7 2)", "-3"),
        ("(_%_ -7 2)", "-1"),
        ("(_/_ -9223372036854775808 -1)", "!value"),
        ("(_%_ -9223372036854775808 -1)", "!value"),
        ("(_/_ 1 0)", "!value"),
        ("(_%_ 1u 0u)", "!value"),
        ("(_/_ 1.0 0.0)", "inf"),
        ("(_%_ 1.0 1.0)", "!type"),
        ("(-_ -9223372036854775808)", "!value"),
        ("(-_ 1u)", "!type"),
        ("(-_ 1.5)", "-1.5"),
        ("(!_ true)", "false"),
        ("(!_ 0)", "!type"),
        ("(_+_ 'a' 'b')", "'ab'"),
        ("(_+_ b'a' b'b')", "b'ab'"),
        ("(_+_ [1] ['a'])", "[1 'a']"),
        ("(_-_ 'a' 'b')", "!type"),
        ("(_+_ t'2009-02-13T23:00:00Z' d'240s')", "t'2009-02-13T23:04:00Z'"),
        ("(_+_ d'240s' t'2009-02-13T23:00:00Z')", "t'2009-02-13T23:04:00Z'"),
        ("(_-_ t'2009-02-13T23:31:00Z' t'2009-02-13T23:29:00Z')", "d'120s'"),
        ("(_-_ t'0001-01-01T00:00:00Z' t'9999-12-31T23:59:59Z')", "!value"),
        ("(_+_ t'9999-12-31T23:59:59Z' d'1s')", "!value"),
        ("(_-_ t'0001-01-01T00:00:00Z' d'1ns')", "!value"),
        ("(_+_ d'9223372036s' d'9223372036s')", "!value"),
        ("(_-_ d'900s' d'42s')", "d'858s'"),
    ]);
}

#[test]
fn logic_absorbs_errors() {
    check(&[
        ("(and false @error)", "false"),
        ("(and @error false)", "false"),
        ("(and @error true)", "!value"),
        ("(and true @error)", "!value"),
        ("(or @error true)", "true"),
        ("(or true 32)", "true"),
        ("(or 'x' true)", "true"),
        ("(or false 'x')", "!type"),
        ("(and 'a' 'b')", "!type"),
        ("(and @error @unknown)", "!unknown"),
        ("(and @unknown @error)", "!unknown"),
        ("(or @unknown true)", "true"),
        ("(or @unknown false)", "!unknown"),
        ("(or @missing @error)", "!missing"),
        ("(cond @error 1 2)", "!value"),
        ("(cond 'x' 1 2)", "!type"),
        ("(cond true 1 @error)", "1"),
        ("(cond false @error 2)", "2"),
        ("(_+_ @unknown 1)", "!unknown"),
        ("(or (lists.range 100000000) true)", "!budget"),
        ("(exists $x [1 2] (or true (_==_ $x (lists.range 100000000))))", "true"),
        ("(exists $x [1 2] (and true (_==_ 1 (lists.range 100000000))))", "!budget"),
    ]);
}

#[test]
fn comprehensions() {
    check(&[
        ("(all $x [1 2] (_>_ $x 0))", "true"),
        ("(all $x [] @error)", "true"),
        ("(all $x [1 0 -1] (_>_ (_/_ 1 $x) 0))", "false"),
        ("(all $x [1 0 1] (_>_ (_/_ 1 $x) 0))", "!value"),
        ("(exists $x [0 1] (_>_ (_/_ 1 $x) 0))", "true"),
        ("(exists $x [0 -1] (_>_ (_/_ 1 $x) 0))", "!value"),
        ("(exists $x [1 2] (or @unknown (_==_ $x 2)))", "true"),
        ("(exists $x [1 2] $x)", "!type"),
        ("(existsOne $x [1 2 3] (_>_ $x 2))", "true"),
        ("(existsOne $x [1 2 3] (_>_ $x 1))", "false"),
        ("(existsOne $x [1 0] (_==_ (_/_ 1 $x) 1))", "!value"),
        ("(map $x [1 2] (_*_ $x $x))", "[1 4]"),
        ("(map? $x [1 2 3] (_>_ $x 1) (_*_ $x $x))", "[4 9]"),
        ("(filter $x [1 2 3] (_>_ $x 1))", "[2 3]"),
        ("(filter $k {'a' 1 'b' 2} (_==_ $k 'b'))", "['b']"),
        ("(filter $x [1] 1)", "!type"),
        ("(map $x 1 $x)", "!type"),
        ("(all2 $i $v [5 6] (_<_ $i $v))", "true"),
        ("(exists2 $k $v {'a' 1} (and (_==_ $k 'a') (_==_ $v 1)))", "true"),
        ("(map2? $i $v [2 4 6] (_!=_ $i 1) (_+_ (_/_ $v 2) $i))", "[1 5]"),
        ("(transformMap2 $k $v {'a' 1 'b' 2} (_+_ $v 1))", "{'a' 2 'b' 3}"),
        ("(transformMap2? $k $v {'a' 1 'b' 2} (_>_ $v 1) $k)", "{'b' 'b'}"),
        ("(transformMap2 $i $v ['a'] $v)", "{0 'a'}"),
        ("(transformMapEntry2 $k $v {'a' 1 'b' 2} {$v $k})", "{1 'a' 2 'b'}"),
        ("(transformMapEntry2 $k $v {'a' 1 'b' 1} {$v $k})", "!value"),
        ("(transformMapEntry2 $k $v {'a' 1} $v)", "!type"),
        ("(sortBy $x ['ccc' 'a' 'bb'] (size $x))", "['a' 'bb' 'ccc']"),
        ("(sortBy $x [3 1 2] (-_ $x))", "[3 2 1]"),
        ("(sortBy $x [1 'a'] $x)", "!type"),
        ("(sortBy $x [1 2] null)", "!type"),
        ("(map $x [1 2] (map $y [10] (_+_ $x $y)))", "[[11] [12]]"),
        ("(bind $b @error 1)", "1"),
        ("(bind $b (_+_ 1 2) (_*_ $b $b))", "9"),
        ("(bind $b @error (or $b true))", "true"),
        ("(bind $b $b $b)", "!program"),
        ("(and true $never)", "!program"),
    ]);
}

#[test]
fn selection() {
    check(&[
        ("(select {'a' 1} 'a')", "1"),
        ("(select {'a' 1} 'b')", "!missing"),
        ("(select 1 'b')", "!type"),
        ("(has {'a' 1} 'a')", "true"),
        ("(has {'a' 1} 'b')", "false"),
        ("(has 1 'b')", "!type"),
        ("@name", "'alice'"),
        ("@nobody", "!missing"),
        ("(hasPath @name)", "true"),
        ("(hasPath @nobody)", "false"),
        ("(optPath @name)", "some 'alice'"),
        ("(optPath @nobody)", "none"),
        ("(double@ @ints)", "[1.0 2.0 [3.0]]"),
        ("(double@ @name)", "'alice'"),
        ("(index [7 8] 1)", "8"),
        ("(index [7 8] 1u)", "8"),
        ("(index [7 8] 1.0)", "8"),
        ("(index [7 8] 0.1)", "!value"),
        ("(index [7 8] NaN)", "!value"),
        ("(index [7 8] 2)", "!value"),
        ("(index [7 8] -1)", "!value"),
        ("(index [7 8] 'a')", "!type"),
        ("(index 7 0)", "!type"),
        ("(index {1 'a'} 1.0)", "'a'"),
        ("(index {1u 'a'} 1)", "'a'"),
        ("(index {1 'a'} 2)", "!missing"),
        ("(index {1 'a'} b'x')", "!type"),
        ("(index {true 'a'} true)", "'a'"),
        ("{1 'a' 1u 'b'}", "!value"),
        ("{1.0 'a'}", "!type"),
        ("{true 1 false 2}", "{true 1 false 2}"),
        ("(@in 1 [3u 1.0])", "true"),
        ("(@in 'a' {'a' 1})", "true"),
        ("(@in 1.0 {1 1})", "true"),
        ("(@in b'' {1 1})", "false"),
        ("(@in 1 1)", "!type"),
        ("(@in @error [1])", "!value"),
        ("(@in 'h' #['a' 'c' 'b' 'd' 'g' 'f' 'h' 'i' 'j'])", "true"),
        ("(@in 'x' #['a' 'c' 'b' 'd' 'g' 'f' 'h' 'i' 'j'])", "false"),
        ("(@in 1 #['a' 'c' 'b' 'd' 'g' 'f' 'h' 'i' 'j'])", "false"),
        ("(@in 1.0 #['a' 1])", "true"),
        ("(@in [1] #[#[1u]])", "true"),
        ("(size #[1 2 #[3]])", "3"),
    ]);
}

#[test]
fn optionals() {
    check(&[
        ("(optSelect {'a' 1} 'a')", "some 1"),
        ("(optSelect {'a' 1} 'b')", "none"),
        ("(optSelect 1 'b')", "!type"),
        ("(select (optional.of {'c' {}}) 'c')", "some {}"),
        ("(select (optional.of {'c' {}}) 'd')", "none"),
        ("(select (optional.of null) 'd')", "!type"),
        ("(select (optional.none) 'd')", "none"),
        ("(has (optional.none) 'd')", "false"),
        ("(has (optional.of {'d' 1}) 'd')", "true"),
        ("(index (optional.of [1]) 0)", "some 1"),
        ("(index (optional.of [1]) 1)", "none"),
        ("(optIndex [1] 4)", "none"),
        ("(optIndex {3u 1} 3.0)", "some 1"),
        ("(optIndex (optional.none) 0)", "none"),
        ("(orElse (optional.none) (optional.of 1))", "some 1"),
        ("(orElse (optional.of 2) @error)", "some 2"),
        ("(orElse (optional.none) 1)", "!type"),
        ("(orElse 1 (optional.none))", "!type"),
        ("(orValue (optional.none) 42)", "42"),
        ("(orValue (optional.of 1) @error)", "1"),
        ("(orValue 1 2)", "!type"),
        ("(hasValue (optional.ofNonZeroValue ''))", "false"),
        ("(hasValue (optional.ofNonZeroValue 'x'))", "true"),
        ("(hasValue (optional.of null))", "true"),
        ("(value (optional.none))", "!missing"),
        ("(value (optional.of 3))", "3"),
        ("(hasValue 1)", "!type"),
        ("(optional.unwrap [(optional.of 1) (optional.none)])", "[1]"),
        ("(unwrapOpt [1])", "!type"),
        ("(optMap $x (optional.of 1) (_+_ $x 1))", "some 2"),
        ("(optMap $x (optional.none) @error)", "none"),
        ("(optMap $x 1 $x)", "!type"),
        ("(optFlatMap $x (optional.of {}) (optSelect $x 'k'))", "none"),
        ("(optFlatMap $x (optional.of 1) $x)", "!type"),
        ("[?(optional.none) 1 ?(optional.of 2)]", "[1 2]"),
        ("{?'a' (optional.none) 'b' 1}", "{'b' 1}"),
        ("[?1]", "!type"),
    ]);
}

#[test]
fn budgets() {
    let spent = |text: &str, steps: u64, bytes: u64| show(text, &mut Budget::new(steps, bytes));
    assert_eq!(spent("(_+_ 1 2)", 3, 0), "3");
    assert_eq!(spent("(_+_ 1 2)", 2, 0), "!budget");
    assert_eq!(spent("(_+_ 'abc' 'def')", 100, 6), "'abcdef'");
    assert_eq!(spent("(_+_ 'abc' 'def')", 100, 5), "!budget");
    assert_eq!(spent("(or (_+_ 'abc' 'def') true)", 100, 5), "!budget");
    assert_eq!(spent("(lists.range 1000000000000)", u64::MAX, 1 << 20), "!budget");
    assert_eq!(spent("(distinct (lists.range 1000))", 10_000, 1 << 20), "!budget");
    let doubling =
        (0..30).fold("'x'".to_owned(), |text, _| format!("(bind $b{} {text} (_+_ $b{0} $b{0}))", text.len()));
    assert_eq!(show(&doubling, &mut Budget::default()), "!budget");
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}true{}", "(!_ ".repeat(n), ")".repeat(n));
    // The stack that a guest has; nothing here may need more.
    let on_small_stack = |text: String| {
        let run = move || show(&text, &mut Budget::default());
        std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap()
    };
    assert_eq!(on_small_stack(nested(248)), "true");
    assert_eq!(on_small_stack(nested(300)), "!budget");
    let lists = |n: usize| format!("(_==_ {0} {0})", format!("{}{}", "[".repeat(n), "]".repeat(n)));
    assert_eq!(on_small_stack(lists(240)), "true");
    let folds = |n: usize| format!("{}1{}", "(map $x [1] ".repeat(n), ")".repeat(n));
    assert!(on_small_stack(folds(200)).starts_with("[["));
}

#[test]
fn damaged_programs_err() {
    let (_, pool) = notation::read("1");
    let damaged = [
        (vec![Node::Const(0)], 1, 0),
        (vec![Node::Const(7)], 0, 0),
        (vec![Node::Load(0)], 0, 0),
        (vec![Node::And(0, 0)], 0, 0),
        (vec![Node::Local(0)], 0, 0),
        (vec![Node::Const(0)], 0, u32::MAX),
        (vec![Node::Const(0), Node::Select { of: 0, field: 0 }], 1, 0),
    ];
    for (nodes, root, locals) in damaged {
        let program = Program { nodes, root, locals };
        assert!(!program.is_well_formed(&pool), "{program:?}");
    }
    let looping = Program { nodes: vec![Node::And(0, 0)], root: 0, locals: 0 };
    let open = crate::OpenPool::open(pool).unwrap();
    let env = super::TestEnv { pool: open.pool() };
    let outcome = crate::eval(&looping, &open, &env, &mut Budget::default());
    assert_eq!(outcome.unwrap_err().kind(), crate::ErrorKind::Budget);
}
