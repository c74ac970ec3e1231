// A call with an agent: WebRTC by one request, what is said by server-sent events.
"use strict";

const agent = decodeURIComponent(location.pathname.split("/")[2] || "");
const at = (id) => document.getElementById(id);
let call = null;

at("agent").textContent = agent;
document.title = `Talk with ${agent}`;

function state(text, wrong) {
  at("state").textContent = text;
  at("state").classList.toggle("wrong", Boolean(wrong));
}

// Why there is no microphone, in words that help.
function why(error) {
  if (!window.isSecureContext) {
    return "Browsers give a microphone only to pages with https, and to this machine itself. Ask for the https address of this page.";
  }
  switch (error && error.name) {
    case "NotAllowedError":
      return "The microphone is not allowed. Allow it beside the address of this page, and try again.";
    case "NotFoundError":
      return "There is no microphone. Connect one, and try again.";
    case "NotReadableError":
      return "The microphone is used by another program.";
    default:
      return String((error && error.message) || error);
  }
}

async function microphone() {
  if (!navigator.mediaDevices) {
    throw new Error(why());
  }
  const chosen = at("microphone").value;
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (chosen) {
    audio.deviceId = { exact: chosen };
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Error(why(error));
  }
}

// What can be chosen is known once one microphone was allowed.
async function choices() {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((it) => it.kind === "audioinput");
  const select = at("microphone");
  const chosen = select.value;
  select.replaceChildren(...devices.map((device, index) => {
    const option = document.createElement("option");
    option.value = device.deviceId;
    option.textContent = device.label || `Microphone ${index + 1}`;
    return option;
  }));
  if (chosen) {
    select.value = chosen;
  }
  at("choice").hidden = devices.length < 2;
}

function level(context, stream, id) {
  const ear = context.createAnalyser();
  ear.fftSize = 512;
  context.createMediaStreamSource(stream).connect(ear);
  const samples = new Float32Array(ear.fftSize);
  return () => {
    ear.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, it) => sum + it * it, 0) / samples.length;
    at(id).value = Math.min(1, Math.sqrt(power) * 4);
  };
}

async function talk() {
  const here = { ended: false };
  call = here;
  at("talk").disabled = true;
  at("words").replaceChildren();
  state("Asking for the microphone …");
  try {
    here.stream = await microphone();
    await choices();
    here.context = new AudioContext();
    here.levels = [level(here.context, here.stream, "mine")];
    here.peer = new RTCPeerConnection();
    const [track] = here.stream.getAudioTracks();
    here.sender = here.peer.addTrack(track, here.stream);
    here.peer.addEventListener("track", (event) => {
      at("ear").srcObject = event.streams[0];
      here.levels.push(level(here.context, event.streams[0], "theirs"));
    });
    here.peer.addEventListener("connectionstatechange", () => moved(here));
    state("Calling …");
    await here.peer.setLocalDescription(await here.peer.createOffer());
    const answer = await fetch(`/v1/web-calls/${encodeURIComponent(agent)}`, {
      method: "POST", headers: { "Content-Type": "application/sdp" }, body: here.peer.localDescription.sdp,
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(told(text, answer.status));
    }
    here.place = answer.headers.get("Location");
    await here.peer.setRemoteDescription({ type: "answer", sdp: text });
    listen(here);
    here.meters = setInterval(() => here.levels.forEach((show) => show()), 100);
    at("talk").textContent = "Hang up";
    at("talk").classList.add("up");
    at("mute").hidden = at("pad").hidden = false;
  } catch (error) {
    hangUp(here, String(error.message || error), true);
  }
  at("talk").disabled = false;
}

// What the server says of a refusal.
function told(text, status) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return `The call was not taken (${status}).`;
  }
}

function moved(here) {
  switch (here.peer.connectionState) {
    case "connected":
      return state("Connected. Speak.");
    case "failed":
      return hangUp(here, "The network lets no sound through. A firewall may block UDP.", true);
    case "disconnected":
      return state("The network is gone. Waiting …", true);
  }
}

function listen(here) {
  here.words = new EventSource(`${here.place}/events`);
  here.words.addEventListener("transcript.updated", (event) => {
    const { data } = JSON.parse(event.data);
    if (!data.text) {
      return;
    }
    const [line, who] = [document.createElement("li"), document.createElement("span")];
    line.className = data.role;
    who.className = "who";
    who.textContent = data.role === "caller" ? "You" : agent;
    line.append(who, data.text);
    at("words").append(line);
    line.scrollIntoView({ block: "nearest" });
  });
  here.words.addEventListener("call.ended", () => hangUp(here, "The call has ended."));
}

function hangUp(here, text, wrong) {
  if (here.ended) {
    return;
  }
  here.ended = true;
  if (here.place) {
    // A page that closes says so, too.
    fetch(here.place, { method: "DELETE", keepalive: true }).catch(() => {});
  }
  clearInterval(here.meters);
  here.words?.close();
  here.peer?.close();
  here.stream?.getTracks().forEach((track) => track.stop());
  here.context?.close();
  at("mine").value = at("theirs").value = 0;
  at("talk").textContent = "Talk";
  at("talk").classList.remove("up");
  at("mute").hidden = at("pad").hidden = at("keys").hidden = true;
  at("mute").setAttribute("aria-pressed", "false");
  at("pad").setAttribute("aria-expanded", "false");
  call = null;
  state(text, wrong);
}

at("talk").addEventListener("click", () => (call ? hangUp(call, "You hung up.") : talk()));

at("mute").addEventListener("click", () => {
  const [track] = call.stream.getAudioTracks();
  track.enabled = !track.enabled;
  at("mute").setAttribute("aria-pressed", String(!track.enabled));
});

at("pad").addEventListener("click", () => {
  at("keys").hidden = !at("keys").hidden;
  at("pad").setAttribute("aria-expanded", String(!at("keys").hidden));
});

for (const key of "123456789*0#") {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = key;
  button.addEventListener("click", () => call?.sender.dtmf?.insertDTMF(key, 160, 60));
  at("keys").append(button);
}

addEventListener("pagehide", () => call && hangUp(call, "The page was left."));
