//! The commands, as an operator types them.

use std::path::Path;

use super::Story;
use crate::support::program::Program;

impl Story {
    fn folder(&self, catalog: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in self.files(catalog) {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn program(&self, arguments: &str, folder: &Path) -> Program {
        let key = self.vds.key.display().to_string();
        Program::with(arguments)
            .in_folder(folder)
            .quiet_variable("TENANTRY_SSH_KEY", &key)
            .hiding(&self.vds.address, "[ADDRESS]")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_scanned_planned_applied_and_checked() {
    let Some(story) = Story::begin() else { return };
    let folder = story.folder("- file: {path: /srv/motd, content: \"hello\\n\"}\n");
    let folder = folder.path();
    let scan = story.program(&format!("host scan {}", story.vds.address), folder).run();
    assert_eq!(scan.code, 0, "{}", scan.err);
    assert!(scan.out.contains(story.vds.pin.trim()), "{}", scan.out);
    assert!(scan.err.contains("ssh-keygen -lf"), "{}", scan.err);

    let plan = story.program("host plan box-1", folder).run();
    assert_eq!((plan.code, plan.err.as_str()), (2, ""), "{}", plan.out);
    insta::assert_snapshot!(plan.out, @r"
      + create

    box-1
      + file /srv/motd
          + group: root
          + mode: 644
          + owner: root
          ~ text:
              + hello

    Plan: 1 to add
    ");
    let check = story.program("host check box-1", folder).run();
    assert_eq!((check.code, check.out.as_str()), (1, "box-1: Plan: 1 to add\n"), "{}", check.err);
    let apply = story.program("host apply box-1", folder).run();
    assert_eq!(apply.code, 0, "{} {}", apply.out, apply.err);
    assert_eq!(apply.out, "box-1: 1 step done, and confirmed\n");
    assert_eq!(apply.err, "box-1: file /srv/motd ...\n");
    let again = story.program("host apply", folder).run();
    assert_eq!((again.code, again.out.as_str()), (0, "box-1: nothing to do\n"), "{}", again.err);
    let check = story.program("host check", folder).run();
    assert_eq!((check.code, check.out.as_str()), (0, "box-1: as it should be\n"), "{}", check.err);
    let plan = story.program("host plan -o json", folder).run();
    assert_eq!(plan.code, 0, "{}", plan.err);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan[0]["steps"], serde_json::json!([]));
    let facts = story.program("host facts box-1", folder).run();
    assert!(facts.out.contains("distribution: debian"), "{}", facts.out);
    assert!(facts.out.contains("file /srv/motd"), "{}", facts.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_the_ssh_command_with_the_pinned_keys() {
    let Some(story) = Story::begin() else { return };
    let folder = story.folder("[]\n");
    let console = story.program("host console box-1", folder.path()).run();
    assert_eq!(console.code, 0, "{}", console.err);
    let command = console.out.replace("[ADDRESS]", &story.vds.address);
    let typed = |command: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("{} -oBatchMode=yes hostname", command.trim())])
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    };
    assert!(typed(&command).starts_with("t-"), "{command}\n{}", typed(&command));
    let blob = story.vds.pin.split(' ').nth(1).unwrap();
    let other = "AAAAC3NzaC1lZDI1NTE5AAAAIGtk0LOlateGOF9Z6QNlbLobkXbumZZ+A9ZV3CCKdxl8";
    let refused = typed(&command.replace(blob, other));
    assert!(refused.contains("Host key verification failed"), "{refused}");
}

#[test]
fn a_host_that_is_not_there_or_broken_is_told() {
    let run = |arguments: &str| {
        Program::with(arguments).here().quiet_variable("TENANTRY_SSH_KEY", "/nonexistent").run()
    };
    let typo = run("host plan kasa-plus-1 --dir tenants-example");
    assert_eq!(typo.code, 1);
    assert!(typo.err.contains("did you mean `kassa-plus-1`?"), "{}", typo.err);
    let none = run("host plan kassa-plus-1 --dir tenants-example");
    assert_eq!(none.code, 1);
    let told = "templates/host/kkt/catalog.yaml.j2: there is no such template";
    assert!(none.err.contains(told), "{}", none.err);
}
