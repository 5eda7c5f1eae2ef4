//! The commands and the replies, held against what the original was seen to take and answer.

use ekey_control::reply::ReplyLine;
use ekey_control::{Command, CommandError, Mistake, Reply};
use proptest::prelude::*;

const SERIAL: &str = "NwBvBlg3OTBJORFD";

fn command(line: &str) -> Command {
    Command::parse(line)
        .unwrap_or_else(|error| panic!("{line:?} was refused: {error}"))
        .unwrap_or_else(|| panic!("{line:?} said nothing"))
}

#[test]
fn the_lines_of_the_originals_tool_are_understood() {
    assert_eq!(command("ListEntropyKeys"), Command::ListEntropyKeys);
    assert_eq!(command("StatEntropyKey(\"1\")"), Command::StatEntropyKey("1".to_owned()));
    assert_eq!(
        command("AddEntropyKey(\"/dev/x\",nil)"),
        Command::AddEntropyKey { path: "/dev/x".to_owned(), serial: None }
    );
    assert_eq!(command("RemoveEntropyKey(\"x\")"), Command::RemoveEntropyKey("x".to_owned()));
    assert_eq!(command("AddEntropyKeys(\"/dev/entropykey\")"), Command::AddEntropyKeys("/dev/entropykey".to_owned()));
    assert_eq!(command("Keyring(\"/k\")"), Command::Keyring("/k".to_owned()));
    assert_eq!(command("Shutdown"), Command::Shutdown);
    assert_eq!(command("Forget"), Command::Forget);
}

#[test]
fn a_tag_may_be_a_number_and_a_key_have_a_serial() {
    assert_eq!(command("StatEntropyKey(12)"), Command::StatEntropyKey("12".to_owned()));
    let expected = Command::AddEntropyKey { path: "/x".to_owned(), serial: Some(SERIAL.to_owned()) };
    assert_eq!(command(&format!("AddEntropyKey('/x', '{SERIAL}')")), expected);
}

#[test]
fn only_the_three_looking_commands_are_read_only() {
    let looking = ["ListEntropyKeys", "StatEntropyKey 'x'", "Status"];
    let changing =
        ["AddEntropyKey 'x'", "AddEntropyKeys 'x'", "RemoveEntropyKey 'x'", "Keyring 'x'", "Forget", "Shutdown"];
    for (lines, expected) in [(&looking[..], true), (&changing[..], false)] {
        for line in lines {
            assert_eq!(command(line).is_read_only(), expected, "{line}");
        }
    }
}

#[test]
fn wrong_arguments_are_refused_with_what_is_due() {
    for line in [
        "StatEntropyKey",
        "StatEntropyKey(nil)",
        "StatEntropyKey('')",
        "StatEntropyKey(1.5)",
        "RemoveEntropyKey(nil)",
        "AddEntropyKey()",
        "AddEntropyKey(3)",
        "AddEntropyKey('/x', 'short')",
        "AddEntropyKey('/x', 7)",
        "AddEntropyKey('/x', nil, nil)",
        "AddEntropyKeys('/x', '/y')",
        "Keyring(7)",
        "Keyring('/a\\0b')",
        "Shutdown(1)",
    ] {
        let refused = Command::parse(line);
        assert!(matches!(refused, Err(CommandError::Arguments { .. })), "{line:?} gave {refused:?}");
    }
}

#[test]
fn unknown_names_and_settings_are_refused() {
    assert_eq!(Command::parse("foo"), Err(CommandError::Unknown { name: "foo".to_owned() }));
    assert_eq!(
        Command::parse("SetOutputToKernel(7)"),
        Err(CommandError::Configuration { name: "SetOutputToKernel".to_owned() })
    );
    assert_eq!(Command::parse("Shutdown("), Err(CommandError::Syntax { column: 9, mistake: Mistake::OpenParenthesis }));
    assert_eq!(Command::parse(" -- nothing"), Ok(None));
}

#[test]
fn replies_look_as_the_originals() {
    assert_eq!(Reply::ok().to_string(), "OK\n");
    assert_eq!(Reply::added(&[1]).to_string(), "OK ID 1\n");
    assert_eq!(Reply::added(&[1, 2]).to_string(), "OK ID 1, ID 2\n");
    assert_eq!(Reply::added(&[]).to_string(), "OK\n");
    assert_eq!(Reply::ok_with(1).to_string(), "OK 1\n");
    assert_eq!(Reply::lines(["NR\tOK", "1\tYES"]).to_string(), "*\tNR\tOK\n*\t1\tYES\nOK\n");
    assert_eq!(Reply::error("no such key").to_string(), "ERROR no such key\n");
}

#[test]
fn a_line_end_in_a_path_cannot_end_a_reply_early() {
    assert_eq!(Reply::lines(["/dev/x\nOK"]).to_string(), "*\t/dev/x?OK\nOK\n");
    assert_eq!(Reply::error("/dev/x\r\nOK").to_string(), "ERROR /dev/x??OK\n");
    assert_eq!(Reply::ok_with("a\nERROR b").to_string(), "OK a?ERROR b\n");
}

#[test]
fn a_reply_is_taken_apart_line_by_line() {
    assert_eq!(ReplyLine::parse("*\ta\tb"), Some(ReplyLine::Data("a\tb")));
    assert_eq!(ReplyLine::parse("OK"), Some(ReplyLine::Ok("")));
    assert_eq!(ReplyLine::parse("OK ID 1"), Some(ReplyLine::Ok("ID 1")));
    assert_eq!(ReplyLine::parse("ERROR no"), Some(ReplyLine::Error("no")));
    for line in ["OKAY", "* a", "", "ERRORS"] {
        assert_eq!(ReplyLine::parse(line), None, "{line:?}");
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let text = "[^\0]{1,40}";
    prop_oneof![
        Just(Command::ListEntropyKeys),
        Just(Command::Shutdown),
        Just(Command::Forget),
        Just(Command::Status),
        text.prop_map(Command::StatEntropyKey),
        text.prop_map(Command::RemoveEntropyKey),
        text.prop_map(Command::AddEntropyKeys),
        text.prop_map(Command::Keyring),
        (text, prop::option::of("[A-Za-z0-9+/]{16}"))
            .prop_map(|(path, serial)| Command::AddEntropyKey { path, serial }),
    ]
}

proptest! {
    #[test]
    fn a_command_that_is_sent_is_understood(command in any_command()) {
        let line = command.to_string();
        prop_assert!(!line.contains('\n'), "a line end in {:?}", line);
        prop_assert_eq!(Command::parse(&line), Ok(Some(command)));
    }

    #[test]
    fn no_bytes_make_a_panic_or_an_error_of_two_lines(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Err(error) = Command::parse(&bytes) {
            let reply = Reply::error(error).to_string();
            prop_assert_eq!(reply.matches('\n').count(), 1, "{:?}", reply);
        }
    }
}
