//! What an attacker who is on the machine, or reaches a port of it, would try; for the attacks in the guest, where it
//! runs as that attacker. Prints what it achieved.
//!
//! ```text
//! attacker say SOCKET STATEMENT…      each statement and the answer to it, one a line
//! attacker flood ADDRESS BYTES WORDS  the words again and again, up to BYTES bytes; then how it ended
//! attacker hold ADDRESS COUNT         opens COUNT connections, sends one byte on each, and keeps them until it is
//! killed
//! attacker ask ADDRESS                16 bytes of entropy by EGD's 0x02, or how it failed
//! attacker babble SOCKET              listens where a key is expected, and sends nonsense as fast as it is read
//! attacker swap PATH TARGET           puts a link to TARGET at PATH, again and again, until it is killed
//! attacker zeros SOCKET               an EGD server whose every byte is zero
//! attacker pose SOCKET FILE           a daemon that answers every command with the line in FILE
//! attacker get ADDRESS HOST           asks for the page under this name; prints the first line of the answer
//! attacker send ADDRESS               sends a datagram to ADDRESS:PORT
//! ```
//! An address is `unix:PATH` or `tcp:ADDR:PORT`.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["say", socket, statements @ ..] => say(socket, statements),
        ["flood", address, bytes, words] => flood(address, bytes, words),
        ["hold", address, count] => hold(address, count),
        ["ask", address] => ask(address),
        ["babble", socket] => babble(socket),
        ["swap", path, target] => swap(path, target),
        ["zeros", socket] => zeros(socket),
        ["pose", socket, file] => pose(socket, file),
        ["get", address, host] => get(address, host),
        ["send", address] => send(address),
        _ => Err(io::Error::other("expected say, flood, hold, ask, babble, swap, zeros, pose, get or send")),
    };
    if let Err(error) = outcome {
        println!("failed: {error}");
        std::process::exit(1);
    }
}

fn say(socket: &str, statements: &[&str]) -> io::Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(socket)?);
    stream.get_ref().set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    for statement in statements {
        writeln!(stream.get_mut(), "{statement}")?;
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !line.starts_with("*\t") {
                break println!("{statement}\t{}", line.trim_end());
            }
        }
    }
    Ok(())
}

fn flood(address: &str, bytes: &str, words: &str) -> io::Result<()> {
    let most: usize = bytes.parse().map_err(io::Error::other)?;
    let mut stream = connect(address)?;
    let burst = words.replace("\\r\\n", "\r\n").repeat(65_536 / words.len().max(1));
    let mut sent = 0;
    while sent < most {
        match stream.write(burst.as_bytes()) {
            Ok(count) => sent += count,
            Err(error) => {
                println!("ended after {sent} bytes: {error}");
                return Ok(());
            }
        }
    }
    let mut answer = [0; 4096];
    let count = stream.read(&mut answer).unwrap_or(0);
    println!("sent {sent} bytes, answered by {count}");
    Ok(())
}

fn hold(address: &str, count: &str) -> io::Result<()> {
    let most: usize = count.parse().map_err(io::Error::other)?;
    let mut held = Vec::new();
    for _ in 0..most {
        let Ok(mut stream) = connect(address) else { break };
        let _ = stream.write(b"\x02");
        held.push(stream);
    }
    println!("held {}", held.len());
    io::stdout().flush()?;
    loop {
        std::thread::sleep(PATIENCE);
    }
}

fn ask(address: &str) -> io::Result<()> {
    let mut stream = connect(address)?;
    stream.write_all(&[0x02, 16])?;
    let mut answer = [0; 16];
    stream.read_exact(&mut answer)?;
    println!("16 bytes");
    Ok(())
}

fn babble(socket: &str) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    // Nonsense that looks like frames up to the MAC, so that the daemon must check each.
    let nonsense = format!("* E!{:<50}{:<8}\r\n", "AA", "AAAAAAAA").repeat(1024);
    for stream in listener.incoming() {
        let mut stream = stream?;
        while stream.write_all(nonsense.as_bytes()).is_ok() {}
    }
    Ok(())
}

/// Fails at most times, and is right once.
fn swap(path: &str, target: &str) -> io::Result<()> {
    loop {
        let _ = std::fs::remove_file(path);
        let _ = symlink(target, path);
    }
}

fn zeros(socket: &str) -> io::Result<()> {
    serve(socket, |stream| {
        let mut request = [0; 2];
        while stream.read_exact(&mut request).is_ok() {
            let answer = vec![0; usize::from(request[1])];
            match request[0] {
                0x01 => stream.write_all(&[&[request[1]], &answer[..]].concat())?,
                _ => stream.write_all(&answer)?,
            }
        }
        Ok(())
    })
}

fn pose(socket: &str, file: &str) -> io::Result<()> {
    let line = std::fs::read_to_string(file)?;
    serve(socket, move |stream| {
        stream.write_all(b"PROTOCOL EKEYD/1\n")?;
        let mut asked = [0; 4096];
        while stream.read(&mut asked)? > 0 {
            stream.write_all(format!("*\t{}\nOK\n", line.trim_end()).as_bytes())?;
        }
        Ok(())
    })
}

/// Listens for anybody, and serves each client in a thread.
fn serve(socket: &str, client: impl Fn(&mut UnixStream) -> io::Result<()> + Clone + Send + 'static) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    for stream in listener.incoming() {
        let (mut stream, client) = (stream?, client.clone());
        std::thread::spawn(move || client(&mut stream));
    }
    Ok(())
}

fn get(address: &str, host: &str) -> io::Result<()> {
    let mut stream = BufReader::new(connect(address)?);
    write!(stream.get_mut(), "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    println!("{}", line.trim_end());
    Ok(())
}

fn send(address: &str) -> io::Result<()> {
    UdpSocket::bind("0.0.0.0:0")?.send_to(b"a long-term key", address)?;
    println!("sent");
    Ok(())
}

fn connect(address: &str) -> io::Result<Box<dyn Stream>> {
    if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        return Ok(Box::new(stream));
    }
    let address = address.strip_prefix("tcp:").unwrap_or(address);
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    Ok(Box::new(stream))
}
