//! The templates: those built in, each replaced by the repository's file of the same name.
//!
//! A package names a folder: its `namespace/*.yaml` are rendered once for a namespace, its
//! `subscription/*.yaml` once for each subscription in it. A component names one file, rendered
//! once for each use. What a task asks for, the file of the action's name in the folder's `task/`
//! does, such as `task/final-backup.yaml`. A file whose name starts with `_` is a partial: it is only included.
//!
//! What runs on hosts has its folder in `host/`: its `catalog.yaml.j2` becomes documents, and every
//! other `.j2` beside it the text of a file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::Error;
use minijinja::ErrorKind;
use minijinja::UndefinedBehavior;
use minijinja::Value;
use minijinja::syntax::SyntaxConfig;

use super::RenderError;
use super::built_in::BUILT_IN;
use super::filters;
use super::language;
use super::language::Form;
use super::reads::PreparedDocuments;
use crate::model::Digest;
use crate::model::Finding;
use crate::model::Place;
use crate::model::Snapshot;
use crate::model::digest::Hasher;
use crate::model::snapshot::File;

/// Where templates stand in a repository.
const FOLDER: &str = "templates/";
/// Where those of hosts stand among them.
const HOSTS: &str = "host/";
/// How many steps one template may take.
const FUEL: u64 = 200_000;
/// How much text one template may become, in bytes.
const MOST_OUTPUT: usize = 512 << 10;
/// How deep conditions, loops and partials may be nested.
const DEEPEST: usize = 60;

/// All templates, ready to render.
pub struct Templates {
    environment: Environment<'static>,
    files: BTreeMap<Arc<str>, TemplateFile>,
    folders: BTreeMap<Arc<str>, Folder>,
    prepared: PreparedDocuments,
    digest: Digest,
    /// The repository's own, as they stood in it.
    own: Vec<(Arc<str>, Digest)>,
}

struct TemplateFile {
    source: Arc<str>,
    includes: Vec<String>,
    /// Whether it uses `set`.
    sets: bool,
    /// Of its text and of the partials it includes.
    digest: Digest,
    broken: Option<Finding>,
}

/// What a package's folder renders, in order.
#[derive(Default)]
pub(super) struct Folder {
    pub(super) namespace: Vec<Arc<str>>,
    pub(super) subscription: Vec<Arc<str>>,
    /// Each does what one action asks for.
    pub(super) task: Vec<Arc<str>>,
    pub(super) digest: Option<Digest>,
}

impl Templates {
    /// The built-in templates with those of a repository in their places, and what is wrong with
    /// them. Who uses a broken one cannot be rendered; all others can.
    pub fn of(snapshot: &Snapshot) -> (Self, Vec<Finding>) {
        let mut files: BTreeMap<Arc<str>, TemplateFile> = BUILT_IN
            .iter()
            .map(|(name, source)| (Arc::from(*name), TemplateFile::of(name, source.as_bytes())))
            .collect();
        for (name, file) in own(snapshot) {
            files.insert(name.into(), TemplateFile::of(name, &file.content));
        }
        let mut templates = Self {
            environment: environment(),
            files,
            folders: BTreeMap::new(),
            prepared: PreparedDocuments::default(),
            digest: Digest::of(&[]),
            own: own(snapshot).map(|(_, file)| (Arc::clone(&file.path), file.digest)).collect(),
        };
        templates.resolve_includes();
        templates.compile();
        templates.sort_into_folders();
        templates.digest = digest_of_all(templates.files.iter());
        let findings = templates.findings().cloned().collect();
        (templates, findings)
    }

    /// Whether these are the templates of this snapshot as well.
    pub fn are_of(&self, snapshot: &Snapshot) -> bool {
        let theirs = own(snapshot).map(|(_, file)| (&file.path, file.digest));
        theirs.eq(self.own.iter().map(|(path, digest)| (path, *digest)))
    }

    /// What is wrong with them.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        // What is wrong with a partial breaks many, and is told once.
        let all: BTreeSet<&Finding> =
            self.files.values().filter_map(|file| file.broken.as_ref()).collect();
        all.into_iter()
    }

    /// The built-in templates alone.
    pub fn built_in() -> Self {
        let none: [(&str, &str); 0] = [];
        Self::of(&Snapshot::of(crate::model::Commit::new(""), none)).0
    }

    /// The names of all templates, such as `component/web.yaml`.
    pub fn names(&self) -> BTreeSet<String> {
        self.files.keys().map(ToString::to_string).collect()
    }

    /// A digest of all templates.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of a template with all that it includes, or of a folder where the name ends
    /// with `/`.
    pub fn digest_of(&self, name: &str) -> Option<Digest> {
        match name.strip_suffix('/') {
            Some(folder) => self.folders.get(folder)?.digest,
            None => Some(self.files.get(name)?.digest),
        }
    }

    pub(super) fn folder(&self, name: &str) -> Option<&Folder> {
        self.folders.get(name)
    }

    pub(super) fn prepared(&self) -> &PreparedDocuments {
        &self.prepared
    }

    /// The text of a template.
    pub(super) fn source(&self, name: &str) -> &str {
        self.files.get(name).map_or("", |file| &file.source)
    }

    /// Renders one template to text.
    pub(super) fn text(&self, name: &str, context: Value) -> Result<String, RenderError> {
        let Some(file) = self.files.get(name) else {
            let help = format!("add `{FOLDER}{name}` to the repository, or name another");
            return Err(RenderError::new(place(name, 0), "there is no such template", help));
        };
        if let Some(broken) = &file.broken {
            let help = broken.help.clone().unwrap_or_default();
            return Err(RenderError::new(broken.place.clone(), broken.message.clone(), help));
        }
        let mut output = Bounded(Vec::with_capacity(file.source.len() * 2));
        self.environment
            .get_template(name)
            .and_then(|template| template.render_captured_to(context, &mut output).map(drop))
            .map_err(|error| refusal(name, &error))?;
        String::from_utf8(output.0)
            .map_err(|_| RenderError::new(place(name, 0), "the text is not UTF-8", "report this"))
    }

    /// Partials stand in the repository or are built in, include no others, and name nothing that
    /// goes on outside of them: a value that grows with each of them is seen by nobody who reads
    /// one file.
    fn resolve_includes(&mut self) {
        // What is wrong with a partial is told where it stands, and breaks whoever includes it.
        let own: BTreeMap<Arc<str>, (Digest, Option<Finding>)> = self
            .files
            .iter()
            .map(|(name, file)| (Arc::clone(name), (file.digest, file.unfit_as_a_partial(name))))
            .collect();
        for (name, file) in &mut self.files {
            let mut hasher = Hasher::default();
            hasher.add_digest(file.digest);
            let includes = std::mem::take(&mut file.includes);
            for include in &includes {
                let wrong = match own.get(include.as_str()) {
                    Some((digest, None)) => {
                        hasher.add_digest(*digest);
                        continue;
                    }
                    Some((_, Some(unfit))) => unfit.clone(),
                    None => {
                        let at = file.source.find(include.as_str()).unwrap_or(0);
                        let message = format!("there is no partial `{include}`");
                        broken(name, &file.source, at, message, "add it, or name another")
                    }
                };
                file.broken.get_or_insert(wrong);
            }
            file.includes = includes;
            file.digest = hasher.finish();
        }
    }

    fn compile(&mut self) {
        for (name, file) in &mut self.files {
            if file.broken.is_none()
                && let Err(error) =
                    self.environment.add_template_owned(name.to_string(), file.source.to_string())
            {
                let error = refusal(name, &error);
                file.broken = Some(Finding {
                    help: Some("see the template language of minijinja".into()),
                    ..Finding::error("template-syntax", error.place, error.message)
                });
            }
        }
    }

    fn sort_into_folders(&mut self) {
        for name in self.files.keys() {
            let mut parts = name.rsplitn(3, '/');
            let (file, kind, folder) = (parts.next(), parts.next(), parts.next());
            let (Some(file), Some(kind), Some(folder)) = (file, kind, folder) else { continue };
            if file.starts_with('_') {
                continue;
            }
            let of = |folders: &mut BTreeMap<Arc<str>, Folder>| match kind {
                "namespace" => {
                    folders.entry(folder.into()).or_default().namespace.push(Arc::clone(name));
                }
                "subscription" => {
                    folders.entry(folder.into()).or_default().subscription.push(Arc::clone(name));
                }
                "task" => {
                    folders.entry(folder.into()).or_default().task.push(Arc::clone(name));
                }
                _ => {}
            };
            of(&mut self.folders);
        }
        for folder in self.folders.values_mut() {
            let names = folder.namespace.iter().chain(&folder.subscription).chain(&folder.task);
            folder.digest =
                Some(digest_of_all(names.filter_map(|name| self.files.get_key_value(name))));
        }
    }
}

impl TemplateFile {
    fn of(name: &str, content: &[u8]) -> Self {
        let broken = |source: &str, at: usize, message: String, help: &str| Self {
            source: source.into(),
            includes: Vec::new(),
            sets: false,
            digest: Digest::of(content),
            broken: Some(broken(name, source, at, message, help)),
        };
        let Ok(source) = std::str::from_utf8(content) else {
            return broken("", 0, "the file is not UTF-8".into(), "save it as UTF-8");
        };
        if content.len() > language::LONGEST {
            let message = format!(
                "the template has {} bytes; the most is {}",
                content.len(),
                language::LONGEST
            );
            return broken("", 0, message, "split it into several files");
        }
        match language::check(source, form(name)) {
            Ok(said) => Self {
                source: source.into(),
                includes: said.includes.into_iter().map(str::to_owned).collect(),
                sets: said.sets,
                digest: Digest::of(content),
                broken: None,
            },
            Err(refusal) => broken(source, refusal.at, refusal.message, refusal.help),
        }
    }
}

/// A repository's own templates, each with its name.
fn own(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &File)> {
    let from = (Bound::Included(FOLDER), Bound::Unbounded);
    snapshot
        .files
        .range::<str, _>(from)
        .map_while(|(path, file)| path.strip_prefix(FOLDER).zip(Some(file)))
        .filter(|(name, _)| is_template(name))
}

/// Whether a file of the folder is a template, and not a note beside them.
fn is_template(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let fits = match ending {
        Some("yaml" | "yml") => !name.starts_with(HOSTS),
        Some("j2") => name.starts_with(HOSTS),
        _ => false,
    };
    fits && !name.split('/').any(|part| part.starts_with('.'))
}

/// What a template becomes, by its name.
fn form(name: &str) -> Form {
    let is_text = name.starts_with(HOSTS) && !name.ends_with(".yaml.j2");
    if is_text { Form::Text } else { Form::Documents }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match form(name) {
        Form::Documents => AutoEscape::Json,
        Form::Text => AutoEscape::None,
    });
    environment.set_formatter(filters::write);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEEPEST);
    // Errors name what is undefined and where.
    environment.set_debug(true);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters differ from one another"));
    filters::add_to(&mut environment);
    environment
}

fn digest_of_all<'a>(files: impl Iterator<Item = (&'a Arc<str>, &'a TemplateFile)>) -> Digest {
    let mut hasher = Hasher::default();
    for (name, file) in files {
        hasher.add_field(name.as_bytes());
        hasher.add_digest(file.digest);
    }
    hasher.finish()
}

/// The place of a template's line; zero is the file as a whole.
pub(super) fn place(name: &str, line: usize) -> Place {
    let file: Arc<str> = format!("{FOLDER}{name}").into();
    Place { file, line: u32::try_from(line).unwrap_or(0), column: u32::from(line > 0) }
}

impl TemplateFile {
    /// Why nobody may include it, where nobody may.
    fn unfit_as_a_partial(&self, name: &str) -> Option<Finding> {
        let (what, message, help) = if let Some(included) = self.includes.first() {
            let help = "include them in the templates that include it";
            (included.as_str(), format!("the partial `{name}` includes others"), help)
        } else if self.sets {
            let help = "name values with `with` in it, which ends where it ends";
            ("set", format!("the partial `{name}` uses `set`"), help)
        } else {
            return None;
        };
        let at = self.source.find(what).unwrap_or(0);
        Some(broken(name, &self.source, at, message, help))
    }
}

fn broken(name: &str, source: &str, at: usize, message: String, help: &str) -> Finding {
    let line = source.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
    let line = if source.is_empty() { 0 } else { line };
    Finding::error("template-syntax", place(name, line), message).help(help)
}

/// What the template language says, in our words.
fn refusal(name: &str, error: &Error) -> RenderError {
    // An error in a partial carries the partial's name; the chain ends with the innermost.
    let mut innermost = error;
    while let Some(source) = std::error::Error::source(innermost)
        && let Some(source) = source.downcast_ref::<Error>()
    {
        innermost = source;
    }
    let place = place(innermost.name().unwrap_or(name), innermost.line().unwrap_or(0));
    let detail = innermost.detail().unwrap_or_default();
    let (message, help) = match innermost.kind() {
        ErrorKind::UndefinedError => (
            if detail.is_empty() {
                "something here is undefined".into()
            } else {
                detail.to_owned()
            },
            "correct the name, or ask `is defined` first",
        ),
        ErrorKind::OutOfFuel => {
            (format!("the template takes more than {FUEL} steps"), "make its loops shorter")
        }
        ErrorKind::WriteFailure => (
            format!("the template becomes more than {MOST_OUTPUT} bytes"),
            "split it, or make its loops shorter",
        ),
        kind if detail.is_empty() => (kind.to_string(), "correct the template"),
        _ => (detail.to_owned(), "correct the template"),
    };
    RenderError::new(place, message, help)
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
