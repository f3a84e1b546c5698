//! What holds for every text, however hostile: an answer or an error, soon.

use super::probe::found;
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Far above what the limits allow, far below what a reader of a request would wait for.
const SOON: Duration = Duration::from_secs(5);

const TOKENS: [&str; 78] = [
    "name",
    "given",
    "Patient",
    "Observation",
    "value",
    "birthDate",
    "deceased",
    "contained",
    "extension",
    "'a'",
    "'\\u0041é'",
    "''",
    "1",
    "0",
    "2.5",
    "2147483647",
    "@2020",
    "@2020-02-29",
    "@2020-01-01T10:30:00.5+14:00",
    "@T23:59",
    "4 days",
    "1 'mg'",
    "1 month",
    "true",
    "false",
    "{}",
    "$this",
    "$index",
    "$total",
    "%resource",
    "%`ext-a`",
    ".",
    ".",
    ".",
    ".",
    "(",
    "(",
    ")",
    ")",
    "[",
    "]",
    ",",
    "+",
    "-",
    "*",
    "/",
    "div",
    "mod",
    "&",
    "|",
    "=",
    "~",
    "!=",
    "<",
    ">=",
    "in",
    "contains",
    "and",
    "or",
    "implies",
    "is",
    "as",
    "where(",
    "select(",
    "exists()",
    "empty()",
    "repeat(",
    "aggregate(",
    "iif(",
    "children()",
    "descendants()",
    "resolve()",
    "toString()",
    "lowBoundary()",
    "power(",
    "replaceMatches(",
    "ofType(Quantity)",
    "//",
];

fn answers(expression: &str) -> Result<(), TestCaseError> {
    let start = Instant::now();
    let _answer = found(expression);
    prop_assert!(start.elapsed() < SOON, "{expression}");
    Ok(())
}

/// Expressions that are mostly well formed, so that the evaluator is reached.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(TOKENS[..31].to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(6, 40, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "div", "mod", "&", "|", "=", "~", "!=", "!~", "<", "<=", ">", ">=",
            "in", "contains", "and", "or", "xor", "implies",
        ]);
        let bare = prop::sample::select(vec![
            "exists",
            "empty",
            "count",
            "distinct",
            "isDistinct",
            "first",
            "last",
            "tail",
            "single",
            "not",
            "children",
            "descendants",
            "toInteger",
            "toDecimal",
            "toString",
            "toDate",
            "toDateTime",
            "toTime",
            "toQuantity",
            "toBoolean",
            "abs",
            "ceiling",
            "floor",
            "round",
            "sqrt",
            "exp",
            "ln",
            "truncate",
            "length",
            "upper",
            "toChars",
            "trim",
            "join",
            "type",
            "lowBoundary",
            "highBoundary",
            "precision",
            "hasValue",
            "getValue",
            "resolve",
            "sort",
            "now",
            "today",
            "htmlChecks",
            "allTrue",
            "anyFalse",
        ]);
        let with = prop::sample::select(vec![
            "where",
            "select",
            "all",
            "exists",
            "repeat",
            "skip",
            "take",
            "union",
            "combine",
            "intersect",
            "exclude",
            "subsetOf",
            "supersetOf",
            "indexOf",
            "substring",
            "startsWith",
            "contains",
            "matches",
            "matchesFull",
            "split",
            "encode",
            "decode",
            "escape",
            "unescape",
            "log",
            "power",
            "round",
            "lowBoundary",
            "highBoundary",
            "comparable",
            "aggregate",
            "memberOf",
            "extension",
            "sort",
            "toQuantity",
            "trace",
            "conformsTo",
        ]);
        prop_oneof![
            (two.clone(), binary).prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
            (inner.clone(), bare).prop_map(|(a, name)| format!("({a}).{name}()")),
            (two.clone(), with).prop_map(|((a, b), name)| format!("({a}).{name}({b})")),
            two.clone().prop_map(|(a, b)| format!("({a}).replaceMatches({b}, {a})")),
            two.clone().prop_map(|(a, b)| format!("({a}).replace({b}, {a})")),
            two.clone().prop_map(|(a, b)| format!("iif({a}, {b}, {a})")),
            two.prop_map(|(a, b)| format!("({a})[{b}]")),
            inner.prop_map(|a| format!("-({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        answers(&text)?;
    }

    #[test]
    fn any_tokens_are_answered(tokens in vec(prop::sample::select(TOKENS.to_vec()), 0..40)) {
        answers(&tokens.concat())?;
        answers(&tokens.join(" "))?;
    }

    #[test]
    fn any_expression_is_answered(text in expression()) {
        answers(&text)?;
    }

    #[test]
    fn any_depth_is_answered(
        (open, close) in prop::sample::select(vec![
            ("(", ")"), ("-", ""), ("name.where(", ")"), ("iif(true,", ")"), ("name[", "]"),
            ("1 + (", ")"), ("name.select(", ")"), ("1.aggregate(", ")"), ("{} | (", ")"),
        ]),
        depth in 1_usize..150,
        then in prop::sample::select(vec!["1", "", "true", "name.given"]),
    ) {
        answers(&format!("{}{then}{}", open.repeat(depth), close.repeat(depth)))?;
        answers(&format!("{then}{}", format!("{close} or true").repeat(depth)))?;
    }
}

#[test]
fn the_deepest_expression_fits_the_stack() {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [24, 48, 96] {
        let _ = found(&nested("Patient.select(", "id", ")", depth));
        let _ = found(&nested("iif(true, ", "id", ")", depth));
        let _ = found(&nested("-(", "1", ")", depth));
        let _ = found(&format!("id{}", " = id".repeat(depth)));
    }
    assert_eq!(found(&nested("Patient.select(", "id", ")", 40)).as_deref(), Ok("p1"));
    assert_eq!(found(&nested("iif(true, ", "id", ")", 40)).as_deref(), Ok("p1"));
}
