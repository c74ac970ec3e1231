//! Checks of `[http.openai]`, and of `openai:AGENT`.

use crate::config::check_machine::in_plain_text;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;
use crate::config::webhook::secret_key;

/// A project that can be called, and a key by which its word is believed.
pub fn openai(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let http = subject.server.http.as_ref();
    let Some(door) = http.and_then(|http| http.openai.as_ref()) else { return Vec::new() };
    let plain = in_plain_text(subject, "http.openai.secret");
    let mut found: Vec<_> = plain.into_iter().collect();
    let is_letter = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    if door.project.is_empty() || !door.project.chars().all(is_letter) {
        found.push(
            Diagnostic::error("openai.project", format!("`{}` is no project", door.project))
                .at(subject.place("http.openai.project"), "letters, digits, _ and -")
                .help("it stands in the settings of the project at OpenAI, as \"proj_…\""),
        );
    }
    if door.secret.is_empty() || !door.secret.iter().all(|it| secret_key(it).is_some()) {
        found.push(
            Diagnostic::error("openai.secret", "nobody would be believed with this secret")
                .at(subject.place("http.openai.secret"), "`whsec_` and 24 to 64 octets in base64")
                .help("OpenAI shows it once, when the webhook is made"),
        );
    }
    if !door.sip.as_deref().is_none_or(is_secret) {
        found.push(
            Diagnostic::error(
                "openai.sip",
                "calls go there by TLS, or their keys are read on the way",
            )
            .at(subject.place("http.openai.sip"), "no such place")
            .help("leave it out, or write \"sip:HOST;transport=tls\""),
        );
    }
    found
}

/// A call that OpenAI does not take.
pub fn not_taken(subject: &Subject<'_>, agent: &str, path: &str) -> Option<Diagnostic> {
    let at = |message: String, label: &str| {
        Diagnostic::error("openai.agent", message).at(subject.place(path), label)
    };
    let http = subject.server.http.as_ref();
    if http.is_none_or(|http| http.openai.is_none()) {
        let message = "nobody is told that OpenAI has a call".to_owned();
        let help = "add [http.openai] with `project` and `secret` to conf/server.toml";
        return Some(at(message, "there is no [http.openai]").help(help));
    }
    let realtime = subject.agents.get(agent).and_then(|agent| agent.realtime.as_ref());
    if realtime.is_none() {
        let message = format!("agent `{agent}` does not say by which model of OpenAI's it speaks");
        let help = format!(
            "write realtime = {{ provider = \"openai\", voice = \"marin\" }} under [agents.{agent}]"
        );
        return Some(at(message, "an agent without `realtime`").help(help));
    }
    None
}

/// Whether a SIP URI without a user is reached by TLS.
fn is_secret(uri: &str) -> bool {
    let mut parts = uri.strip_prefix("sip:").unwrap_or_default().split(';');
    let is_letter = |it: char| it.is_ascii_alphanumeric() || ".-:[]".contains(it);
    let is_host = parts.next().is_some_and(|host| !host.is_empty() && host.chars().all(is_letter));
    is_host && parts.any(|it| it.eq_ignore_ascii_case("transport=tls"))
}
