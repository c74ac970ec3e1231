//! Tests of what the work of providers costs, as it stands in the files.

use super::files::Folder;
use super::*;

const SETTINGS: &str = r#"
[providers.brain]
kind    = "openai"
api_key = "${env:KEY}"
price   = { input = "0.15 USD/1M tokens", cached_input = "0.075 USD/1M tokens" }

[providers.brain.prices."gpt-4.1"]
input  = "2 USD/1M tokens"
output = "8 USD/1M tokens"

[providers.ear]
kind    = "deepgram"
api_key = "${env:KEY}"
price   = { audio = "0.0077 USD/min" }

[providers.vague]
kind    = "openai"
api_key = "${env:KEY}"
price   = { input = "0.15 USD" }

[providers.minutes]
kind    = "openai"
api_key = "${env:KEY}"
price   = { input = "0.15 USD/min" }

[providers.misspelt]
kind    = "openai"
api_key = "${env:KEY}"
price   = { ouput = "1 USD/1M tokens" }
"#;

#[test]
fn prices_that_make_no_sense_are_named_and_the_others_are_not() {
    let folder = Folder::new("prices", &[("conf/server.toml", SETTINGS)]);
    let request = report::request(&[folder.path().join("conf")]);
    let text = rendered(&load(&request, &environment, &FilesOnly));
    for said in [
        "`0.15 USD` is no price",
        "this has another unit",
        "write it like \"0.15 USD/1M tokens\"\n",
        "did you mean `output`?",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert!(!text.contains("deepgram") && !text.contains("gpt-4.1"), "{text}");
}
