//! An independent phone of another family: linphone registers, calls, holds, and is understood in
//! Opus.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;

use super::caller::{Speaker, spoken};
use super::ear::{recognise, utterances, voiced};
use super::phones::only_phones;
use super::server::{Folder, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn linphone_registers_holds_an_agent_and_asks_it_in_opus() {
    let server = Server::start(only_phones().speaking("\"opus\", \"pcmu\"")).await;
    let mut linphone = Linphone::start(&server, ("101", "secret")).await;
    linphone.says("question", "what are your opening hours").await;
    linphone.says("farewell", "goodbye").await;
    let registered = || server.log().contains("phone.registered").then_some(());
    within(PATIENCE, "linphone registers", registered).await;
    linphone.order(&format!("record {}", linphone.folder.path("heard.wav").display())).await;
    linphone.order("call 700").await;
    linphone.until("Media streams established").await;
    linphone.order("pause").await;
    linphone.until("is now paused").await;
    linphone.order("resume").await;
    linphone.until("Media streams established").await;
    linphone.play("question").await;
    within(PATIENCE, "the whole answer", || {
        let heard = linphone.heard()?;
        let breath = heard.rate.samples_in(Duration::from_millis(600));
        let last = heard.samples.len().saturating_sub(breath);
        let is_over = voiced(&Frame::new(heard.rate, heard.samples[last..].to_vec())).is_zero();
        let longest = utterances(&heard).iter().map(voiced).max()?;
        (longest > Duration::from_secs(1) && is_over).then_some(())
    })
    .await;
    linphone.play("farewell").await;
    linphone.until(" ended").await;

    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["what are your opening hours", "goodbye"]);
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(record["holds"].as_array().map(Vec::len), Some(1), "{record:#}");
    let leg = &record["legs"][0];
    assert_eq!(leg["codec"], "opus", "{record:#}");
    assert!(leg["sip"]["user_agent"].as_str().expect("one").contains("Linphone"), "{record:#}");
    let heard = linphone.heard().expect("it was recorded");
    let sentences = ["hello", "we are open from nine to six", "thank you and goodbye"];
    let mut texts = Vec::new();
    for clip in utterances(&heard) {
        texts.push(recognise(&clip, &sentences).await);
    }
    let texts = texts.join(" / ");
    assert!(texts.contains("from nine to six") && texts.ends_with("goodbye"), "{texts}");
}

/// A linphone that is told what to do, line by line.
struct Linphone {
    _child: Child,
    orders: ChildStdin,
    tells: Lines<BufReader<ChildStdout>>,
    folder: Folder,
}

impl Linphone {
    async fn start(server: &Server, (user, password): (&str, &str)) -> Self {
        let folder = Folder::new();
        for place in [".local/share/linphone/.keep", ".config/linphone/.keep"] {
            folder.put(place, "");
        }
        let address = server.address;
        let settings = format!(
            "[sip]\nsip_port=-1\nsip_tcp_port=-1\nsip_tls_port=0\ndefault_proxy=0\n\
             [sound]\nechocancellation=0\n\
             [auth_info_0]\nusername={user}\npasswd={password}\nrealm=voxtrunk-test\n\
             [proxy_0]\nreg_proxy=<sip:{address}>\nreg_identity=sip:{user}@{address}\n\
             reg_expires=120\nreg_sendregister=1\n"
        );
        let settings = folder.put("settings", settings);
        let mut linphone = Command::new("linphonec");
        linphone.arg("-c").arg(settings).env("HOME", folder.path("")).kill_on_drop(true);
        linphone.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = linphone.spawn().expect("linphonec is missing: run ./dev setup");
        let orders = child.stdin.take().expect("it is piped");
        let tells = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut linphone = Self { _child: child, orders, tells, folder };
        linphone.order("soundcard use files").await;
        linphone
    }

    /// Writes what it will say.
    async fn says(&self, name: &str, text: &str) {
        let clip = spoken(Speaker::Flite("rms"), text).await;
        self.folder.put(&format!("{name}.wav"), wav::write(&clip));
    }

    /// Says it once.
    async fn play(&mut self, name: &str) {
        let path = self.folder.path(&format!("{name}.wav"));
        self.order(&format!("play {}", path.display())).await;
    }

    /// What it has recorded of the agent by now; its length is written at the end only.
    fn heard(&self) -> Option<Frame> {
        let octets = std::fs::read(self.folder.path("heard.wav")).ok()?;
        let samples = octets.get(44..)?.chunks_exact(2);
        let samples = samples.map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
        Some(Frame::new(Rate(48_000), samples))
    }

    async fn order(&mut self, line: &str) {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// Waits until it tells that.
    async fn until(&mut self, words: &str) {
        let told = async {
            while let Ok(Some(line)) = self.tells.next_line().await {
                if line.contains(words) {
                    return true;
                }
            }
            false
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        assert_eq!(told, Ok(true), "linphone never says: {words}");
    }
}
