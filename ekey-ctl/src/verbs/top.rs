//! `top`: draws the live screen in place until `q` or `^C`. Prints it once without a terminal.

use std::path::Path;
use std::time::Duration;

use ekey_control::{Client, ClientError, History, Status};

use crate::problem::Problem;
use crate::render::paint::{self, Line};
use crate::render::top::{self, Area};
use crate::terminal::{self, Canvas, Raw, Wake};

const EVERY: Duration = Duration::from_secs(1);
/// The last line of the live screen.
const HINT: &str = "q or ^C ends";

pub(crate) fn run(socket: &Path) -> Result<u8, Problem> {
    let unicode = terminal::shows_unicode();
    if !terminal::is_there() {
        let (status, history) = look(&mut Client::connect(socket)?)?;
        paint::print(&top::lines(&status, &history, Area { width: 80, height: usize::MAX, unicode }))?;
        return Ok(0);
    }
    // A daemon that does not answer at the start is an error; later the screen shows it.
    let mut client = Some(Client::connect(socket)?);
    let mut raw = Raw::take()?;
    let canvas = Canvas::open()?;
    let colour = paint::wants_colour();
    loop {
        let (width, height) = terminal::size();
        let area = Area { width, height: height.saturating_sub(1), unicode };
        let mut lines = match draw(socket, &mut client, area) {
            Ok(lines) => lines,
            Err(error) => {
                client = None;
                vec![Line::bad(&error.to_string()).fit(width), Line::plain("Trying again every second.").fit(width)]
            }
        };
        lines.resize(area.height, Line::plain(""));
        lines.push(Line::plain(HINT).fit(width));
        canvas.show(&lines.iter().map(|line| paint::coloured(line, colour)).collect::<Vec<_>>())?;
        if raw.wait(EVERY)? == Wake::End {
            return Ok(0);
        }
    }
}

fn draw(socket: &Path, client: &mut Option<Client>, area: Area) -> Result<Vec<Line>, ClientError> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => Client::connect(socket)?,
    };
    let (status, history) = look(client.insert(connected))?;
    Ok(top::lines(&status, &history, area))
}

fn look(client: &mut Client) -> Result<(Status, History), ClientError> {
    let status = client.status()?;
    let history = match client.history() {
        // An older daemon has no history: show the rest.
        Err(ClientError::NoHistory { .. }) => History::default(),
        other => other?,
    };
    Ok((status, history))
}
