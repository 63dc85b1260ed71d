//! The daemon as a process, where nothing it needs can be reached.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::support::program::Program;
use crate::support::program::Running;
use crate::support::repository::TestRepo;

/// Asks until an answer says what is waited for.
#[track_caller]
fn until(running: &Running, path: &str, says: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = get(&running.address(), path);
        if says.iter().all(|part| answer.contains(part)) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} says {answer}, and not {says:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_cannot_be_reached_is_said_once_and_seen_everywhere() {
    let cache = tempfile::tempdir().unwrap();
    let arguments = format!(
        "run --repository /nowhere --cache {} --listen 127.0.0.1:0 --poll 100ms \
         --database-url postgres://nobody@127.0.0.1:1/history",
        cache.path().display()
    );
    let running = Program::with(&arguments).start();

    let unready = ["503", "repository since", "history since", "no commit was read yet"];
    until(&running, "/readyz", &unready);
    let numbers = ["target=\"repository\"} 1", "target=\"history\"} 1"];
    until(&running, "/metrics", &numbers);
    let status = until(&running, "/status", &["\"away\""]);
    let status: Value = serde_json::from_str(status.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert!(status["away"]["repository"][0].as_str().unwrap().contains("/nowhere"));
    assert!(status["away"]["history"].is_array());

    // Time enough to try again a few times.
    std::thread::sleep(Duration::from_secs(2));
    let said = running.kill();
    assert_eq!(said.matches("there is no repository at /nowhere").count(), 1, "{said}");
    assert_eq!(said.matches("127.0.0.1:1/history is away").count(), 1, "{said}");
}

#[test]
fn a_branch_that_was_rewritten_is_told_until_it_is_put_back() {
    let (repository, cache) = (TestRepo::new(), tempfile::tempdir().unwrap());
    let first = repository.write("a.yaml", "").commit("one");
    let second = repository.write("a.yaml", "# more\n").commit("two");
    let running = Program::with(&format!(
        "run --repository {} --cache {} --listen 127.0.0.1:0",
        repository.path().display(),
        cache.path().display()
    ))
    .start();
    until(&running, "/status", &[second.as_str(), "\"refused\":null"]);

    repository.force_to(&first);
    let other = repository.write("b.yaml", "").commit("another two");
    until(&running, "/status", &[second.as_str(), &format!("\"refused\":\"{other}\"")]);
    until(&running, "/metrics", &["tenantry_branch_refused 1"]);

    repository.force_to(&second);
    until(&running, "/status", &[second.as_str(), "\"refused\":null"]);
    until(&running, "/metrics", &["tenantry_branch_refused 0"]);
}
