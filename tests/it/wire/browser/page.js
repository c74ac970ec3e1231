// A phone in a page: JsSIP as its authors wrote it, and what the test asks of it.
"use strict";

const asked = new URLSearchParams(location.search);

function tell(what, more) {
  return fetch("/told", { method: "POST", body: JSON.stringify({ what, ...more }) });
}

window.addEventListener("error", (event) => tell("error", { why: String(event.message) }));
window.addEventListener("unhandledrejection", (event) => tell("error", { why: String(event.reason) }));

// The modules of JsSIP stand in files of their own, each of which names the others.
const modules = new Map();
const mains = {
  jssip: "jssip/lib/JsSIP.js",
  debug: "debug/src/browser.js",
  events: "events/events.js",
  ms: "ms/index.js",
  "sdp-transform": "sdp-transform/lib/index.js",
};

function read(path) {
  const request = new XMLHttpRequest();
  request.open("GET", `/modules/${path}`, false);
  request.send();
  return request.status === 200 ? request.responseText : undefined;
}

function find(from, name) {
  const path = mains[name] || new URL(name, `http://here/${from}`).pathname.slice(1);
  for (const end of ["", ".js", "/index.js"]) {
    if (modules.has(path + end)) {
      return path + end;
    }
    const text = read(path + end);
    if (text !== undefined) {
      const module = { exports: {} };
      modules.set(path + end, module);
      if (path.endsWith(".json")) {
        module.exports = JSON.parse(text);
      } else {
        const need = (other) => modules.get(find(path + end, other)).exports;
        new Function("module", "exports", "require", "process", text)(
          module, module.exports, need, { env: {} });
      }
      return path + end;
    }
  }
  throw new Error(`${name} is missing, as ${from} wants it`);
}

// What is heard, at 16 kHz, for an ear that the test has.
function hear(stream) {
  const ear = document.getElementById("ear");
  ear.srcObject = stream;
  const context = new AudioContext({ sampleRate: 16000 });
  const tap = context.createScriptProcessor(4096, 1, 1);
  context.createMediaStreamSource(stream).connect(tap);
  tap.connect(context.destination);
  tap.onaudioprocess = (event) => {
    const samples = event.inputBuffer.getChannelData(0);
    const octets = Int16Array.from(samples, (it) => Math.max(-1, Math.min(1, it)) * 32767);
    fetch("/heard", { method: "POST", body: octets.buffer });
  };
}

let connection;

async function energy() {
  let energy = 0;
  if (connection) {
    for (const [, report] of await connection.getStats()) {
      if (report.type === "inbound-rtp") {
        energy = report.totalAudioEnergy;
      }
    }
  }
  return energy;
}

function begin(session) {
  session.on("progress", () => tell("rings"));
  session.on("confirmed", () => tell("talks"));
  session.on("failed", (event) => tell("failed", { why: event.cause }));
  session.on("ended", async (event) => {
    const reason = event.message && event.message.getHeader && event.message.getHeader("Reason");
    await tell("over", { who: event.originator, why: event.cause, reason, energy: loud });
  });
}

function watch(fresh) {
  connection = fresh;
  fresh.addEventListener("track", (event) => hear(new MediaStream([event.track])));
  fresh.addEventListener("connectionstatechange", () => tell(fresh.connectionState));
}

let loud = 0;
let session;
const dial = {
  mediaConstraints: { audio: true, video: false },
  pcConfig: { iceServers: [] },
};

const orders = {
  call: (to) => {
    session = phone.call(to, dial);
    begin(session);
    if (session.connection) {
      watch(session.connection);
    }
  },
  hold: () => session.hold({}, () => tell("held")),
  resume: () => session.unhold({}, () => tell("resumed")),
  press: (keys) => session.sendDTMF(keys, { transportType: "RFC2833" }),
  describe: () => tell("described", { sdp: connection.remoteDescription.sdp,
    name: /a=ice-ufrag:(\S+)/.exec(connection.localDescription.sdp)[1] }),
  hangup: () => session.terminate(),
};

const JsSIP = modules.get(find("page.js", "jssip")).exports;
const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(asked.get("ws"))],
  uri: asked.get("uri"),
  password: asked.get("password"),
  session_timers: false,
  register: true,
});
phone.on("registered", () => tell("registered"));
phone.on("registrationFailed", (event) => tell("error", { why: `registration: ${event.cause}` }));
phone.on("newRTCSession", (event) => {
  if (asked.get("wrong")) {
    event.session.on("sdp", (said) => {
      if (said.originator === "local") {
        said.sdp = said.sdp.replace(/(a=fingerprint:sha-256 )../g, (_, name) => `${name}00`);
      }
    });
  }
  if (event.originator === "remote") {
    session = event.session;
    begin(session);
    session.on("peerconnection", (made) => watch(made.peerconnection));
    tell("is called");
    session.answer(dial);
  }
});
phone.start();

setInterval(async () => {
  loud = await energy();
  const answer = await fetch("/orders", { method: "POST", body: JSON.stringify({ loud }) });
  for (const [name, ...words] of await answer.json()) {
    orders[name](...words);
  }
}, 200);
