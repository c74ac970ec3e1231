//! Tests of what the work of providers costs, as it stands in the files.

use super::files::Folder;
use super::*;

const SETTINGS: &str = r#"
[providers.brain]
kind    = "openai"
api_key = "${env:KEY}"
price   = { input = "0.15 USD/1M tokens", cached = "0.075 USD/1M tokens" }

[providers.brain.prices."gpt-4.1"]
input  = "2 USD/1M tokens"
output = "8 USD/1M tokens"

[providers.ear]
kind    = "deepgram"
api_key = "${env:KEY}"
price   = "0.0077 USD per minute"

[providers.mouth]
kind    = "elevenlabs"
api_key = "${env:KEY}"
price   = { characters = "30 USD/1M characters" }

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

[providers.alone]
kind    = "openai"
api_key = "${env:KEY}"
price   = "1 USD per 1M tokens"

[providers.daily]
kind    = "deepgram"
api_key = "${env:KEY}"
price   = "1 USD per day"
"#;

#[test]
fn prices_that_make_no_sense_are_named_and_the_others_are_not() {
    let folder =
        Folder::new("prices", &[("conf/server.toml", SETTINGS), ("dialplans/main.toml", "")]);
    let request = report::request(&[folder.path().join("conf")]);
    let text = rendered(&load(&request, &environment, &FilesOnly));
    let errors: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("  × ")).collect();
    let expected = [
        "`0.15 USD` is no price",
        "this has another unit",
        "there is no key `ouput` here",
        "tokens that are read and written have prices of their own",
        "`1 USD per day` is no price",
    ];
    assert_eq!(errors, expected, "{text}");
    for said in ["write it like \"0.15 USD per 1M tokens\"\n", "did you mean `output`?"] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert!(text.contains("conf/server.toml:24:21]"), "{text}");
}
