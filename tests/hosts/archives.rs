//! Archives, fetched by the host from a server of the test's own.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;

use super::Story;

/// Serves one file to whoever asks on the machine's side of the hosts' network.
fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("10.213.0.1:0").unwrap();
    let address = format!("http://{}/release.tar.gz", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    address
}

/// An archive with a file, and its SHA-256.
fn archive(text: &str) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("release")).unwrap();
    std::fs::write(folder.path().join("release/version"), text).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    run("tar", &["-czf", "release.tar.gz", "release"]);
    let sum = run("sha256sum", &["release.tar.gz"]);
    let sum = sum.split(' ').next().unwrap().to_owned();
    (std::fs::read(folder.path().join("release.tar.gz")).unwrap(), sum)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_unpacked_replaced_put_back_refused_and_taken_off() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let catalog = |url: &str, sum: &str| {
        format!(
            "- user: {{name: kkt}}\n- archive: {{path: /srv/app, url: \"{url}\", sha256: {sum}, strip: 1, owner: kkt, group: kkt}}\n"
        )
    };
    let (body, sum) = archive("1.0\n");
    let first = catalog(&serve(body), &sum);
    assert_eq!(story.apply(&first).await, ["create user kkt", "create archive /srv/app"]);
    assert_eq!(vds.shell("cat /srv/app/version; stat -c %U /srv/app/version"), "1.0\nkkt");

    let (body, sum) = archive("2.0\n");
    let address = serve(body);
    let second = catalog(&address, &sum);
    assert_eq!(story.apply(&second).await, ["change archive /srv/app"]);
    assert_eq!(vds.shell("cat /srv/app/version"), "2.0");
    assert_eq!(vds.shell("cat /var/lib/tenantry/trash/*/%srv%app/version"), "1.0");

    vds.shell("rm -r /srv/app");
    assert_eq!(story.apply(&second).await, ["create back archive /srv/app"]);

    // What was fetched is not what was asked for: nothing of it is there.
    let wrong = catalog(&address, &"0".repeat(64));
    let converged = story.try_to_apply(&wrong).await.unwrap();
    let told = format!("{:?}", converged.carried);
    assert!(told.contains("the checksum does not match") && told.contains(&sum), "{told}");
    assert_eq!(vds.shell("cat /srv/app/version; ls -A /srv"), "2.0\napp");

    story.apply(&second).await;
    assert_eq!(story.apply("- user: {name: kkt}\n").await, ["remove archive /srv/app"]);
    assert_eq!(vds.shell("ls -A /srv"), "");
}
