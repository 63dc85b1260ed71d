//! What a pass costs: one script to look, and no more where there is nothing to do.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tenantry::apply::host::HostError;
use tenantry::apply::host::Ssh;
use tenantry::apply::host::Transport;
use tenantry::apply::host::observe;
use tenantry::apply::host::transport::Exit;
use tenantry::apply::host::transport::Limits;
use tenantry::model::Name;
use tenantry::plan::host::Script;

use super::Story;

/// Counts the scripts that are run.
struct Counting {
    ssh: Ssh,
    scripts: AtomicUsize,
}

impl Transport for Counting {
    fn host(&self) -> &Name {
        self.ssh.host()
    }

    async fn run(
        &self,
        script: &Script,
        limits: Limits,
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit, HostError> {
        self.scripts.fetch_add(1, Ordering::Relaxed);
        self.ssh.run(script, limits, hear).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_changes_nothing_takes_one_script() {
    let Some(story) = Story::begin() else { return };
    let asked = "- file: {path: /srv/motd, content: x}\n- user: {name: kkt}\n\
                 - package: {name: curl}\n- unit: {name: ssh.service}\n";
    story.apply(asked).await;
    let ssh = Ssh::connect(story.access()).await.unwrap();
    let counting = Counting { ssh, scripts: AtomicUsize::new(0) };
    let ordered = story.asked(asked);
    let plan = observe(&counting, &ordered).await.unwrap().plan(&ordered, &[]);
    assert!(plan.is_well());
    assert_eq!(counting.scripts.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_cut_off() {
    let Some(story) = Story::begin() else { return };
    // The shell that answers us is not the one that we think it is.
    story.vds.shell("printf '#!/bin/bash\\nexec yes fact - user 0\\n' > /usr/local/bin/sh; chmod +x /usr/local/bin/sh");
    let look = tenantry::reconcile::hosts::look(story.access(), &story.asked("[]\n")).await;
    let error = look.expect_err("it never ends");
    assert!(matches!(&error, HostError::Overlong { .. }), "{error}");
}
