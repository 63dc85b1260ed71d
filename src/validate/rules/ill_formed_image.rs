//! Images are named as container registries name them.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-image",
    "Images are named as container registries name them.",
    check_shared,
)
.and_each(check_customer);

const HELP: &str = "write it such as `ghcr.io/owner/name:1.2.3`";

fn check_shared(world: &World<'_>, findings: &mut Findings) {
    super::image_not_pinned::for_each_image(world, |image, at| {
        if !is_image(image) {
            findings.error(at(), format!("`{image}` is not the name of an image")).help(HELP);
        }
    });
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        for (name, change) in &purchase.document.spec.overrides.components {
            if let Some(image) = change.image.as_ref().filter(|image| !is_image(image)) {
                let at = purchase.document.at(format!("spec.overrides.components.{name}.image"));
                findings.error(at, format!("`{image}` is not the name of an image")).help(HELP);
            }
        }
    }
}

/// `[registry[:port]/]path[:tag][@sha256:digest]`.
fn is_image(image: &str) -> bool {
    let (name, digest) =
        image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let digest_fits = digest.is_none_or(|digest| {
        digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    });
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[start..].split_once(':') {
        Some((last, tag)) => (&name[..start + last.len()], Some(tag)),
        None => (name, None),
    };
    let tag_fits = tag.is_none_or(|tag| {
        (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    });
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), rest)
        }
        _ => (None, name),
    };
    let registry_fits = registry.is_none_or(|registry| {
        let (host, port) = registry.split_once(':').unwrap_or((registry, "443"));
        port.parse::<u16>().is_ok()
            && !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    });
    let part_fits = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part.ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit())
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            })
    };
    digest_fits && tag_fits && registry_fits && path.len() <= 255 && path.split('/').all(part_fits)
}

#[cfg(test)]
mod tests {
    use super::is_image;

    #[test]
    fn images_are_told_from_other_texts() {
        let digest = format!("redis@sha256:{}", "a".repeat(64));
        for image in [
            "redis",
            "redis:7-alpine",
            "ghcr.io/a/b:1",
            "localhost:5000/a/b_c",
            "a/b/c:v1.2",
            &digest,
        ] {
            assert!(is_image(image), "{image}");
        }
        for image in [
            "",
            "Redis",
            "redis:",
            "redis:7 alpine",
            "a//b",
            "redis@sha256:12",
            "a:b:c",
            "https://ghcr.io/a",
        ] {
            assert!(!is_image(image), "{image}");
        }
    }
}
