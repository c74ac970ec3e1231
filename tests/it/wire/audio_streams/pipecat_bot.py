# A bot that speaks to Twilio by Pipecat's own serializer: greets, repeats what it hears, is
# interrupted, and hangs up. One line of JSON for whatever happens.
import asyncio
import json
import os
import sys
from types import SimpleNamespace

import numpy
import websockets
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
)
from pipecat.serializers.twilio import TwilioFrameSerializer

RATE = 16_000
CHUNK = RATE * 2 // 25


def note(**what):
    print(json.dumps(what), flush=True)


class Bot:
    def __init__(self, socket, greeting, story):
        self.socket, self.greeting, self.story = socket, greeting, story
        self.serializer, self.sid = None, None
        self.heard, self.voiced, self.tasks = b"", 0, []

    async def send(self, frame):
        text = await self.serializer.serialize(frame)
        if text:
            await self.socket.send(text)

    async def say(self, audio, name):
        for at in range(0, len(audio), CHUNK):
            piece = audio[at : at + CHUNK]
            await self.send(OutputAudioRawFrame(audio=piece, sample_rate=RATE, num_channels=1))
        mark = {"event": "mark", "streamSid": self.sid, "mark": {"name": name}}
        await self.send(OutputTransportMessageFrame(message=mark))

    async def begin(self, message):
        start = message["start"]
        self.sid = start["streamSid"]
        rest = os.environ.get("REST")
        params = TwilioFrameSerializer.InputParams(auto_hang_up=bool(rest))
        self.serializer = TwilioFrameSerializer(
            self.sid,
            start["callSid"],
            account_sid=start["accountSid"],
            auth_token=os.environ.get("TOKEN", ""),
            base_url=rest,
            params=params,
        )
        await self.serializer.setup(SimpleNamespace(audio_in_sample_rate=RATE))
        note(start=start)
        await self.say(self.greeting, "greeting")

    async def hear(self, audio):
        samples = numpy.frombuffer(audio, dtype="<i2").astype(float)
        voiced = float(numpy.sqrt(numpy.mean(samples**2))) > 300
        if voiced or self.voiced:
            self.heard += audio
        if voiced:
            self.voiced = len(self.heard)
        if self.voiced and len(self.heard) - self.voiced > RATE * 2:
            await self.say(self.heard[: self.voiced], "echo")
            self.heard, self.voiced = b"", 0

    async def key(self, key):
        note(key=key)
        if key == "2":
            await self.say(self.story, "story")
            await asyncio.sleep(1)
            await self.send(InterruptionFrame())
            await self.say(self.greeting, "again")
        elif key == "*":
            await self.send(EndFrame())
        elif key == "#":
            await self.socket.close()

    async def run(self):
        note(headers=dict(self.socket.request.headers.raw_items()))
        async for text in self.socket:
            message = json.loads(text)
            if message["event"] == "start":
                await self.begin(message)
            elif message["event"] in ("mark", "stop", "connected"):
                note(**{message["event"]: message.get("mark", {}).get("name", "")})
            frame = await self.serializer.deserialize(text) if self.serializer else None
            if isinstance(frame, InputAudioRawFrame):
                await self.hear(frame.audio)
            elif isinstance(frame, InputDTMFFrame):
                self.tasks.append(asyncio.create_task(self.key(frame.button.value)))
        note(closed=True)


async def main(greeting, story):
    sounds = [open(path, "rb").read() for path in (greeting, story)]
    serve = lambda socket: Bot(socket, *sounds).run()
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        note(port=server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().create_future()


asyncio.run(main(*sys.argv[1:]))
