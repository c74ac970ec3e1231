//! Secrets that stand in no file of the operator: `voxtrunk secret`, and a server that needs them.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::server::{Folder, House, Server, finish, program};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_sealed_and_found_by_the_server() {
    let folder = Folder::new();
    let settings = "[providers.mind]\nkind = \"openai-compatible\"\n\
                    base_url = \"http://127.0.0.1:9/v1\"\napi_key = \"${secret:mind}\"\n\
                    headers = { X-Team = \"${cred:team}\" }\n";
    let house = House::porter().and(settings);
    let config = house.write(&folder);
    let credentials = folder.put("credentials/team", "blue\n");
    let credentials = credentials.parent().expect("a folder");
    let run = async |arguments: &[&str]| {
        let mut command = program();
        command.env("CREDENTIALS_DIRECTORY", credentials);
        command.args(arguments).arg("--config").arg(&config);
        finish(command).await
    };
    let (code, said) = run(&["check"]).await;
    assert!(code == Some(1) && said.contains("there is no secret `mind`"), "{said}");
    assert!(said.contains("`voxtrunk secret set mind`") && !said.contains("`team`"), "{said}");

    let mut command = program();
    command.args(["secret", "set", "mind", "--config"]).arg(&config);
    let mut keeping = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut typed = keeping.stdin.take().expect("it is piped");
    typed.write_all(b"sk-very-secret\n").await.expect("it reads");
    drop(typed);
    assert!(keeping.wait().await.expect("it ends").success());

    let (code, said) = run(&["check"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = run(&["secret", "list"]).await;
    assert_eq!(said.trim(), "mind");
    let sealed = std::fs::read(folder.path("data/secrets.sealed")).expect("the store");
    assert!(!sealed.windows(6).any(|octets| octets == b"secret"));
    let (code, said) = run(&["secret", "remove", "other"]).await;
    assert!(code == Some(1) && said.contains("there is no secret `other`"), "{said}");

    // The server finds it, too; without the service manager it has no credential.
    let without = settings.replace("headers", "# headers");
    let server = Server::start_in(folder, House::porter().and(&without)).await;
    assert!(!server.log().contains("very-secret"));
}
