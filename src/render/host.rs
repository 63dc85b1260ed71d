//! A host's catalog: what its roles ask for, each by its own `templates/host/<role>/catalog.yaml.j2`,
//! with the texts of files from the templates beside it.
//!
//! Templates see `host` (its document, with its name) and `platform`.

use std::borrow::Cow;

use minijinja::Value;

use super::RenderError;
use super::Templates;
use super::lines;
use super::templates::place;
use super::values::Fields;
use super::values::NoValue;
use super::values::fields_of;
use crate::model::Document;
use crate::model::Host;
use crate::model::Place;
use crate::model::Platform;
use crate::model::Secret;
use crate::model::host::Asked;
use crate::model::host::Catalog;
use crate::model::host::HostResource;
use crate::model::host::catalog;
use crate::model::host::kinds::File;
use crate::model::yaml;
use crate::model::yaml::Mark;

/// Renders what a host should be.
pub fn render_host(
    host: &Document<Host>,
    platform: Option<&Document<Platform>>,
    templates: &Templates,
) -> Result<Catalog, RenderError> {
    let context = context(host, platform)?;
    let mut catalog = Catalog::default();
    for role in &host.spec.roles {
        let folder = format!("host/{role}");
        let name = format!("{folder}/catalog.yaml.j2");
        let text = templates.text(&name, context.clone())?;
        let from = |mark: Mark| {
            let line = lines::line_of_template(templates.source(&name), &text, mark.line);
            place(&name, line)
        };
        let (documents, refusals) = yaml::read(text.as_bytes());
        if let Some(refusal) = refusals.into_iter().next() {
            let line = lines::text_of(&text, refusal.mark.line);
            let help = format!("this line became `{line}`; {}", refusal.help.unwrap_or_default());
            return Err(RenderError::new(from(refusal.mark), refusal.message, help));
        }
        for document in &documents {
            let read = catalog::read(document, &from);
            let resources = read.map_err(|mismatch| {
                let place = from(mismatch.mark.unwrap_or_default());
                let help = mismatch.help.unwrap_or_else(|| "correct it".into());
                RenderError::new(place, mismatch.message, help)
            })?;
            for resource in resources {
                catalog.resources.push(with_text(resource, &folder, templates, &context)?);
            }
        }
    }
    Ok(catalog)
}

fn context(
    host: &Document<Host>,
    platform: Option<&Document<Platform>>,
) -> Result<Value, RenderError> {
    let refused = |error: NoValue| {
        let place = Place { file: host.origin.file.clone(), line: host.origin.line, column: 1 };
        RenderError::new(place, error.to_string(), "shorten it")
    };
    let named = |mut fields: Fields, name: &str| {
        fields.0.push((Cow::Borrowed("name"), name.into()));
        Value::from_object(fields)
    };
    let mut fields = fields_of(&host.spec).map_err(refused)?;
    // They are encrypted: nobody is helped by their ciphers.
    fields.0.retain(|(name, _)| name != "secrets");
    let mut root = vec![(Cow::Borrowed("host"), named(fields, host.name.as_str()))];
    if let Some(platform) = platform {
        let fields = fields_of(&platform.spec).map_err(refused)?;
        root.push((Cow::Borrowed("platform"), named(fields, platform.name.as_str())));
    }
    Ok(Value::from_object(Fields(root)))
}

/// A file with its text, from the template that it names or as it stands.
fn with_text(
    resource: HostResource,
    folder: &str,
    templates: &Templates,
    context: &Value,
) -> Result<HostResource, RenderError> {
    let Asked::File(file) = &resource.asked else { return Ok(resource) };
    let content = match (&file.content, &file.template) {
        (Some(content), None) => content.clone(),
        (None, Some(template)) => {
            let text = templates.text(&format!("{folder}/{template}"), context.clone())?;
            // The template language drops the end of the last line, which files have.
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            Secret::new(text + end)
        }
        _ => {
            let message = format!("`{}` has to have either `content` or `template`", resource.id);
            let help = "write its text, or name a template beside the catalog";
            return Err(RenderError::new(resource.place, message, help));
        }
    };
    if content.reveal().contains('\0') {
        let message = format!("the text of `{}` has a NUL in it", resource.id);
        let help = "put what is no text into an archive";
        return Err(RenderError::new(resource.place, message, help));
    }
    let file = File { content: Some(content), template: None, ..file.clone() };
    Ok(HostResource { asked: Asked::File(file), ..resource })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Commit;
    use crate::model::Configuration;
    use crate::model::Snapshot;

    const HOST: &str = "apiVersion: tenantry.dev/v1\nkind: Host\nmetadata: {name: web-1}\nspec:\n  \
        tenant: acme\n  address: 192.0.2.1\n  hostKeys: []\n  roles: [web]\n  \
        settings: {greeting: \"it's 5 o'clock\", lines: \"a\\nb\"}\n";

    fn rendered(files: &[(&str, &str)]) -> Result<Catalog, RenderError> {
        let all = [("tenants/acme/host.yaml", HOST)].into_iter().chain(files.iter().copied());
        let snapshot = Snapshot::of(Commit::new(""), all);
        let configuration = Configuration::read(None, &snapshot);
        let host = configuration.hosts.values().next().expect("the host can be read");
        render_host(host, None, &Templates::of(&snapshot).0)
    }

    #[test]
    fn a_catalog_is_made_of_the_folder_of_each_role() {
        let catalog = rendered(&[
            (
                "templates/host/web/catalog.yaml.j2",
                "- file: {path: /etc/motd, template: motd.j2}\n\
                 - file:\n    path: /etc/greeting\n    content: {{ host.settings.greeting }}\n",
            ),
            ("templates/host/web/motd.j2", "{{ host.name }}: {{ host.settings.greeting }}\n"),
        ])
        .unwrap();
        let texts: Vec<&str> = catalog
            .resources
            .iter()
            .filter_map(|resource| match &resource.asked {
                Asked::File(file) => file.content.as_ref().map(Secret::reveal),
                _ => None,
            })
            .collect();
        assert_eq!(texts, ["web-1: it's 5 o'clock\n", "it's 5 o'clock"]);
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], place: &str, message: &str) {
        let error = rendered(files).unwrap_err();
        assert_eq!(error.place.to_string().split(':').take(2).collect::<Vec<_>>().join(":"), place);
        assert!(error.message.contains(message), "{error:?}");
        assert!(error.help.is_some_and(|help| !help.is_empty()));
    }

    #[test]
    fn what_cannot_be_rendered_is_told_with_its_template_and_line() {
        let catalog = |text| [("templates/host/web/catalog.yaml.j2", text)];
        check(&[], "templates/host/web/catalog.yaml.j2", "there is no such template");
        check(
            &catalog("- package: {name: nginx}\n- pakage: {name: curl}\n"),
            "templates/host/web/catalog.yaml.j2:2",
            "no kind `pakage`",
        );
        check(
            &catalog("- file: {path: /etc/motd}\n"),
            "templates/host/web/catalog.yaml.j2:1",
            "either `content` or `template`",
        );
        check(
            &catalog("- file: {path: /etc/motd, template: motd.j2}\n"),
            "templates/host/web/motd.j2",
            "there is no such template",
        );
        check(
            &catalog("- file: {path: /etc/motd, content: {{ host.settings.missing }}}\n"),
            "templates/host/web/catalog.yaml.j2:1",
            "",
        );
        check(
            &[
                ("templates/host/web/catalog.yaml.j2", "- file: {path: /a, template: a.j2}\n"),
                ("templates/host/web/a.j2", "one\n{{ host.settings.lines }}\n"),
            ],
            "templates/host/web/a.j2:2",
            "several lines",
        );
    }
}
