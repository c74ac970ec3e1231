//! An independent caller: baresip speaks, and what it heard is recognised again.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use voxtrunk::audio::frame::Frame;
use voxtrunk::audio::wav;

use super::caller::{Speaker, clip, spoken};
use super::certificates::Authority;
use super::ear::{recognise, utterances};
use super::server::{Folder, House, PATIENCE, Server, said, terminate, within};

#[tokio::test(flavor = "multi_thread")]
async fn baresip_asks_and_hears_the_answer() {
    let server = Server::start(House::demo()).await;
    let folder = Folder::new();
    // The greeting takes five seconds; then the question, and then silence until the end.
    let question = spoken(Speaker::Flite("rms"), "what are your opening hours").await;
    let mut says = Frame::silence(question.rate, Duration::from_secs(7));
    says.samples.extend(&question.samples);
    says.samples.extend(Frame::silence(question.rate, Duration::from_secs(40)).samples);
    folder.put("says.wav", wav::write(&says));
    let mut baresip = dial(&folder, &server.uri("demo"), "");
    let answered = within(PATIENCE, "the answer, as baresip records it", || {
        let heard = utterances(&heard(&folder)?);
        (heard.len() >= 3).then_some(heard)
    })
    .await;
    // It says BYE before it ends.
    terminate(baresip.id().expect("it runs"));
    baresip.wait().await.expect("it is our child");

    let sentences = [
        "hello this is the a i assistant of harbor bicycles",
        "how can i help you",
        "we are open monday to friday from nine to six",
        "and on saturday from ten to two",
        "on sunday we are closed",
        "are you still there",
        "goodbye",
    ];
    let mut texts = Vec::new();
    for clip in &answered {
        texts.push(recognise(clip, &sentences).await);
    }
    let texts = texts.join(" / ");
    for words in ["harbor bicycles", "how can i help you", "from nine to six"] {
        assert!(texts.contains(words), "{texts}");
    }
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["what are your opening hours"]);
    assert!(record["legs"][0]["sip"]["user_agent"].as_str().expect("one").contains("baresip"));
    assert_eq!(record["legs"][0]["rtp"]["lost"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_calls_by_tcp_and_by_tls() {
    let certificates = Folder::new();
    let authority = Authority::write(&certificates);
    let server = Server::start(House::porter().and(&authority.listening(&["tcp", "tls"]))).await;
    let words = spoken(Speaker::Flite("rms"), "goodbye").await;
    let mut says = Frame::silence(words.rate, Duration::from_secs(4));
    says.samples.extend(&words.samples);
    says.samples.extend(Frame::silence(words.rate, Duration::from_secs(40)).samples);
    for (transport, calls) in [("tcp", 1), ("tls", 2)] {
        let folder = Folder::new();
        folder.put("says.wav", wav::write(&says));
        let more = format!("sip_cafile {}\n", authority.file.display());
        let target = format!("sip:porter@{};transport={transport}", server.listens(transport));
        let baresip = dial(&folder, &target, &more);
        let record = server.records(calls).await.remove(calls - 1);
        assert_eq!(said(&record, "caller"), ["goodbye"], "by {transport}");
        assert_eq!(record["end_reason"], "agent_ended");
        assert!(record["legs"][0]["sip"]["user_agent"].as_str().expect("one").contains("baresip"));
        drop(baresip);
    }
}

/// Lets baresip call somebody.
pub fn dial(folder: &Folder, target: &str, more: &str) -> Child {
    configure(folder, more);
    let mut baresip = Command::new("baresip");
    baresip.arg("-4").arg("-f").arg(folder.path("")).args(["-t", "50", "-e"]);
    baresip.arg(format!("/dial {target}"));
    baresip.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    baresip.spawn().expect("baresip is missing: run ./dev setup")
}

/// What baresip recorded so far of what it heard.
pub fn heard(folder: &Folder) -> Option<Frame> {
    let files = std::fs::read_dir(folder.path("heard")).ok()?.flatten();
    let path = files.map(|file| file.path()).find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|it| it.ends_with("-dec.wav"))
    })?;
    let length = std::fs::metadata(&path).ok()?.len();
    (length > 44).then(|| clip(&path))
}

/// A phone without hardware: speech comes from a file and what is heard goes into one.
fn configure(folder: &Folder, more: &str) {
    folder.put("contacts", "");
    if !folder.path("accounts").exists() {
        folder.put("accounts", "<sip:baresip@127.0.0.1>;regint=0\n");
    }
    folder.put("heard/.keep", "");
    let (says, heard) = (folder.path("says.wav"), folder.path("heard"));
    let modules = "/usr/lib/baresip/modules";
    folder.put(
        "config",
        format!(
            "sip_listen 127.0.0.1:0\nmodule_path {modules}\n\
             audio_source aufile,{}\nausrc_srate 8000\nauplay_srate 8000\n\
             ausrc_channels 1\nauplay_channels 1\nsnd_path {}\n\
             module account.so\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n\
             module_app menu.so\nrtp_ports 49000-49998\n{more}",
            says.display(),
            heard.display()
        ),
    );
}
