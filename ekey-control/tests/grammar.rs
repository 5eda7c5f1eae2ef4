//! The statements: what is read, what is refused and where, and that nothing makes the reader panic.

use ekey_control::statement::{MAX_LINE, read_file};
use ekey_control::{Mistake, Statement, SyntaxError, Value, parse_line};
use proptest::prelude::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[track_caller]
fn reads(line: &str, name: &str, args: &[Value]) {
    let expected = Statement { name: name.to_owned(), args: args.to_vec() };
    assert_eq!(parse_line(line), Ok(Some(expected)), "reading {line:?}");
}

#[track_caller]
fn refuses(line: impl AsRef<[u8]>, column: usize, mistake: Mistake) {
    let line = line.as_ref();
    assert_eq!(
        parse_line(line),
        Err(SyntaxError { line: 1, column, mistake }),
        "reading {:?}",
        String::from_utf8_lossy(line)
    );
}

#[test]
fn every_way_to_write_a_statement_is_read() {
    reads("ListEntropyKeys", "ListEntropyKeys", &[]);
    reads("  ListEntropyKeys ( ) ; -- all of them\r", "ListEntropyKeys", &[]);
    reads("Status;", "Status", &[]);
    reads("Keyring \"/path\"", "Keyring", &[text("/path")]);
    reads("Keyring'/path'", "Keyring", &[text("/path")]);
    reads("AddEntropyKey(\"/dev/x\",nil)", "AddEntropyKey", &[text("/dev/x"), Value::Nil]);
    reads("Daemonise(false)", "Daemonise", &[Value::Bool(false)]);
    reads("Daemonise true", "Daemonise", &[Value::Bool(true)]);
    reads("SetOutputToKernel(7)", "SetOutputToKernel", &[Value::Number(7.0)]);
    reads("N(0x1F, .5, 1e3, 2.)", "N", &[31.0, 0.5, 1000.0, 2.0].map(Value::Number));
    reads(
        "EGDUnixSocket(\"/e\", \"0660\", 'root', [[users]])",
        "EGDUnixSocket",
        &["/e", "0660", "root", "users"].map(text),
    );
    reads("N [==[a]]b]=]c]==]", "N", &[text("a]]b]=]c")]);
    reads("N --[[ not this ]] (1)", "N", &[Value::Number(1.0)]);
}

#[test]
fn the_escapes_of_lua_are_resolved() {
    reads(r#"N "\n\t\\\"\'\065\0661\r\0""#, "N", &[text("\n\t\\\"'AB1\r\0")]);
    reads("N \"a\\\nb\"", "N", &[text("a\nb")]);
    reads(r#"N "\195\164""#, "N", &[text("ä")]);
    reads(r#"N "\/""#, "N", &[text("/")]);
    reads("N 'ä€'", "N", &[text("ä€")]);
    reads(r"N [[\n]]", "N", &[text(r"\n")]);
}

#[test]
fn a_blank_line_or_a_comment_says_nothing() {
    for line in ["", "   \t\r", "-- x", "--[[ x ]]", "--[=[ ]] ]=] -- y"] {
        assert_eq!(parse_line(line), Ok(None), "reading {line:?}");
    }
}

#[test]
fn what_belongs_to_a_program_is_refused_in_place() {
    refuses("x = 1", 3, Mistake::Operator('='));
    refuses("os.exit()", 3, Mistake::Operator('.'));
    refuses("N(1+1)", 4, Mistake::Operator('+'));
    refuses("N(-1)", 3, Mistake::Operator('-'));
    refuses("N('a'..'b')", 6, Mistake::Operator('.'));
    refuses("N(#'a')", 3, Mistake::Operator('#'));
    refuses("function f() end", 1, Mistake::Keyword("function".to_owned()));
    refuses("while true do end", 1, Mistake::Keyword("while".to_owned()));
    refuses("N(M())", 3, Mistake::BareWord("M".to_owned()));
    refuses("N M", 3, Mistake::BareWord("M".to_owned()));
    refuses("N{1}", 2, Mistake::Table);
    refuses("N({})", 3, Mistake::Table);
    refuses("A(); B()", 6, Mistake::MoreThanOne);
    refuses("A 'x' 'y'", 7, Mistake::MoreThanOne);
    refuses("A() ()", 5, Mistake::MoreThanOne);
    refuses("A;;", 3, Mistake::MoreThanOne);
    refuses("'x'", 1, Mistake::NoName);
    refuses("nil", 1, Mistake::NoName);
    refuses("\u{1b}[2J", 1, Mistake::Unexpected('\u{1b}'));
}

#[test]
fn an_unfinished_line_is_refused_where_it_is_open() {
    refuses("N(", 2, Mistake::OpenParenthesis);
    refuses("N('a'", 2, Mistake::OpenParenthesis);
    refuses("N('a',)", 7, Mistake::NoArgument);
    refuses("N(,1)", 3, Mistake::NoArgument);
    refuses("N(1 2)", 5, Mistake::NoComma);
    refuses("N 'abc", 3, Mistake::OpenText('\''));
    refuses("N \"abc\\", 3, Mistake::OpenText('"'));
    refuses("N 'a\nb'", 3, Mistake::OpenText('\''));
    refuses("N [=[abc]]", 3, Mistake::OpenBrackets);
    refuses("N [=abc", 3, Mistake::Unexpected('['));
    refuses("N --[[", 3, Mistake::OpenComment);
}

#[test]
fn a_text_that_is_no_text_is_refused() {
    refuses(b"N 'ab\xff'", 6, Mistake::NotUtf8);
    refuses("N '\u{e4}\\xff'", 5, Mistake::BadEscape('x'));
    refuses(r"N '\256'", 4, Mistake::BigEscape(256));
    refuses(r"N '\255'", 3, Mistake::TextNotUtf8);
    refuses("N(0x)", 3, Mistake::BadNumber("0x".to_owned()));
    refuses("N(12ab)", 3, Mistake::BadNumber("12ab".to_owned()));
    refuses("N(1e999)", 3, Mistake::BadNumber("1e999".to_owned()));
}

#[test]
fn a_line_of_4096_bytes_is_read_and_of_4097_not() {
    let longest = format!("N '{}'", "x".repeat(MAX_LINE - 4));
    assert!(parse_line(&longest).is_ok(), "a line of {} bytes was refused", longest.len());
    refuses(format!("{longest} "), MAX_LINE + 1, Mistake::LineTooLong);
}

const CONFIGURATION: &[u8] = b"-- -*- Lua -*-

UnixControlSocket \"/var/run/ekeyd.sock\"
Keyring \"/etc/entropykey/keyring\"
-- Daemonise(false)
--[[ for later:
SetOutputToFile \"/tmp/\xC3\"
]] SetOutputToKernel(7)
AddEntropyKeys \"/dev/entropykey\"
";

#[test]
fn a_file_of_the_original_is_read_with_its_lines() {
    let (statements, mistakes) = read_file(CONFIGURATION);
    assert_eq!(mistakes, [], "a valid configuration");
    let expected = [(3, "UnixControlSocket"), (4, "Keyring"), (8, "SetOutputToKernel"), (9, "AddEntropyKeys")];
    let seen: Vec<(usize, &str)> =
        statements.iter().map(|(line, statement)| (*line, statement.name.as_str())).collect();
    assert_eq!(seen, expected);
    assert_eq!(statements[2].1.args, [Value::Number(7.0)]);
}

#[test]
fn statements_share_lines_and_span_them_as_in_lua() {
    let file = "A 'x' B(1); C(\n  'y', -- why\n  2\n) ;; D\nE [[two\nlines]] F\n'z'";
    let (statements, mistakes) = read_file(file);
    assert_eq!(mistakes, [], "valid Lua");
    let seen: Vec<String> = statements.iter().map(|(line, statement)| format!("{line} {statement}")).collect();
    assert_eq!(seen, ["1 A(\"x\")", "1 B(1)", "1 C(\"y\", 2)", "4 D", "5 E(\"two\\010lines\")", "6 F(\"z\")"]);
}

#[test]
fn what_is_unreadable_in_a_file_is_named_once() {
    let (statements, mistakes) = read_file(b"A '\xff'\n-- \xff\nB 'x' C '\xff'\nD 1\n");
    let expected = [1, 3].map(|line| (line, Mistake::NotUtf8));
    let seen: Vec<_> = mistakes.into_iter().map(|mistake| (mistake.line, mistake.mistake)).collect();
    assert_eq!(seen, expected);
    assert_eq!(statements.last().map(|(line, _)| *line), Some(4), "{statements:?}");
}

#[test]
fn a_file_reports_all_of_its_mistakes() {
    let file = "Keyring \"/a\"\nKeyring(\nKeyring \"/b\"\nx=1\n--[[ never closed\n\n";
    let expected = [
        SyntaxError { line: 2, column: 8, mistake: Mistake::OpenParenthesis },
        SyntaxError { line: 4, column: 2, mistake: Mistake::Operator('=') },
        SyntaxError { line: 5, column: 1, mistake: Mistake::OpenComment },
    ];
    let (statements, mistakes) = read_file(file);
    assert_eq!(mistakes, expected);
    assert_eq!(statements.len(), 2, "the good lines between were lost: {statements:?}");
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_do() {
    let (_, mistakes) = read_file("\nKeyring \"/a");
    assert_eq!(mistakes[0].to_string(), "line 2, column 9: this text is not closed on its line: end it with \"");
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        (0u32..1_000_000, 0u32..4)
            .prop_map(|(number, quarters)| Value::Number(f64::from(number) + f64::from(quarters) / 4.0)),
        any::<String>().prop_map(Value::Text),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = parse_line(&bytes) {
            prop_assert_eq!(error.line, 1);
            prop_assert!(error.column <= bytes.len() + 1, "column {} of {} bytes", error.column, bytes.len());
        }
        let lines = bytes.split(|byte| *byte == b'\n').count();
        let (statements, mistakes) = read_file(&bytes);
        prop_assert!(statements.iter().all(|(line, _)| (1..=lines).contains(line)));
        prop_assert!(mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line)));
    }

    #[test]
    fn no_near_statement_makes_the_reader_panic(line in r#"[A-Za-z ]{0,6}[()\[\]=;,'"\\\-0-9xe.{}\n ]{0,30}"#) {
        if let Ok(Some(statement)) = parse_line(&line) {
            prop_assert!(!statement.name.is_empty());
        }
    }

    #[test]
    fn a_statement_that_is_written_is_read_back(name in "[A-Z][A-Za-z_0-9]{0,12}x", args in prop::collection::vec(value(), 0..4)) {
        let statement = Statement { name, args };
        let line = statement.to_string();
        prop_assert!(!line.contains('\n'), "a line end in {:?}", line);
        prop_assert_eq!(parse_line(&line), Ok(Some(statement)));
    }
}
