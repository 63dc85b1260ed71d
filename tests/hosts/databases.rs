//! A PostgreSQL on the machine: its roles, its databases, and a password that nobody was told.

use super::Story;

const CATALOG: &str = "\
- package: {name: postgresql}
- directory: {path: /etc/kkt}
- user: {name: kkt, home: /srv/kkt}
- generated_secret: {path: /etc/kkt/database.env, variable: DATABASE_PASSWORD, owner: kkt, group: kkt}
- postgres_role: {name: kkt_app, passwordFrom: /etc/kkt/database.env}
  needs: [package postgresql]
  onRemove: remove
- postgres_database: {name: kkt_client, owner: kkt_app}
  onRemove: remove
";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_a_database_are_made_put_back_and_a_database_stays() {
    let Some(story) = Story::begin() else { return };
    let vds = &story.vds;
    let steps = story.apply(CATALOG).await;
    assert_eq!(
        steps[steps.len() - 3..],
        [
            "create generated_secret /etc/kkt/database.env",
            "create postgres_role kkt_app",
            "create postgres_database kkt_client"
        ]
    );
    assert_eq!(vds.shell("stat -c '%a %U' /etc/kkt/database.env"), "600 kkt");
    let query = ". /etc/kkt/database.env; PGPASSWORD=$DATABASE_PASSWORD psql -XAtq -h 127.0.0.1 -U kkt_app kkt_client -c 'select current_user'";
    assert_eq!(vds.shell(query), "kkt_app");

    // The credential was made once, and stays what it is; the server follows it.
    let before = vds.shell("sha256sum /etc/kkt/database.env");
    vds.shell(
        "cd /; runuser -u postgres -- psql -qc \"alter role kkt_app password 'mine' superuser\"",
    );
    assert_eq!(story.apply(CATALOG).await, ["change back postgres_role kkt_app"]);
    assert_eq!(vds.shell(query), "kkt_app");
    assert_eq!(vds.shell("sha256sum /etc/kkt/database.env"), before);

    // Nobody drops a database by leaving it out, whatever its policy says; a role that owns one
    // cannot go either.
    let plan = story.plan("- package: {name: postgresql}\n").await;
    let told: Vec<String> =
        plan.notes.iter().map(|told| format!("{}: {}", told.resource, told.why)).collect();
    assert!(
        told.contains(
            &"postgres_database kkt_client: it stays: a database is dropped by hand, after its last backup"
                .to_owned()
        ),
        "{told:?}"
    );
    let converged = story.try_to_apply("- package: {name: postgresql}\n").await.unwrap();
    assert!(format!("{:?}", converged.carried).contains("depend on it"), "{converged:?}");
    assert_eq!(vds.shell(query), "kkt_app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_server_is_refused_for_what_it_is() {
    let Some(story) = Story::begin() else { return };
    let asked = "- postgres_database: {name: kkt, owner: postgres}\n";
    let converged = story.try_to_apply(asked).await.unwrap();
    let told = format!("{:?}", converged.carried);
    assert!(told.contains("postgres"), "{told}");
    assert!(!converged.went_well());
}
