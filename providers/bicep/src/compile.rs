//! From sources to what is sent: the compiled template, once for each content, and the parameters of a file.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use windlass_model::{Digest, ErrorClass, Files};
use windlass_provider::{Binary, Call, Command, Exit, ProviderError, Toolbox};

use crate::arm::jsonc;
use crate::arm::template::Template;
use crate::compiler;
use crate::job::quiet;
use crate::sources::{self, in_snapshot, is_bicep, is_param};
use crate::spec::Spec;
use crate::workdir::{WorkDir, failed, write_private};

/// What is sent.
pub struct Compiled {
    /// The template.
    pub template: Template,
    /// The parameters of a file: by name, each `{"value": …}` or `{"reference": …}`.
    pub parameters: Option<Json>,
    /// What the compiler warned of.
    pub warnings: Vec<String>,
}

/// How many of the compiler's lines an error shows.
const SHOWN: usize = 6;

/// The compiler for one call.
pub struct Build<'a> {
    call: &'a Call,
    spec: &'a Spec,
    named: Option<&'a str>,
    dir: WorkDir,
    files: Vec<String>,
}

/// What the compiler made of a template.
#[derive(Serialize, Deserialize)]
struct Built {
    text: String,
    warnings: Vec<String>,
}

impl<'a> Build<'a> {
    /// A build of a deployment's sources. `named`: the compiler that the provider block names.
    ///
    /// # Errors
    /// Where sources are missing.
    pub fn new(call: &'a Call, spec: &'a Spec, named: Option<&'a str>) -> Result<Build<'a>, ProviderError> {
        let files = sources::scan(&*call.files, spec)?;
        Ok(Build { call, spec, named, dir: WorkDir::of(call), files })
    }

    /// Compiles, or takes what was compiled of the same content before.
    ///
    /// # Errors
    /// `build_failed`, `tool_missing`, `invalid_config`.
    pub async fn run(&self) -> Result<Compiled, ProviderError> {
        let compiled = self.compile().await;
        match (compiled, self.dir.remove()) {
            (Ok(compiled), Ok(())) => Ok(compiled),
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        }
    }

    async fn compile(&self) -> Result<Compiled, ProviderError> {
        let (template, file) = (self.spec.template.as_str(), self.spec.parameters_file.as_deref());
        if is_param(template) {
            return self.param_build(template, None).await;
        }
        match file {
            Some(file) if is_param(file) => {
                let using = template.ends_with(".bicep").then_some(template);
                let built = self.param_build(file, using).await?;
                if using.is_some() {
                    return Ok(built);
                }
                Ok(Compiled { template: self.arm(template)?, ..built })
            }
            Some(file) => {
                let parameters = Some(self.parameters(file)?);
                let compiled = self.template(template).await?;
                Ok(Compiled { parameters, ..compiled })
            }
            None => self.template(template).await,
        }
    }

    async fn template(&self, path: &str) -> Result<Compiled, ProviderError> {
        if !is_bicep(path) {
            return Ok(Compiled { template: self.arm(path)?, parameters: None, warnings: Vec::new() });
        }
        let built = self.bicep(path).await?;
        Ok(Compiled { template: read(built.text, path)?, parameters: None, warnings: built.warnings })
    }

    fn source(&self, path: &str) -> Result<String, ProviderError> {
        let wrong = |why: String| ProviderError::new(ErrorClass::InvalidConfig, why).at("template_file");
        let place = in_snapshot(&*self.call.files, path).unwrap_or_else(|| path.to_owned());
        let bytes = self.call.files.read(&place).map_err(|error| wrong(error.to_string()))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| wrong(format!("{path}: it is not UTF-8")))
    }

    /// An ARM template as it is, as strict JSON: `az` sends comments on for deployments and refuses them for stacks.
    fn arm(&self, path: &str) -> Result<Template, ProviderError> {
        read(jsonc::strict(&self.source(path)?), path)
    }

    /// The parameters of a JSON file.
    fn parameters(&self, path: &str) -> Result<Json, ProviderError> {
        let text = jsonc::strict(&self.source(path)?);
        let wrong = |why: &str| {
            ProviderError::new(ErrorClass::InvalidConfig, format!("{path}: {why}")).at("parameters_file")
        };
        let json: Json = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        let parameters = json.get("parameters").cloned().unwrap_or(json);
        let whole = parameters.as_object().is_some_and(|all| {
            all.values().all(|one| one.get("value").is_some() || one.get("reference").is_some())
        });
        match whole {
            true => Ok(parameters),
            false => Err(wrong("each parameter must be { \"value\": … } or { \"reference\": … }")),
        }
    }

    /// Compiles a `.bicep` file, or takes what was compiled of the same content with the same compiler.
    async fn bicep(&self, path: &str) -> Result<Built, ProviderError> {
        let compiler = compiler::find(self.named, &self.call.tools)?;
        let cached = self.cache(path, &compiler)?;
        // Half a file is no JSON; then it is compiled again.
        let kept = fs::read(&cached).ok().and_then(|bytes| serde_json::from_slice::<Built>(&bytes).ok());
        if let Some(built) = kept {
            return Ok(built);
        }
        let main = in_snapshot(&*self.call.files, path).unwrap_or_default();
        let exit =
            self.compiler(&compiler, "build", vec!["build".to_owned(), main, "--stdout".to_owned()]).await?;
        let built = self.built(exit)?;
        // A cache: where it cannot be written, the next plan compiles again.
        let _ = self.store(&cached, &serde_json::to_vec(&built).unwrap_or_default());
        Ok(built)
    }

    fn cache(&self, path: &str, compiler: &Binary) -> Result<PathBuf, ProviderError> {
        let digest = self.call.files.digest(&self.files).map_err(|error| {
            ProviderError::new(ErrorClass::InvalidConfig, error.to_string()).at("template_file")
        })?;
        let key = Digest::of(format!("{} {path} {}", digest.hex(), compiler.identity).as_bytes());
        Ok(self.call.tools.cache.join("bicep").join(format!("{}.json", key.hex())))
    }

    fn store(&self, path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let dir = path.parent().unwrap_or(path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let temporary = path.with_extension(format!("{}.new", self.call.token.0));
        write_private(&temporary, content)?;
        fs::rename(&temporary, path)
    }

    /// Compiles a `.bicepparam` file: the template that it uses, and its parameters. Not cached, as it may read the environment.
    async fn param_build(&self, path: &str, template: Option<&str>) -> Result<Compiled, ProviderError> {
        let compiler = compiler::find(self.named, &self.call.tools)?;
        let place = |path: &str| in_snapshot(&*self.call.files, path).unwrap_or_default();
        let mut args = vec!["build-params".to_owned(), place(path), "--stdout".to_owned()];
        args.extend(template.into_iter().flat_map(|template| ["--bicep-file".to_owned(), place(template)]));
        let exit = self.compiler(&compiler, "build-params", args).await?;
        let built = self.built(exit)?;
        let wrong = |why: &str| ProviderError::new(ErrorClass::BuildFailed, format!("{path}: {why}"));
        let json: Json = serde_json::from_str(&built.text)
            .map_err(|error| wrong(&format!("the compiler's answer is no JSON: {error}")))?;
        let part = |name: &str| json.get(name).and_then(Json::as_str);
        let parameters = part("parametersJson").ok_or_else(|| wrong("the compiler gave no parameters"))?;
        let parameters: Json = serde_json::from_str(parameters).map_err(|error| wrong(&error.to_string()))?;
        let parameters = parameters.get("parameters").cloned().unwrap_or(parameters);
        let text = match (part("templateJson"), part("templateSpecId"), template) {
            (Some(text), _, _) => text.to_owned(),
            (None, Some(_), _) => {
                return Err(ProviderError::new(
                    ErrorClass::InvalidConfig,
                    format!("{path} uses a template spec"),
                )
                .hint("name a .bicep or .json file in `using`")
                .at("template_file"));
            }
            (None, None, Some(template)) => self.bicep(template).await?.text,
            // `using none` beside an ARM template, which the caller reads.
            (None, None, None) => "{\"resources\":[]}".to_owned(),
        };
        Ok(Compiled { template: read(text, path)?, parameters: Some(parameters), warnings: built.warnings })
    }

    /// Runs the compiler in a copy of the sources.
    async fn compiler(
        &self,
        compiler: &Binary,
        label: &str,
        args: Vec<String>,
    ) -> Result<Exit, ProviderError> {
        self.dir.make()?;
        let tree = self.dir.path.join("src");
        fs::create_dir_all(&tree).map_err(|error| failed(&tree, &error))?;
        self.call.files.materialise(&self.files, &tree).map_err(|error| {
            ProviderError::new(ErrorClass::InvalidConfig, error.to_string()).at("template_file")
        })?;
        let command = Command {
            program: compiler.path.display().to_string(),
            args,
            env: windlass_provider::inherit(&self.call.tools.env),
            dir: tree,
            label: label.to_owned(),
            stdout_is_data: true,
            get_it: compiler::GET_IT.to_owned(),
            ..Command::default()
        };
        self.call.tools.runner.run(&quiet(self.call), &command).await
    }

    fn built(&self, exit: Exit) -> Result<Built, ProviderError> {
        let said = String::from_utf8_lossy(&exit.output).into_owned();
        let tree = self.dir.path.join("src").display().to_string();
        if exit.success() {
            let text = String::from_utf8(exit.stdout).map_err(|_| {
                ProviderError::new(ErrorClass::BuildFailed, "the compiled template is not UTF-8")
            })?;
            return Ok(Built { text, warnings: compiler::lines(&said, &tree, "Warning") });
        }
        let redact = &self.call.tools.redact;
        let mut errors = compiler::lines(&said, &tree, "Error");
        let more = errors.len().saturating_sub(SHOWN);
        errors.truncate(SHOWN);
        if errors.is_empty() {
            let text: String = said.trim().chars().take(800).collect();
            let how = exit.code.map_or_else(|| "was ended".to_owned(), |code| format!("exit status {code}"));
            errors.push(if text.is_empty() { how } else { text });
        }
        if more > 0 {
            errors.push(format!("and {more} more errors"));
        }
        let class = if exit.interrupted { ErrorClass::Cancelled } else { ErrorClass::BuildFailed };
        let message = redact.redact(&format!("the template does not compile: {}", errors.join("\n")));
        Err(ProviderError::new(class, message).hint("correct the template where it says").at("template_file"))
    }
}

fn read(text: String, path: &str) -> Result<Template, ProviderError> {
    Template::parse(text).map_err(|why| {
        ProviderError::new(ErrorClass::InvalidConfig, format!("{path}: {why}")).at("template_file")
    })
}

/// What identifies the compiler without starting it, for deployments that need one.
pub fn identity(spec: &Spec, named: Option<&str>, tools: &Arc<Toolbox>) -> String {
    let needs = is_bicep(&spec.template) || spec.parameters_file.as_deref().is_some_and(is_param);
    match needs {
        true => compiler::find(named, tools).map(|compiler| compiler.identity).unwrap_or_default(),
        false => String::new(),
    }
}

/// The sources of a deployment, for snapshot and fingerprint.
///
/// # Errors
/// Where one is missing.
pub fn sources_of(spec: &Spec, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
    if spec.template.is_empty() { Ok(Vec::new()) } else { sources::scan(files, spec) }
}
