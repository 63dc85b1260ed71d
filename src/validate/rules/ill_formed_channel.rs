//! A channel says where releases come from, and its stages reach more hosts each time.

use super::Rule;
use crate::model::Channel;
use crate::model::Document;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-channel",
    "A channel names a repository, and its stages grow to at most 100 percent.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for channel in world.configuration.channels.values() {
        check_source(channel, findings);
        check_stages(channel, findings);
    }
}

fn check_source(channel: &Document<Channel>, findings: &mut Findings) {
    let repository = &channel.spec.repository;
    let part = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if !repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
        findings
            .error(channel.at("spec.repository"), format!("`{repository}` is not a repository"))
            .help("write it as `owner/name`");
    }
    if channel.spec.asset.is_empty() || channel.spec.asset.contains('/') {
        findings
            .error(
                channel.at("spec.asset"),
                format!("`{}` is not the name of a file", channel.spec.asset),
            )
            .help("write the name as the release has it, with `*` for anything");
    }
}

fn check_stages(channel: &Document<Channel>, findings: &mut Findings) {
    let stages = &channel.spec.stages;
    for (index, percent) in stages.iter().enumerate() {
        let before = index.checked_sub(1).map_or(0, |before| stages[before]);
        if *percent > 100 || *percent <= before {
            findings
                .error(
                    channel.at(format!("spec.stages.{index}")),
                    format!("a stage of {percent} % cannot come after one of {before} %"),
                )
                .help("let the stages grow to 100, such as `[10, 50, 100]`");
        }
    }
    let reached = usize::from(channel.spec.reached);
    if reached > 0 && reached >= stages.len() {
        findings
            .error(
                channel.at("spec.reached"),
                format!("there is no stage {reached}: they count from 0"),
            )
            .help("lower it, or add a stage");
    }
}
