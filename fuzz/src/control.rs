//! The language of the control socket: what is parsed prints as it reads, a mistake has a place on its line, and no
//! answer breaks out of its line.

use ekey_control::reply::ReplyLine;
use ekey_control::statement::{MAX_LINE, read_file};
use ekey_control::{Command, Reply, parse_line};

/// Runs lines of a client, and a text that an answer repeats.
pub fn control(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        statement(line);
        command(line);
    }
    file(data);
    answers(&String::from_utf8_lossy(data));
}

fn statement(line: &[u8]) {
    match parse_line(line) {
        Ok(None) => {}
        Ok(Some(statement)) => {
            let printed = statement.to_string();
            assert!(!printed.contains(|c: char| c.is_ascii_control()), "printed as {printed:?}");
            if printed.len() <= MAX_LINE {
                assert_eq!(parse_line(&printed), Ok(Some(statement)), "{printed:?} reads otherwise than it was");
            }
        }
        Err(error) => {
            let characters = String::from_utf8_lossy(line).chars().count();
            let on_the_line = (1..=characters + 1).contains(&error.column) || line.len() > MAX_LINE;
            assert!(error.line == 1 && on_the_line, "{error} on a line of {characters} characters");
        }
    }
}

fn command(line: &[u8]) {
    let Ok(Some(command)) = Command::parse(line) else { return };
    let printed = command.to_string();
    if printed.len() <= MAX_LINE {
        assert_eq!(Command::parse(&printed), Ok(Some(command)), "{printed:?}");
    }
}

fn file(text: &[u8]) {
    let lines = text.split(|byte| *byte == b'\n').count();
    let (statements, mistakes) = read_file(text);
    let places = statements.iter().map(|(line, _)| *line).chain(mistakes.iter().map(|mistake| mistake.line));
    assert!(places.into_iter().all(|line| (1..=lines).contains(&line)), "a place behind the end");
    assert!(statements.is_sorted_by(|(a, _), (b, _)| a <= b), "the statements are out of order");
    if mistakes.is_empty() {
        let printed: Vec<String> = statements.iter().map(|(_, statement)| statement.to_string()).collect();
        if printed.iter().all(|line| line.len() <= MAX_LINE) {
            let (again, _) = read_file(printed.join("\n"));
            let same = again.iter().map(|(_, statement)| statement).eq(statements.iter().map(|(_, statement)| statement));
            assert!(same, "{printed:?} reads otherwise than it was");
        }
    }
}

fn answers(text: &str) {
    let reply = Reply::lines(text.lines()).to_string();
    let read: Vec<_> = reply.lines().map(|line| ReplyLine::parse(line).expect("a line of an answer")).collect();
    let (end, data) = read.split_last().expect("an answer has an end");
    assert_eq!((*end, data.len()), (ReplyLine::Ok(""), text.lines().count()), "{reply:?}");
    for (seen, expected) in data.iter().zip(text.lines()) {
        let ReplyLine::Data(seen) = seen else { panic!("{text:?} ends the answer") };
        let same = |(a, b): (char, char)| a == b || (a == '?' && b.is_control());
        assert!(
            seen.chars().count() == expected.chars().count() && seen.chars().zip(expected.chars()).all(same),
            "{seen:?}"
        );
    }
    for reply in [Reply::error(text), Reply::ok_with(text)] {
        assert_eq!(reply.to_string().matches('\n').count(), 1, "{text:?} breaks out of its line");
    }
    // The tool trusts the daemon's lines no more than the daemon trusts the tool's.
    for line in text.lines() {
        let known = ["*\t", "OK", "ERROR"].iter().any(|start| line.starts_with(start));
        assert!(known || ReplyLine::parse(line).is_none(), "{line:?} is taken for a line of an answer");
    }
}
